/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/device-text.c: two block devices are never taken for one. */
#include "config.h"

#include "host/dm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

static char top[] = "/tmp/xenfork-device-XXXXXX";
static uint64_t inode;

bool xenfork__sys_loop_file(uint64_t device, struct xenfork__loop *loop_out)
{
    (void)device;
    *loop_out = (struct xenfork__loop){.file = {.inode = inode}, .offset = 512};
    return true;
}

/* Put a line into top/PATH, with its folders. */
static void put(const char *path, const char *line)
{
    char name[256], *p;
    FILE *f;

    snprintf(name, sizeof(name), "%s/%s", top, path);
    for (p = strchr(name + 5, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        mkdir(name, 0700);
        *p = '/';
    }
    f = fopen(name, "w");
    assert_non_null(f);
    fprintf(f, "%s\n", line);
    fclose(f);
}

static void is_text(const char *device, const char *text, bool lasts)
{
    char dir[256], udev[256];
    char *is;

    snprintf(dir, sizeof(dir), "%s/%s", top, device);
    snprintf(udev, sizeof(udev), "%s/udev", top);
    is = xenfork__device_text(dir, udev);
    assert_string_equal(is, text);
    assert_int_equal(xenfork__device_text_lasts(is), lasts);
    free(is);
}

static int setup(void **state)
{
    (void)state;
    strcpy(strrchr(top, '-'), "-XXXXXX");
    return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
    char command[256];

    (void)state;
    snprintf(command, sizeof(command), "rm -r %s", top);
    return system(command);
}

static void test_itself(void **state)
{
    (void)state;
    put("dm-0/dm/uuid", "LVM-a");
    put("dm-0/dm/name", "vg0-web");
    is_text("dm-0", "dm LVM-a", true);
    put("sda/device/wwid", "t10.ATA disk");
    is_text("sda", "wwid t10.ATA disk", true);
    put("vda/serial", "of name vda");
    is_text("vda", "serial of name vda", true);
}

/* ZFS, nbd, a virtual disk without a serial: Linux counts them as they come. */
static void test_name_only(void **state)
{
    (void)state;
    put("zd0/dev", "230:0");
    is_text("zd0", "name zd0", false);
    put("vdb/serial", "");
    put("vdb/vdb2/partition", "2");
    is_text("vdb", "name vdb", false);
    is_text("vdb/vdb2", "partition 2 of name vdb", false);
}

static void test_partition(void **state)
{
    (void)state;
    put("sdb/wwid", "naa.5");
    put("sdb/sdb1/partition", "1");
    is_text("sdb/sdb1", "partition 1 of wwid naa.5", true);
}

/* A file that was replaced has its name still. */
static void test_loop(void **state)
{
    (void)state;
    put("loop0/dev", "7:0");
    put("loop0/loop/backing_file", "/srv/a.img");
    inode = 12;
    is_text("loop0", "loop 512 12 /srv/a.img", true);
    inode = 13;
    is_text("loop0", "loop 512 13 /srv/a.img", true);
}

static void test_ceph(void **state)
{
    (void)state;
    put("rbd0/device/cluster_fsid", "f");
    put("rbd0/device/pool_id", "2");
    is_text("rbd0", "name rbd0", false);
    put("rbd0/device/image_id", "10a");
    put("rbd0/device/current_snap", "-");
    is_text("rbd0", "rbd f 2 10a -", true);
}

static void test_udev(void **state)
{
    (void)state;
    put("md0/dev", "9:0");
    put("md0/md/uuid", "1-2");
    put("udev/b9:0", "S:disk\nE:MD_UUID_SUB=9\nE:MD_UUID=1:2");
    is_text("md0", "raid 1:2", true);
    put("sdc/dev", "8:32");
    put("udev/b8:32", "E:ID_SERIAL=\nE:ID_SERIAL_SHORT=4");
    is_text("sdc", "name sdc", false);
    put("udev/b8:32", "E:ID_SERIAL=usb_4");
    is_text("sdc", "id usb_4", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_name_only, setup, teardown),
        cmocka_unit_test_setup_teardown(test_partition, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ceph, setup, teardown),
        cmocka_unit_test_setup_teardown(test_udev, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
