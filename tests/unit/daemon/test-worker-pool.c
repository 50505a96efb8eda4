/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker-pool.c: so many processes of a kind, each with its end. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/worker-pool.h"

static struct workers workers;
static uint32_t spawned;
static pid_t spawn_error;

/* Numbers that no process has. */
static pid_t spawn(void *opaque, int kind, const char *target)
{
    assert_ptr_equal(opaque, &spawned);
    assert_in_range(kind, 0, WORKER_KINDS - 1);
    assert_non_null(target);
    if (spawn_error)
        return spawn_error;
    return (pid_t)(0x40000000U + ++spawned);
}

static pid_t spawn_sleeper(void *opaque, int kind, const char *target)
{
    pid_t pid = fork();

    (void)opaque;
    (void)kind;
    (void)target;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    return pid;
}

static int setup(void **state)
{
    int kind;

    (void)state;
    spawned = 0;
    spawn_error = 0;
    assert_true(workers_init(&workers, spawn, &spawned));
    for (kind = 0; kind < WORKER_KINDS; kind++)
        workers_limit(&workers, kind, 2, 1000);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    workers_free(&workers);
    return 0;
}

static int start(int kind, const char *target)
{
    return workers_start(&workers, kind, target, 100);
}

static void test_names(void **state)
{
    int kind, parsed = 77;

    (void)state;
    for (kind = 0; kind < WORKER_KINDS; kind++) {
        assert_true(worker_kind_parse(worker_kind_name(kind), &parsed));
        assert_int_equal(parsed, kind);
    }
    assert_false(worker_kind_parse("", &parsed));
    assert_false(worker_kind_parse("freeze ", &parsed));
    assert_int_equal(parsed, kind - 1);
}

static void test_limits(void **state)
{
    struct worker worker;

    (void)state;
    assert_int_equal(start(WORKER_FREEZE, "1"), 0);
    assert_true(workers_has_room(&workers, WORKER_FREEZE));
    assert_int_equal(start(WORKER_FREEZE, "2"), 0);
    assert_false(workers_has_room(&workers, WORKER_FREEZE));
    assert_int_equal(start(WORKER_FREEZE, "3"), -EAGAIN);
    assert_int_equal(spawned, 2);
    assert_int_equal(start(WORKER_POLICY, "1"), 0);
    assert_int_equal(workers_count(&workers, WORKER_FREEZE), 2);
    assert_int_equal(workers_total(&workers), 3);
    assert_true(workers_is_at(&workers, WORKER_FREEZE, "2"));
    assert_false(workers_is_at(&workers, WORKER_POLICY, "2"));
    assert_true(workers_ended(&workers, 0x40000002, &worker));
    assert_int_equal(worker.kind, WORKER_FREEZE);
    assert_string_equal(worker.target, "2");
    assert_int_equal(worker.started_ms, 100);
    assert_false(workers_is_at(&workers, WORKER_FREEZE, "2"));
    assert_int_equal(start(WORKER_FREEZE, "3"), 0);
    /* A limit that came down while they run. */
    workers_limit(&workers, WORKER_FREEZE, 0, 1000);
    assert_false(workers_has_room(&workers, WORKER_FREEZE));
    assert_true(workers_ended(&workers, 0x40000001, &worker));
    assert_int_equal(start(WORKER_FREEZE, "4"), -EAGAIN);
}

/* All limits at their highest: for each there is a place. */
static void test_all_limits(void **state)
{
    static const uint32_t limits[WORKER_KINDS] = {64, 64, 64, 32, 1, 4, 32};
    uint32_t n, total = 0;
    int kind;

    (void)state;
    for (kind = 0; kind < WORKER_KINDS; kind++)
        workers_limit(&workers, kind, limits[kind], 1000);
    for (kind = 0; kind < WORKER_KINDS; kind++)
        for (n = 0; n < limits[kind]; n++) {
            assert_int_equal(start(kind, "1"), 0);
            total++;
        }
    assert_int_equal(workers_total(&workers), total);
    assert_int_equal(start(WORKER_RECOVER, "1"), -EAGAIN);
    /* Another limit is raised while they run under one that came down. */
    workers_limit(&workers, WORKER_FREEZE, 1, 1000);
    workers_limit(&workers, WORKER_RECOVER, 60, 1000);
    for (n = 1; n < 60; n++)
        assert_int_equal(start(WORKER_RECOVER, "1"), 0);
}

static void test_strangers(void **state)
{
    struct worker worker = {.kind = 77};

    (void)state;
    assert_int_equal(start(WORKER_FREEZE, "1"), 0);
    assert_false(workers_ended(&workers, 0x40000002, &worker));
    assert_int_equal(worker.kind, 77);
    assert_true(workers_ended(&workers, 0x40000001, &worker));
    assert_false(workers_ended(&workers, 0x40000001, &worker));
}

static void test_no_process(void **state)
{
    (void)state;
    spawn_error = -ENOMEM;
    assert_int_equal(start(WORKER_FREEZE, "1"), -ENOMEM);
    assert_int_equal(workers_total(&workers), 0);
    assert_true(workers_wake_ms(&workers) == UINT64_MAX);
}

static void test_expire(void **state)
{
    struct worker worker;
    pid_t pid;
    int status;

    (void)state;
    workers.spawn = spawn_sleeper;
    assert_int_equal(start(WORKER_FREEZE, "1"), 0);
    pid = workers.all[0].pid;
    assert_int_equal(workers_wake_ms(&workers), 1100);
    workers_expire(&workers, 1099);
    assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
    workers_expire(&workers, 1100);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    /* Killed once, and on the list until it has ended. */
    assert_true(workers_wake_ms(&workers) == UINT64_MAX);
    assert_int_equal(workers_total(&workers), 1);
    assert_true(workers_ended(&workers, pid, &worker));
    assert_true(worker.is_killed);
}

static void test_no_end(void **state)
{
    struct worker worker;

    (void)state;
    workers.spawn = spawn_sleeper;
    workers_limit(&workers, WORKER_HYDRATE, 1, WORKER_NO_END);
    assert_int_equal(start(WORKER_HYDRATE, "1"), 0);
    assert_true(workers_wake_ms(&workers) == UINT64_MAX);
    workers_expire(&workers, UINT64_MAX);
    worker = workers.all[0];
    assert_int_equal(waitpid(worker.pid, NULL, WNOHANG), 0);
    assert_false(worker.is_killed);
    kill(worker.pid, SIGKILL);
    assert_int_equal(waitpid(worker.pid, NULL, 0), worker.pid);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names),     TEST(test_limits),     TEST(test_all_limits),
        TEST(test_strangers), TEST(test_no_process), TEST(test_expire),
        TEST(test_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
