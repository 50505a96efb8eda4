/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state/folder.c: folders in which others can change our files. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "state/folder.h"

static xenfork_ctx ctx;
static char dir[] = "/tmp/xenfork-folder-XXXXXX";

static int teardown(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void test_mode(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(xenfork__folder_check(&ctx, dir), 0);
    assert_int_equal(chmod(dir, 0770), 0);
    assert_int_equal(xenfork__folder_check(&ctx, dir), 0);
    assert_int_equal(chmod(dir, 0707), 0);
    assert_int_equal(xenfork__folder_check(&ctx, dir), XENFORK_E_DISK);
    assert_int_equal(chmod(dir, 0700), 0);
}

/* user::rwx user:1:rwx group::r-x mask::rwx other::---, as Linux keeps it */
static void test_acl(void **state)
{
    static const uint8_t acl[] = {
        2,    0, 0, 0,                     /* version */
        1,    0, 7, 0, 255, 255, 255, 255, /* its owner */
        2,    0, 7, 0, 1,   0,   0,   0,   /* a user */
        4,    0, 5, 0, 255, 255, 255, 255, /* its group */
        0x10, 0, 7, 0, 255, 255, 255, 255, /* mask */
        0x20, 0, 0, 0, 255, 255, 255, 255, /* others */
    };

    (void)state;
    if (setxattr(dir, "system.posix_acl_access", acl, sizeof(acl), 0)) {
        print_message("no access control lists in /tmp\n");
        skip();
    }
    assert_int_equal(xenfork__folder_check(&ctx, dir), XENFORK_E_DISK);
    assert_int_equal(removexattr(dir, "system.posix_acl_access"), 0);
    assert_int_equal(chmod(dir, 0700), 0);
    assert_int_equal(xenfork__folder_check(&ctx, dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mode),
        cmocka_unit_test(test_acl),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
