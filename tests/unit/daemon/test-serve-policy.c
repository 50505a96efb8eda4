/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* serve.c: domains that shut down, and what others have left to do. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/restart.h"
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "../lib/serving.h"
#include "state/files.h"
#include "state/record.h"
#include "state/restart.h"

#define BUSY (3 << 8) /* exit status 3 */

static void test_policy(void **state)
{
    (void)state;
    start_up();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    s.now_ms += 100;
    turn();
    assert_int_equal(started(WORKER_POLICY, text_of(s.a)), 1);
    assert_int_equal(started(WORKER_POLICY, NULL), 1);
    end(WORKER_POLICY, 0);
    fake_host->has_domain_event = true;
    sleep_until(s.now_ms + 100000);
    assert_int_equal(started(WORKER_POLICY, NULL), 1);
    /* Somebody else has begun it anew, and it ends again. */
    fake_domain(s.a)->is_shutdown = false;
    fake_host->has_domain_event = true;
    turn();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    turn();
    assert_int_equal(started(WORKER_POLICY, NULL), 2);
}

/* Again, but less and less often. */
static void test_policy_fails(void **state)
{
    uint64_t begun;

    (void)state;
    start_up();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    s.now_ms += 100;
    turn();
    end(WORKER_POLICY, FAILED);
    sleep_until(s.now_ms + 59999);
    assert_int_equal(started(WORKER_POLICY, NULL), 1);
    sleep_until(s.now_ms + 1);
    assert_int_equal(started(WORKER_POLICY, NULL), 2);
    for (begun = s.now_ms; s.now_ms < begun + 86400000;) {
        if (workers_is_at(&s.daemon.workers, WORKER_POLICY, text_of(s.a)))
            end(WORKER_POLICY, FAILED);
        sleep_until(s.now_ms + 1000);
    }
    assert_in_range(started(WORKER_POLICY, NULL), 24, 60);
}

/* A domain is busy for long: the job is tried again every two seconds. */
static void assert_retries(int kind)
{
    uint32_t i;

    for (i = 1; i < 20; i++) {
        assert_int_equal(started(kind, NULL), i);
        end(kind, BUSY);
        sleep_until(s.now_ms + 1999);
        assert_int_equal(started(kind, NULL), i);
        sleep_until(s.now_ms + 1);
    }
}

static void test_policy_busy(void **state)
{
    (void)state;
    start_up();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    s.now_ms += 100;
    turn();
    assert_retries(WORKER_POLICY);
}

/* Domains that failed before leave half of the places to others. */
static void test_policy_places(void **state)
{
    uint32_t domids[4], i;

    (void)state;
    start_up();
    s.config.policy_workers = 4;
    serve_configure(&s.daemon, &s.config);
    for (i = 0; i < 4; i++) {
        char name[8];

        snprintf(name, sizeof(name), "g%u", i);
        domids[i] = fake_add_guest(name);
        fake_shut_down(domids[i], XENFORK__SHUTDOWN_CRASH);
    }
    s.now_ms += 100;
    turn();
    assert_int_equal(started(WORKER_POLICY, NULL), 4);
    for (i = 0; i < 4; i++)
        end(WORKER_POLICY, FAILED);
    sleep_until(s.now_ms + 60000);
    assert_int_equal(started(WORKER_POLICY, NULL), 6);
    fake_shut_down(s.b, XENFORK__SHUTDOWN_REBOOT);
    sleep_until(s.now_ms + 100);
    assert_int_equal(started(WORKER_POLICY, text_of(s.b)), 1);
}

/* No process can be started: neither forgotten, nor tried without rest. */
static void test_no_process_for_policy(void **state)
{
    (void)state;
    start_up();
    s.spawn_error = -EAGAIN;
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    s.now_ms += 100;
    turn();
    sleep_until(s.now_ms + 2000);
    assert_int_equal(s.count, 1);
    s.spawn_error = 0;
    sleep_until(s.now_ms + 60000);
    assert_int_equal(started(WORKER_POLICY, NULL), 1);
    assert_int_equal(started(WORKER_RECOVER, NULL), 2);
}

/* For a moment Xen did not answer. */
static void test_no_list(void **state)
{
    (void)state;
    start_up();
    fake_request(s.b, "1");
    turn();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_REBOOT);
    fake_host->has_domain_event = false;
    fake_fail_function("xenfork__host_domains", XENFORK_E_XEN, 0);
    end(WORKER_FREEZE, 0);
    sleep_until(s.now_ms + 100);
    assert_int_equal(started(WORKER_POLICY, NULL), 0);
    fake_disarm();
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) < s.now_ms + 5000);
    sleep_until(s.now_ms + 5000);
    assert_int_equal(started(WORKER_POLICY, NULL), 1);
}

static void test_no_watch(void **state)
{
    uint32_t domid;

    (void)state;
    start_up();
    domid = fake_add_guest("late");
    fake_request(domid, "1");
    fake_host->has_domain_event = true;
    fake_fail_function("xenfork__host_watch_guest", XENFORK_E_XEN, 0);
    s.now_ms += 100;
    turn();
    fake_disarm();
    sleep_until(s.now_ms + 5000);
    turn();
    assert_int_equal(started(WORKER_FREEZE, text_of(domid)), 1);
}

/* Events come in swarms. */
static void test_recover_once(void **state)
{
    uint32_t i;

    (void)state;
    start_up();
    for (i = 0; i < 300; i++) {
        fake_host->has_domain_event = true;
        turn();
        s.now_ms++;
    }
    sleep_until(s.now_ms + 10000);
    assert_int_equal(started(WORKER_RECOVER, NULL), 2);
}

static void begin_restart(const char *uuid)
{
    char *dir = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, uuid, NULL);

    assert_non_null(dir);
    assert_int_equal(xenfork__make_dir(s.ctx, dir), 0);
    free(dir);
}

#define UUID "00000000-0000-4000-8000-00000000000"

/* Finish what another daemon has begun. */
static void test_restarts(void **state)
{
    (void)state;
    begin_restart(UUID "1");
    begin_restart(UUID "2");
    begin_restart("nonsense");
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_RESTART, NULL), 2);
    assert_int_equal(started(WORKER_RESTART, UUID "2"), 1);
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_RESTART, NULL), 2);
}

/* Again, in its time; though clones are made meanwhile. */
static void test_restart_fails(void **state)
{
    uint64_t failed_ms;

    (void)state;
    begin_restart(UUID "1");
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    end(WORKER_RESTART, FAILED);
    failed_ms = s.now_ms;
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 30000);
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(failed_ms + 59999);
    assert_int_equal(started(WORKER_RESTART, NULL), 1);
    sleep_until(failed_ms + 60000);
    assert_int_equal(started(WORKER_RESTART, NULL), 2);
}

static void test_restart_busy(void **state)
{
    (void)state;
    begin_restart(UUID "1");
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    assert_retries(WORKER_RESTART);
}

/* The others are begun at once, each again in its own time. */
static void test_restart_fails_alone(void **state)
{
    uint64_t failed_ms;

    (void)state;
    begin_restart(UUID "1");
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    end(WORKER_RESTART, FAILED);
    failed_ms = s.now_ms;
    sleep_until(failed_ms + 10000);
    begin_restart(UUID "2");
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(failed_ms + 12000);
    assert_int_equal(started(WORKER_RESTART, UUID "2"), 1);
    end(WORKER_RESTART, FAILED);
    sleep_until(failed_ms + 60000);
    assert_int_equal(started(WORKER_RESTART, UUID "1"), 2);
    assert_int_equal(started(WORKER_RESTART, UUID "2"), 1);
    sleep_until(failed_ms + 72001);
    assert_int_equal(started(WORKER_RESTART, UUID "2"), 2);
}

/* Restarts that fail slowly have half of the places. */
static void test_restarts_fail_slowly(void **state)
{
    static const char *const uuids[] = {UUID "1", UUID "2", UUID "3", UUID "4"};
    uint32_t i;

    (void)state;
    for (i = 0; i < 4; i++)
        begin_restart(uuids[i]);
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_RESTART, NULL), 4);
    for (i = 0; i < 4; i++)
        end(WORKER_RESTART, FAILED);
    sleep_until(s.now_ms + 70000);
    assert_int_equal(started(WORKER_RESTART, NULL), 6);
    begin_restart(UUID "5");
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_RESTART, UUID "5"), 1);
}

/* More of them than places. */
static void test_hydrations(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.a, 2, 0), 0);
    assert_int_equal(scene_fork(s.a, 2, 0), 0);
    assert_int_equal(scene_fork(s.a, 1, XENFORK_FORK_NO_HYDRATE), 0);
    workers_limit(&s.daemon.workers, WORKER_HYDRATE, 1, WORKER_NO_END);
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 100000);
    assert_int_equal(started(WORKER_HYDRATE, NULL), 1);
    /* As the worker does it, of which the fake knows nothing. */
    assert_int_equal(scene_hydrate(s.ctx, fake_domain_named("src-1")->domid),
                     0);
    assert_int_equal(scene_hydrate(s.ctx, fake_domain_named("src-2")->domid),
                     0);
    end(WORKER_HYDRATE, 0);
    assert_int_equal(started(WORKER_HYDRATE, NULL), 2);
    assert_string_not_equal(s.started[s.count - 1].target,
                            s.started[s.count - 2].target);
}

/* Its directory was seen, its record comes late. */
static void test_late_record(void **state)
{
    struct xenfork__records clones = {0};
    char *record, *aside;

    (void)state;
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 5000);
    assert_int_equal(scene_fork(s.a, 1, 0), 0);
    assert_int_equal(xenfork__records_load(s.ctx, XENFORK_KIND_CLONE, &clones),
                     0);
    record = xenfork__record_path(s.ctx, XENFORK_KIND_CLONE,
                                  clones.records[0]->uuid,
                                  XENFORK__FILE_RECORD);
    assert_true(asprintf(&aside, "%s/aside", fake->dir) > 0);
    xenfork__records_free(&clones);
    assert_int_equal(rename(record, aside), 0);
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 4500);
    assert_int_equal(started(WORKER_HYDRATE, NULL), 0);
    assert_int_equal(rename(aside, record), 0);
    sleep_until(s.now_ms + 1000);
    assert_int_equal(started(WORKER_HYDRATE, NULL), 1);
    /* One that never comes is given up. */
    assert_int_equal(rename(record, aside), 0);
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 70000);
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) == SERVE_NEVER);
    free(record);
    free(aside);
}

static void test_no_process_for_hydration(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.a, 1, 0), 0);
    turn();
    s.spawn_error = -ENOMEM;
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    s.spawn_error = 0;
    sleep_until(s.now_ms + 60000);
    assert_int_equal(started(WORKER_HYDRATE, NULL), 1);
}

/* Its keeper may be killed: somebody waits to take its place. */
static void test_frozen(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, s.a, 1000), 0);
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_ATTEND, NULL), 1);
    serve_state_changed(&s.daemon, s.now_ms);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_ATTEND, NULL), 1);
    end(WORKER_ATTEND, FAILED);
    sleep_until(s.now_ms + 59999);
    assert_int_equal(started(WORKER_ATTEND, NULL), 1);
    sleep_until(s.now_ms + 1);
    assert_int_equal(started(WORKER_ATTEND, NULL), 2);
    assert_int_equal(xenfork_thaw(s.ctx, s.a), 0);
    end(WORKER_ATTEND, 0);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(started(WORKER_ATTEND, NULL), 2);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_policy),
        TEST(test_policy_fails),
        TEST(test_policy_busy),
        TEST(test_policy_places),
        TEST(test_no_process_for_policy),
        TEST(test_no_list),
        TEST(test_no_watch),
        TEST(test_recover_once),
        TEST(test_restarts),
        TEST(test_restart_fails),
        TEST(test_restart_busy),
        TEST(test_restart_fails_alone),
        TEST(test_restarts_fail_slowly),
        TEST(test_hydrations),
        TEST(test_late_record),
        TEST(test_frozen),
        TEST(test_no_process_for_hydration),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
