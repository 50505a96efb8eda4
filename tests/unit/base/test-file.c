/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/test-file-XXXXXX";

/* In a folder that has the files a and b, and a's second name c. */
static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) && !chdir(dir) && !close(creat("a", 0640)) &&
                   !close(creat("b", 0600)) && !link("a", "c")
               ? 0
               : -1;
}

static int teardown(void **state)
{
    (void)state;
    return unlink("a") || unlink("b") || unlink("c") || chdir("/") || rmdir(dir)
               ? -1
               : 0;
}

static void test_sync(void **state)
{
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/a", dir);
    assert_int_equal(xenfork__sync_file(path), 0);
    assert_int_equal(xenfork__sync_parent(path), 0);
    assert_int_equal(xenfork__sync_parent("a"), 0);
    assert_int_equal(xenfork__sync_parent("/a"), 0);
    /* The folder counts, not the file: its name may have been removed. */
    assert_int_equal(xenfork__sync_parent("./none"), 0);
    errno = 0;
    assert_int_equal(xenfork__sync_file("none"), -1);
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_int_equal(xenfork__sync_parent("none/a"), -1);
    assert_int_equal(errno, ENOENT);
    errno = 0;
    assert_int_equal(xenfork__sync_parent("a/x"), -1);
    assert_int_equal(errno, ENOTDIR);
}

static void test_owner(void **state)
{
    struct stat st;
    int fd = open("b", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(chmod("a", 0044), 0);
    assert_int_equal(xenfork__take_owner(fd, "a"), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    /* Nothing but the nine bits: no set-UID file comes of it. */
    assert_int_equal(chmod("a", 06751), 0);
    assert_int_equal(xenfork__take_owner(fd, "a"), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0751);
    assert_int_equal(xenfork__take_owner(fd, "none"), -1);
    close(fd);
}

static void test_same(void **state)
{
    int fd = open("a", O_RDONLY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_true(xenfork__is_same_file("a", "./c"));
    assert_false(xenfork__is_same_file("a", "b"));
    assert_false(xenfork__is_same_file("a", "none"));
    assert_false(xenfork__is_same_file("none", "none"));
    assert_true(xenfork__is_open_at(fd, "a"));
    assert_true(xenfork__is_open_at(fd, "c"));
    assert_false(xenfork__is_open_at(fd, "b"));
    assert_false(xenfork__is_open_at(fd, "none"));
    close(fd);
    assert_false(xenfork__is_open_at(fd, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sync),
        cmocka_unit_test(test_owner),
        cmocka_unit_test(test_same),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
