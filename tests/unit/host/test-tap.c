/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/tap.c, tap-record.c: no process is taken for a tapdisk because its number recurs. */
#include "config.h"

#include "host/tap.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

static xenfork_ctx ctx;
static pid_t child;

/* A process called tapdisk, whose name makes its line hard to read. */
static int setup(void **state)
{
    int ends[2];
    char c;

    (void)state;
    if (pipe(ends))
        return -1;
    child = fork();
    if (child == 0) {
        prctl(PR_SET_NAME, "tapdisk");
        if (write(ends[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    close(ends[1]);
    c = read(ends[0], &c, 1) == 1 ? 0 : 1;
    close(ends[0]);
    return child < 0 || c ? -1 : 0;
}

static int teardown(void **state)
{
    (void)state;
    kill(child, SIGKILL);
    return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static void test_started(void **state)
{
    uint64_t own = xenfork__sys_process_started((unsigned int)getpid());
    uint64_t its = xenfork__sys_process_started((unsigned int)child);

    (void)state;
    assert_true(own);
    assert_true(its >= own);
    prctl(PR_SET_NAME, "a) S 1 2 (3");
    assert_true(xenfork__sys_process_started((unsigned int)getpid()) == own);
    assert_true(xenfork__sys_process_started(0) == 0);
}

static void test_alive(void **state)
{
    struct xenfork__tapdisk tapdisk = {.pid = (unsigned int)child};

    (void)state;
    assert_true(xenfork__sys_tap_is_alive(&tapdisk));
    tapdisk.started = xenfork__sys_process_started(tapdisk.pid);
    assert_true(xenfork__sys_tap_is_alive(&tapdisk));
    tapdisk.started--;
    assert_false(xenfork__sys_tap_is_alive(&tapdisk));
}

/* The record is of one that is gone; who has its number is left alone. */
static void test_not_killed(void **state)
{
    char file[] = "/tmp/xenfork-unit-XXXXXX";
    struct xenfork__tap tap = {
        .file = file,
        .fd = -1,
        .tapdisk = {.minor = -1, .pid = (unsigned int)child, .started = 1}};

    (void)state;
    assert_true(close(mkstemp(file)) == 0);
    assert_int_equal(xenfork__tap_remove(&ctx, &tap), 0);
    assert_int_equal(kill(child, 0), 0);
    assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
    assert_int_equal(access(file, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_started),
        TEST(test_alive),
        TEST(test_not_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
