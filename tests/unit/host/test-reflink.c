/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host/reflink.c on a real file system: that of the folder XENFORK_TEST_REFLINK,
 * XFS or btrfs.  Without one only what is refused is tried.
 */
#include "config.h"

#include "base/internal.h"
#include "host/host.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static xenfork_ctx ctx;
static char dir[128], file[160], other[160], copy[160];

static int setup(void **state)
{
    const char *base = getenv("XENFORK_TEST_REFLINK");

    (void)state;
    snprintf(dir, sizeof(dir), "%.80s/xenfork-reflink-XXXXXX",
             base ? base : "/dev/shm");
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof(file), "%s/file", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    snprintf(copy, sizeof(copy), "%s/copy", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    unlink(other);
    unlink(copy);
    return rmdir(dir);
}

/* False: the file system has no such flag. */
static bool set_flag(const char *path, int flag, bool is_set)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    int flags = 0;

    assert_true(fd >= 0);
    if (ioctl(fd, FS_IOC_GETFLAGS, &flags))
        return false;
    flags = is_set ? flags | flag : flags & ~flag;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

static int get_flags(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    int flags = 0;

    assert_int_equal(ioctl(fd, FS_IOC_GETFLAGS, &flags), 0);
    return flags;
}

/* On XFS they have no such flag. */
static void make(const char *path, size_t bytes, bool has_no_sums)
{
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                                0640);
    cleanup_free char *data = malloc(bytes);

    assert_true(fd >= 0 && data);
    if (has_no_sums)
        set_flag(path, FS_NOCOW_FL, true);
    memset(data, 'x', bytes);
    assert_int_equal(write(fd, data, bytes), bytes);
    assert_int_equal(fsync(fd), 0);
}

static void assert_can(const char *path)
{
    bool is_full = false;
    int rc = xenfork__sys_can_reflink(&ctx, path, &is_full);

    if (rc)
        print_error("%s\n", ctx.error.text);
    assert_int_equal(rc, 0);
}

static void assert_copied(size_t bytes)
{
    struct stat st;

    assert_int_equal(xenfork__sys_reflink(&ctx, file, copy, true), 0);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_size, bytes);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal((get_flags(copy) ^ get_flags(file)) & FS_NOCOW_FL, 0);
}

static void test_plain(void **state)
{
    (void)state;
    make(file, 100000, false);
    assert_can(file);
    assert_copied(100000);
}

/* Its end is within its first block. */
static void test_short(void **state)
{
    (void)state;
    make(file, 100, false);
    assert_can(file);
    assert_copied(100);
}

static void test_no_sums(void **state)
{
    (void)state;
    make(file, 100000, true);
    assert_can(file);
    assert_copied(100000);
}

static void test_folder_without_sums(void **state)
{
    (void)state;
    make(file, 100000, false);
    set_flag(dir, FS_NOCOW_FL, true);
    assert_can(file);
    assert_copied(100000);
}

/* By a link that leads to another file system. */
static void test_link(void **state)
{
    char link[64];

    (void)state;
    make(file, 100000, false);
    snprintf(link, sizeof(link), "/dev/shm/xenfork-link-%d", (int)getpid());
    assert_int_equal(symlink(file, link), 0);
    assert_can(link);
    unlink(link);
}

/* tmpfs has none, and no FIEMAP. */
static void test_none(void **state)
{
    uint64_t extents = 7, allocated = 0, own = 0;
    bool is_full = false;

    (void)state;
    make(file, 100000, false);
    assert_int_equal(xenfork__sys_can_reflink(&ctx, file, &is_full),
                     XENFORK_E_DISK);
    assert_true(ctx.error.remedy[0]);
    assert_false(is_full);
    assert_int_equal(xenfork__sys_can_reflink(&ctx, other, &is_full),
                     XENFORK_E_DISK);
    assert_int_equal(xenfork__sys_extents(&ctx, file, &extents), 0);
    assert_int_equal(extents, 0);
    assert_int_equal(xenfork__sys_file_usage(&ctx, file, &allocated, &own), 0);
    assert_true(allocated >= 97);
    assert_true(own == XENFORK_NOT_KNOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest with[] = {
        TEST(test_plain),   TEST(test_short),
        TEST(test_no_sums), TEST(test_folder_without_sums),
        TEST(test_link),
    };
    const struct CMUnitTest without[] = {TEST(test_none)};

    return getenv("XENFORK_TEST_REFLINK")
               ? cmocka_run_group_tests(with, NULL, NULL)
               : cmocka_run_group_tests(without, NULL, NULL);
}
