/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/shared-disk.c and host/areas.c, on a stub of xenstore and of the host:
 * whose disk is whose, by what is open and not by paths.
 */
#include "config.h"

#include "xen/handles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <dirent.h>

#include <cmocka.h>

#include "host/dm.h"
#include "xen/xen.h"

#define OTHER 9U
#define PID   77U
#define MIB   ((uint64_t)1 << 20)

#define SYS_BLOCK "/sys/dev/block/"

static xenfork_ctx ctx;
static char path[64] = "", slaves[64] = "", slave[2][80];
static struct xenfork__disk_identity file; /* ours */
/* The other domain's disk, and ours. */
static const char *kind, *mode, *params, *device, *socket_path, *own_device;
static bool has_qemu;
static struct xenfork__disk_identity open_by_process;

static int setup(void **state)
{
    struct stat st;
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/xenfork-shared-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0 || fstat(fd, &st))
        return -1;
    close(fd);
    snprintf(slaves, sizeof(slaves), "/tmp/xenfork-shared-XXXXXX");
    if (!mkdtemp(slaves))
        return -1;
    snprintf(slave[0], sizeof(slave[0]), "%s/sdb1", slaves);
    snprintf(slave[1], sizeof(slave[1]), "%s/sde", slaves);
    if (mkdir(slave[0], 0700) || mkdir(slave[1], 0700))
        return -1;
    file = (struct xenfork__disk_identity){.device = st.st_dev,
                                           .inode = st.st_ino};
    open_by_process = (struct xenfork__disk_identity){0};
    kind = "vbd";
    mode = "w";
    params = "/nowhere";
    device = socket_path = NULL;
    own_device = "7:1";
    has_qemu = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path) || rmdir(slave[0]) || rmdir(slave[1]) || rmdir(slaves);
}

/* Stubs. */

static char *answer(const char *text)
{
    errno = ENOENT;
    return text ? strdup(text) : NULL;
}

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    const char *key = "";
    va_list ap;
    int i;

    (void)c;
    (void)t;
    if (!strcmp(fmt, "%s/physical-device"))
        return answer(own_device);
    va_start(ap, fmt);
    va_arg(ap, unsigned int);
    for (i = 0; i < 4; i++)
        key = va_arg(ap, const char *);
    va_end(ap);
    if (!strcmp(key, "mode"))
        return answer(mode);
    if (!strcmp(key, "params"))
        return answer(params);
    if (!strcmp(key, "physical-device-path"))
        return answer(socket_path);
    return answer(!strcmp(key, "physical-device") ? device : NULL);
}

char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    const char *item = "51712", *of = "";
    char **list;
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    va_arg(ap, unsigned int);
    of = va_arg(ap, const char *);
    va_end(ap);
    *count_out = 0;
    if (strcmp(of, kind))
        return NULL;
    if (!strcmp(fmt, "/local/domain/%u/backend/%s"))
        item = "9";
    list = malloc(sizeof(char *) + 8);
    if (!list)
        abort();
    list[0] = (char *)(list + 1);
    strcpy(list[0], item);
    *count_out = 1;
    return list;
}

int xenfork__xs_u32(xenfork_ctx *c, uint32_t *value_out, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    *value_out = PID;
    return has_qemu ? 1 : 0;
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

char *xenfork__xen_disk_backend(xenfork_ctx *c, uint32_t domid,
                                const char *vdev)
{
    (void)c;
    (void)domid;
    (void)vdev;
    return strdup("/local/domain/0/backend/vbd/7/51712");
}

/*
 * 7:1 is all of our file, 7:2 its second MiB, 7:4 its third; 7:3 is another
 * file's.
 */
bool xenfork__sys_loop_file(uint64_t number, struct xenfork__loop *loop_out)
{
    static const uint64_t offsets[] = {0, 0, MIB, 0, 2 * MIB};

    if (major(number) != 7 || minor(number) >= ARRAY_SIZE(offsets))
        return false;
    *loop_out = (struct xenfork__loop){.file = file,
                                       .offset = offsets[minor(number)]};
    loop_out->bytes = loop_out->offset ? MIB : 0;
    loop_out->file.inode += minor(number) == 3;
    return true;
}

/* A line of sysfs for each, below where a device has its files. */
static const char *const sysfs[][2] = {
    {"8:16/size", "20480"},
    {"8:16/dev", "8:16"},
    {"8:17/partition", "1"}, /* its second MiB */
    {"8:17/start", "2048"},
    {"8:17/size", "2048"},
    {"8:17/../dev", "8:16"},
    {"8:18/partition", "2"}, /* its third */
    {"8:18/start", "4096"},
    {"8:18/size", "2048"},
    {"8:18/../dev", "8:16"},
    {"259:1/partition", "1"}, /* of the loop device of our file */
    {"259:1/start", "2048"},
    {"259:1/size", "2048"},
    {"259:1/../dev", "7:1"},
    {"8:32/wwid", "naa.5000"}, /* two paths to one disk */
    {"8:48/device/wwid", "naa.5000"},
    {"8:64/wwid", "naa.5001"},
    {"9:0/slaves/sdb1/dev", "8:17"},
    {"9:0/slaves/sde/dev", "8:64"},
    {"253:1/dm/name", "linear"},
    {"253:2/dm/name", "whole"},
    {"253:3/dm/name", "two-lines"},
    {"253:4/dm/name", "thin-a"},
    {"253:5/dm/name", "thin-b"},
    {"253:6/dm/name", "pool"},
    {"253:7/dm/name", "paths"},
    {"253:8/dm/name", "stripes"},
    {"253:9/dm/name", "snapshot"},
    {"253:10/dm/name", "encrypted"},
    {"253:11/dm/name", "after-stripes"},
    {"253:12/dm/name", "itself"},
};

/* Sectors: begin, how many. */
static const struct {
    const char *name;
    uint64_t start, sectors;
    const char *type, *params;
} tables[] = {
    {"linear", 0, 2048, "linear", "8:16 2048"},
    {"whole", 0, 40960, "linear", "7:1 0"},
    {"two-lines", 0, 2048, "linear", "8:16 8192"},
    {"two-lines", 2048, 1024, "linear", "8:16 4096"},
    {"thin-a", 0, 2048, "thin", "253:6 1 8:32"}, /* over a device */
    {"thin-b", 0, 2048, "thin", "253:6 2"},
    {"pool", 0, 2048, "thin-pool", "8:80 8:18 128 0 1 no_discard_passdown"},
    {"paths", 0, 2048, "multipath",
     "0 0 1 1 service-time 0 2 2 8:32 1 1 8:48 1 1"},
    {"stripes", 0, 4096, "striped", "2 128 8:16 4096 8:64 0"},
    {"after-stripes", 0, 2048, "linear", "8:16 6144"},
    {"snapshot", 0, 2048, "snapshot", "8:16 8:64 P 8"},
    {"encrypted", 0, 2048, "crypt", "aes-xts-plain64 :32:logon:k 0 8:16 4096"},
    {"itself", 0, 2048, "linear", "253:12 0"},
};

int xenfork__sys_dm_lines(xenfork_ctx *c, const char *name,
                          void (*each)(void *opaque, uint64_t start,
                                       const struct xenfork__dm_table *line),
                          void *opaque)
{
    size_t i;

    (void)c;
    for (i = 0; i < ARRAY_SIZE(tables); i++)
        if (!strcmp(tables[i].name, name))
            each(opaque, tables[i].start,
                 &(struct xenfork__dm_table){.sectors = tables[i].sectors,
                                             .type = tables[i].type,
                                             .params = tables[i].params});
    return 0;
}

FILE *__real_fopen(const char *name, const char *how);
FILE *__wrap_fopen(const char *name, const char *how);

FILE *__wrap_fopen(const char *name, const char *how)
{
    size_t i;

    if (strncmp(name, SYS_BLOCK, strlen(SYS_BLOCK)) != 0)
        return __real_fopen(name, how);
    for (i = 0; i < ARRAY_SIZE(sysfs); i++)
        if (!strcmp(name + strlen(SYS_BLOCK), sysfs[i][0]))
            return fmemopen((void *)sysfs[i][1], strlen(sysfs[i][1]), "r");
    errno = ENOENT;
    return NULL;
}

/* The members of md by their names; nothing of other devices. */
DIR *__real_opendir(const char *name);
DIR *__wrap_opendir(const char *name);

DIR *__wrap_opendir(const char *name)
{
    if (!strcmp(name, SYS_BLOCK "9:0/slaves"))
        return __real_opendir(slaves);
    errno = ENOENT;
    return NULL;
}

bool xenfork__sys_writes(xenfork_ctx *c, uint32_t pid,
                         const struct xenfork__areas *areas)
{
    cleanup_areas struct xenfork__areas open = {0};

    return pid == PID && xenfork__sys_areas(c, &open_by_process, &open) == 0 &&
           xenfork__areas_meet(&open, areas);
}

static int look_at(char *disk_path, uint32_t domid)
{
    char vdev[] = "xvda";
    struct xenfork__disk disk = {.vdev = vdev, .path = disk_path};

    return xenfork__xen_disk_shared(&ctx, domid, &disk);
}

static int look(uint32_t domid)
{
    return look_at(path, domid);
}

static void assert_shared(bool is_shared)
{
    assert_int_equal(look(7), is_shared ? XENFORK_E_DISK : 0);
    if (is_shared)
        assert_non_null(strstr(ctx.error.text, "domain 9"));
}

/* By another path, that leads elsewhere by now. */
static void test_blkback(void **state)
{
    (void)state;
    device = "7:1";
    assert_shared(true);
    device = "fd:2";
    assert_shared(true);
    mode = "r";
    assert_shared(false);
    mode = "w";
    device = "fd:3";
    assert_shared(false);
    /* Its path leads to our file by now; it has another one. */
    params = path;
    assert_shared(false);
    own_device = device;
    assert_shared(true);
}

static void test_mode(void **state)
{
    (void)state;
    device = "7:1";
    assert_int_equal(look(OTHER), 0);
    mode = "w!";
    assert_int_equal(look(OTHER), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "w!"));
}

static void test_qemu(void **state)
{
    char text[96];

    (void)state;
    kind = "qdisk";
    snprintf(text, sizeof(text), "qcow2:%s", path);
    assert_shared(false);
    open_by_process = file;
    assert_shared(true);
    /* Its path leads to our file by now. */
    open_by_process.inode++;
    params = text;
    assert_shared(false);
    has_qemu = false;
    assert_shared(true);
}

static void test_tapdisk(void **state)
{
    (void)state;
    kind = "vbd3";
    socket_path = "/run/blktap-control/nbd77.0";
    assert_shared(false);
    open_by_process = file;
    assert_shared(true);
    socket_path = "/run/blktap-control/nbd78.0";
    assert_shared(false);
}

/* By the kernel's nbd: block-fork's name of a VHD is all there is. */
static void test_vhd(void **state)
{
    char text[96];

    (void)state;
    snprintf(text, sizeof(text), "vhd:%s", path);
    device = "2b:0";
    params = text;
    assert_shared(true);
}

static bool meets(const char *own, const char *others)
{
    char nowhere[] = "/nowhere";
    int rc;

    own_device = own;
    device = others;
    rc = look_at(nowhere, 7);
    device = own;
    own_device = others;
    assert_int_equal(look_at(nowhere, 7), rc); /* the other way round as well */
    return rc == XENFORK_E_DISK;
}

static void test_partitions(void **state)
{
    (void)state;
    assert_true(meets("8:10", "8:11")); /* sdb and sdb1 */
    assert_true(meets("8:11", "8:11"));
    assert_false(meets("8:11", "8:12")); /* sdb1 and sdb2 */
    assert_false(meets("8:11", "8:20"));
    device = "103:1"; /* of our file, by a loop device: 259:1 */
    own_device = NULL;
    assert_shared(true);
    device = "7:2";
    assert_shared(true);
    assert_false(meets("7:2", "7:4")); /* parts of one file */
    assert_true(meets("7:2", "103:1"));
}

static void test_volumes(void **state)
{
    (void)state;
    assert_true(meets("fd:1", "8:10"));  /* a volume and its disk */
    assert_true(meets("fd:1", "8:11"));  /* just where sdb1 is */
    assert_false(meets("fd:1", "8:12")); /* beside it */
    assert_false(meets("fd:1", "fd:3")); /* two volumes of a group */
    assert_true(meets("fd:3", "8:12"));  /* by its second line */
    assert_true(meets("fd:8", "8:12"));  /* stripes */
    assert_false(meets("fd:8", "fd:b")); /* and a volume after them */
    assert_true(meets("fd:8", "8:40"));
    assert_true(meets("fd:a", "8:12"));
    assert_false(meets("fd:9", "8:10")); /* a snapshot reads its origin */
    assert_true(meets("fd:9", "8:40"));
    assert_true(meets("fd:2", "7:1"));
    assert_false(meets("fd:c", "8:10")); /* has an end */
}

/* Many are in one pool; a second device they only read. */
static void test_thin(void **state)
{
    (void)state;
    assert_false(meets("fd:4", "fd:5"));
    assert_false(meets("fd:4", "8:20"));
    assert_true(meets("fd:4", "fd:4"));
    assert_true(meets("fd:4", "8:12"));
    assert_false(meets("fd:4", "8:11"));
    assert_true(meets("fd:5", "8:10"));
}

static void test_paths(void **state)
{
    (void)state;
    assert_true(meets("8:20", "8:30")); /* one disk, two paths */
    assert_false(meets("8:20", "8:40"));
    assert_true(meets("fd:7", "8:30"));
    assert_true(meets("9:0", "8:10")); /* md */
    assert_true(meets("9:0", "8:40"));
    assert_false(meets("9:0", "8:12"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_blkback), TEST(test_mode), TEST(test_qemu),
        TEST(test_tapdisk), TEST(test_vhd),  TEST(test_partitions),
        TEST(test_volumes), TEST(test_thin), TEST(test_paths)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
