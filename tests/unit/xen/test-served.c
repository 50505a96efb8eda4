/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/served.c, xen/emulated.c, host/served.c, on a stub of xenstore: what is
 * served, and what the path of it leads to by now.  This process stands for
 * QEMU.
 */
#include "config.h"

#include "xen/handles.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/thin/thin.h"
#include "host/dm.h"
#include "host/host.h"
#include "xen/xen.h"

#define QDISK "/local/domain/0/backend/qdisk/7/51712"
#define OTHER "/local/domain/0/backend/qdisk/7/51728"
#define VBD   "/local/domain/0/backend/vbd/7/51712"

static xenfork_ctx ctx;
static char dir[64], path[96], other[96];
static int served = -1;
static const char *backend, *script, *device, *user;
static uint32_t pid;
static bool has_emulator;
static uint64_t behind; /* 0: no device */
static const char *mode, *other_mode; /* of a second disk of QEMU's */
static const char *node_has;          /* the file that xvda's node has open */
static uint32_t grows;                /* so many times while it is looked at */

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
    script = device = user = other_mode = NULL;
    mode = "w";
    node_has = path;
    grows = 0;
    behind = 0;
    has_emulator = false;
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
    const char *name = strrchr(fmt, '/'), *of;
    va_list ap;

    (void)c;
    (void)t;
    va_start(ap, fmt);
    of = va_arg(ap, const char *);
    va_end(ap);
    if (!strcmp(name, "/mode"))
        return answer(strcmp(of, OTHER) ? mode : other_mode);
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
    static const char *const ids[] = {"51712", "51728"};
    char **list = malloc(sizeof(ids));

    (void)c;
    if (!list)
        abort();
    memcpy(list, ids, sizeof(ids));
    *count_out = strcmp(fmt, "%.*s") ? 1 : 2;
    return list;
}

int xenfork__xs_u32(xenfork_ctx *c, uint32_t *value_out, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    *value_out = pid;
    return pid ? 1 : 0;
}

bool xenfork__xen_has_emulator(xenfork_ctx *c, uint32_t domid)
{
    (void)c;
    assert_int_equal(domid, 7);
    return has_emulator;
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

static void write_to(const char *name)
{
    static const char block[8192] = "block";
    int fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    close(fd);
}

int xenfork__sys_qemu_allocated(xenfork_ctx *c, uint32_t domid,
                                const char *vdev, uint64_t *bytes_out)
{
    struct stat st;

    assert_int_equal(domid, 7);
    assert_string_equal(vdev, "xvda");
    if (!node_has)
        return xenfork__miss(c, XENFORK_E_NOTFOUND, "no such node");
    assert_int_equal(stat(node_has, &st), 0);
    *bytes_out = (uint64_t)st.st_blocks * 512;
    if (grows) {
        grows--;
        write_to(node_has);
    }
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

/* A file that is only read may be what another is backed by. */
static void test_qemu_reads(void **state)
{
    cleanup_close int reader = open(other, O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(reader >= 0);
    assert_int_equal(look("xvda", other), XENFORK_E_DISK);
    mode = "r";
    assert_int_equal(look("xvda", other), 0);
}

/* A file that is written may be another disk's. */
static void test_qemu_other_disk(void **state)
{
    cleanup_close int writer = open(other, O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(writer >= 0);
    write_to(path);
    other_mode = "w";
    assert_int_equal(look("xvda", path), 0);
    assert_int_equal(look("xvda", other), XENFORK_E_DISK);
    assert_true(ctx.error.remedy[0]);
    grows = 1;
    assert_int_equal(look("xvda", path), 0);
    assert_int_equal(grows, 0);
    other_mode = "r";
    assert_int_equal(look("xvda", path), 0);
    /* An HVM domain's emulated disk has another name. */
    other_mode = "w";
    node_has = NULL;
    assert_int_equal(look("xvda", path), 0);
}

/* An HVM domain's emulated disk may have what the PV disk has not. */
static void test_qemu_emulated_file(void **state)
{
    cleanup_close int writer = open(other, O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(writer >= 0);
    write_to(path);
    assert_int_equal(look("xvda", other), 0);
    has_emulator = true;
    assert_int_equal(look("xvda", other), XENFORK_E_DISK);
    assert_int_equal(look("xvda", path), 0);
}

static bool is_emulated(void)
{
    bool is = false;

    assert_int_equal(xenfork__xen_disk_is_emulated(&ctx, 7, path, &is), 0);
    return is;
}

/* By whatever name, and in whatever mode, it is open once more. */
static void test_emulated(void **state)
{
    cleanup_close int another = open(other, O_RDWR | O_CLOEXEC);
    char link[128];
    int second = open(path, O_RDONLY | O_CLOEXEC);
    bool is;

    (void)state;
    assert_false(is_emulated());
    has_emulator = true;
    assert_true(is_emulated());
    close(second);
    assert_false(is_emulated());
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("disk", link), 0);
    second = open(link, O_RDWR | O_CLOEXEC);
    assert_int_equal(unlink(link), 0);
    assert_true(is_emulated());
    close(second);
    assert_false(is_emulated());
    pid = 0;
    assert_int_equal(xenfork__xen_disk_is_emulated(&ctx, 7, path, &is),
                     XENFORK_E_XEN);
    pid = (uint32_t)getpid();
    assert_int_equal(xenfork__xen_disk_is_emulated(&ctx, 7, "/absent", &is),
                     XENFORK_E_DISK);
    assert_true(another >= 0);
}

/* Start a process that has our files open. */
static pid_t start_child(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (!child) {
        pause();
        _exit(0);
    }
    return child;
}

/* Two disks that take as much space: by a link that was not there before. */
static void test_qemu_twins(void **state)
{
    const struct timespec tick = {.tv_nsec = 50000000};
    cleanup_close int writer = open(other, O_RDWR | O_CLOEXEC);
    char link[128];
    pid_t child;

    (void)state;
    assert_true(writer >= 0);
    other_mode = "w";
    assert_int_equal(look("xvda", path), 0);
    snprintf(link, sizeof(link), "%s/link", dir);
    assert_int_equal(symlink("disk", link), 0);
    assert_int_equal(look("xvda", link), XENFORK_E_DISK);
    nanosleep(&tick, NULL);
    child = start_child();
    pid = (uint32_t)child;
    assert_int_equal(look("xvda", link), 0);
    /* The space tells them apart. */
    pid = (uint32_t)getpid();
    write_to(path);
    assert_int_equal(look("xvda", link), 0);
    unlink(link);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
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
    assert_true(xenfork__sys_has_open(pid, &what, false));
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
    const struct CMUnitTest tests[] = {TEST(test_qemu),
                                       TEST(test_qemu_reads),
                                       TEST(test_qemu_other_disk),
                                       TEST(test_qemu_twins),
                                       TEST(test_qemu_emulated_file),
                                       TEST(test_emulated),
                                       TEST(test_replaced),
                                       TEST(test_none),
                                       TEST(test_blkback),
                                       TEST(test_behind),
                                       TEST(test_behind_vhd),
                                       TEST(test_writes),
                                       TEST(test_writer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
