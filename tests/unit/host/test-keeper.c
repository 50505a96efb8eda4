/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host/keeper.c starts keeper/main.c: the program, on a fake host, in the
 * folder that tests/Makemodule.am says.
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "host/run.h"
#include "state/journal-private.h"
#include "state/lock.h"

#define WAIT_S 20

static char dir[] = "/tmp/xenfork-keeper-XXXXXX";
static xenfork_ctx ctx;
static struct xenfork__journal *journal;
static char id[64], lock_name[80], path[128];
static int fd;

static int setup(void **state)
{
    (void)state;
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    ctx = (xenfork_ctx){.state_dir = dir, .guard_fd = -1};
    assert_int_equal(xenfork__journal_begin(&ctx, &journal), 0);
    assert_int_equal(xenfork__journal_chosen(&ctx, journal), 0);
    snprintf(id, sizeof(id), "%s", xenfork__journal_id(journal));
    snprintf(lock_name, sizeof(lock_name), "hydrate-%s", id);
    snprintf(path, sizeof(path), "%s/journals/%s", dir, id);
    fd = -1;
    return setenv("TMPDIR", dir, 1);
}

static int teardown(void **state)
{
    static const char *const remove[] = {"rm", "-rf", dir, NULL};

    (void)state;
    return xenfork__sys_run(&ctx, XENFORK_E_DISK, remove, NULL);
}

/* Tell whether the keeper lives: it holds the lock that only it takes. */
static bool is_kept(void)
{
    struct xenfork__lock *lock = NULL;

    if (xenfork__lock_take(&ctx, lock_name, false, &lock) == XENFORK_E_BUSY)
        return true;
    xenfork__lock_drop(lock);
    return false;
}

/* Wait for all keepers, which are ours to reap; so many end with an error. */
static void assert_end(int failed)
{
    int status;

    alarm(WAIT_S);
    while (wait(&status) > 0)
        failed -= status != 0;
    alarm(0);
    assert_int_equal(failed, 0);
    assert_false(is_kept());
}

static void commit(void)
{
    assert_int_equal(xenfork__journal_commit(&ctx, journal), 0);
    assert_int_equal(write(fd, "c", 1), 1);
    close(fd);
}

/* It waits for our word, and has the journal that we named. */
static void test_committed(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_keeper(&ctx, id, &fd), 0);
    assert_true(fd > STDERR_FILENO);
    assert_true(ctx.keeper != 0);
    assert_true(is_kept());
    assert_int_equal(access(path, F_OK), 0);
    commit();
    assert_end(0);
}

/* We are gone without a word: it rolls the journal back. */
static void test_lost(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_keeper(&ctx, id, &fd), 0);
    xenfork__journal_free(&ctx, journal);
    assert_int_equal(access(path, F_OK), 0);
    close(fd);
    assert_end(0);
    assert_int_equal(access(path, F_OK), -1);
}

/* Its pipes do not fall onto the standard descriptors, which are closed. */
static void test_without_standard(void **state)
{
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 10);
    int rc;

    (void)state;
    fflush(stdout);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    rc = xenfork__sys_keeper(&ctx, id, &fd);
    if (in >= 0)
        dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    close(in);
    close(out);
    assert_int_equal(rc, 0);
    commit();
    assert_end(0);
}

/* One keeper for a fork: a second one ends before it is ready. */
static void test_second(void **state)
{
    int other = -1;

    (void)state;
    assert_int_equal(xenfork__sys_keeper(&ctx, id, &fd), 0);
    assert_int_equal(xenfork__sys_keeper(&ctx, id, &other), XENFORK_E_IO);
    assert_non_null(strstr(ctx.error.text, "cannot start"));
    assert_int_equal(other, -1);
    commit();
    assert_end(1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_committed),
        TEST(test_lost),
        TEST(test_without_standard),
        TEST(test_second),
    };

    if (prctl(PR_SET_CHILD_SUBREAPER, 1))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
