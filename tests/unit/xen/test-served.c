/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/served.c, host/served.c, on a stub of xenstore: what is served, and what
 * the path of it leads to by now.  This process stands for QEMU.
 */
#include "config.h"

#include "xen/handles.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/thin/thin.h"
#include "host/dm.h"
#include "host/host.h"
#include "xen/xen.h"

#define QDISK "/local/domain/0/backend/qdisk/7/51712"
#define VBD   "/local/domain/0/backend/vbd/7/51712"

static xenfork_ctx ctx;
static char dir[64], path[96], other[96];
static int served = -1;
static const char *backend, *script, *device, *user;
static uint32_t pid;
static uint64_t behind; /* 0: no device */

static void make(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/xenfork-served-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/disk", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    make(path);
    make(other);
    served = open(path, O_RDWR | O_CLOEXEC);
    backend = QDISK;
    script = device = user = NULL;
    behind = 0;
    pid = (uint32_t)getpid();
    return served < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(served);
    unlink(path);
    unlink(other);
    return rmdir(dir);
}

/* Stubs. */

static char *answer(const char *text)
{
    errno = ENOENT;
    return text ? strdup(text) : NULL;
}

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    const char *name = strrchr(fmt, '/');

    (void)c;
    (void)t;
    if (!strcmp(name, "/dev"))
        return answer("xvda");
    if (!strcmp(name, "/backend"))
        return answer(backend);
    if (!strcmp(name, "/script"))
        return answer(script);
    return answer(!strcmp(name, "/physical-device") ? device : NULL);
}

char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    static const char id[] = "51712";
    char **list = malloc(sizeof(char *) + sizeof(id));

    (void)c;
    (void)fmt;
    if (!list)
        abort();
    list[0] = (char *)(list + 1);
    memcpy(list[0], id, sizeof(id));
    *count_out = 1;
    return list;
}

int xenfork__xs_u32(xenfork_ctx *c, uint32_t *value_out, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    *value_out = pid;
    return pid ? 1 : 0;
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

int xenfork__sys_disk_identity(xenfork_ctx *c, const char *name,
                               struct xenfork__disk_identity *out)
{
    struct stat st;

    if (stat(name, &st))
        return xenfork__miss(c, XENFORK_E_DISK, "no %s", name);
    *out = (struct xenfork__disk_identity){
        .is_device = S_ISBLK(st.st_mode),
        .device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev,
        .inode = S_ISBLK(st.st_mode) ? 0 : st.st_ino};
    return 0;
}

int xenfork__thin_number(xenfork_ctx *c, const char *name, uint64_t *out)
{
    (void)c;
    (void)name;
    *out = behind;
    return 0;
}

int xenfork__sys_tap_user(xenfork_ctx *c, const char *name, char **out)
{
    assert_string_equal(name, "/srv/web.vhd");
    if (!user)
        return xenfork__miss(c, XENFORK_E_NOTFOUND, "no tapdisk");
    *out = strdup(user);
    return 0;
}

int xenfork__sys_dm_lines(xenfork_ctx *c, const char *name,
                          void (*each)(void *opaque, uint64_t start,
                                       const struct xenfork__dm_table *line),
                          void *opaque)
{
    (void)name;
    (void)each;
    (void)opaque;
    return xenfork__miss(c, XENFORK_E_DISK, "no such device");
}

static int look(const char *vdev, const char *at)
{
    return xenfork__xen_disk_served(&ctx, 7, vdev, at, xenfork__thin_number);
}

static void refused(void)
{
    assert_int_equal(look("xvda", path), XENFORK_E_DISK);
    assert_true(ctx.error.remedy[0]);
}

/* By another name it is the same file. */
static void test_qemu(void **state)
{
    char link[128];

    (void)state;
    assert_int_equal(look("xvda", path), 0);
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("disk", link), 0);
    assert_int_equal(look("xvda", link), 0);
    unlink(link);
    assert_int_equal(symlink("other", link), 0);
    assert_int_equal(look("xvda", link), XENFORK_E_DISK);
    unlink(link);
    pid = 0;
    refused();
}

static void test_replaced(void **state)
{
    (void)state;
    assert_int_equal(rename(other, path), 0);
    refused();
    assert_int_equal(unlink(path), 0);
    refused();
    make(path);
    refused();
}

static void test_none(void **state)
{
    (void)state;
    assert_int_equal(look("xvdb", path), XENFORK_E_DISK);
    backend = "/local/domain/3/backend/vbd/7/51712";
    assert_int_equal(look("xvda", path), 0);
}

/* blkback: of a file it has to be a loop device's. */
static void test_blkback(void **state)
{
    (void)state;
    backend = VBD;
    refused();
    device = "7:3fff";
    refused();
    device = "nonsense";
    refused();
    script = "/etc/xen/scripts/block";
    refused();
    script = "/etc/xen/scripts/block-other";
    assert_int_equal(look("xvda", path), 0);
}

/* block-fork: the device that the path's disk is behind, and no other's. */
static void test_behind(void **state)
{
    (void)state;
    backend = VBD;
    script = "/etc/xen/scripts/block-fork";
    refused();
    device = "fd:2";
    refused();
    behind = makedev(0xfd, 2);
    assert_int_equal(look("xvda", path), 0);
    device = "fd:3";
    refused();
}

/* Behind it is the tapdisk that is for this disk, and no other's. */
static void test_behind_vhd(void **state)
{
    static const char vhd[] = "vhd:/srv/web.vhd";

    (void)state;
    backend = VBD;
    script = "/etc/xen/scripts/block-fork";
    assert_int_equal(look("xvda", vhd), XENFORK_E_DISK);
    user = "backend/vbd/8/51712";
    assert_int_equal(look("xvda", vhd), XENFORK_E_DISK);
    assert_true(ctx.error.remedy[0]);
    user = "backend/vbd/7/51728";
    assert_int_equal(look("xvda", vhd), XENFORK_E_DISK);
    user = "backend/vbd/7/51712";
    assert_int_equal(look("xvda", vhd), 0);
    backend = "/local/domain/0/backend/vbd3/7/51712";
    assert_int_equal(look("xvda", vhd), XENFORK_E_DISK);
    script = "/etc/xen/scripts/block-tap";
    assert_int_equal(look("xvda", vhd), 0);
}

static bool writes(const char *name)
{
    cleanup_areas struct xenfork__areas areas = {0};
    struct xenfork__disk_identity what;

    assert_int_equal(xenfork__sys_disk_identity(&ctx, name, &what), 0);
    assert_int_equal(xenfork__sys_areas(&ctx, &what, &areas), 0);
    return xenfork__sys_writes(&ctx, pid, &areas);
}

/* Writers are told from readers. */
static void test_writes(void **state)
{
    struct xenfork__disk_identity what;
    int fd = open(other, O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_true(writes(path));
    assert_int_equal(xenfork__sys_disk_identity(&ctx, other, &what), 0);
    assert_true(xenfork__sys_has_open(pid, &what));
    assert_false(writes(other));
    close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* A program that has it open for writing is found; a reader does no harm. */
static void test_writer(void **state)
{
    char name[XENFORK__WRITER] = "", wanted[32];
    cleanup_close int reader = open(path, O_RDONLY | O_CLOEXEC);

    (void)state;
    snprintf(wanted, sizeof(wanted), "(process %u)", pid);
    assert_true(xenfork__sys_writer(&ctx, path, name));
    assert_non_null(strstr(name, wanted));
    assert_false(xenfork__sys_writer(&ctx, other, name));
    close(served);
    served = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_true(xenfork__sys_writer(&ctx, path, name));
    close(served);
    served = -1;
    assert_false(xenfork__sys_writer(&ctx, path, name));
    assert_false(xenfork__sys_writer(&ctx, "/nowhere/at/all", name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_qemu),   TEST(test_replaced),
                                       TEST(test_none),   TEST(test_blkback),
                                       TEST(test_behind), TEST(test_behind_vhd),
                                       TEST(test_writes), TEST(test_writer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
