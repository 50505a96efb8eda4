/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* serve.c: guests that ask to be frozen; none can make it much work. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-host.h"
#include "../lib/serving.h"

static uint32_t freezes(uint32_t domid)
{
    return started(WORKER_FREEZE, text_of(domid));
}

static void test_start(void **state)
{
    (void)state;
    start_up();
    assert_int_equal(s.daemon.guests.count, 2);
    assert_true(fake_host_domain(s.a)->is_watched);
    /* Then nothing happens, and nothing is waited for but that. */
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) == SERVE_NEVER);
    assert_int_equal(s.count, 1);
}

static void test_request(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    assert_int_equal(freezes(s.a), 1);
    assert_int_equal(freezes(s.b), 0);
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 1000);
    assert_int_equal(freezes(s.a), 1);
}

/* Written before the daemon was there. */
static void test_request_that_waited(void **state)
{
    (void)state;
    fake_request(s.a, "1");
    turn();
    turn();
    assert_int_equal(freezes(s.a), 1);
}

static void test_garbage(void **state)
{
    static const char *const texts[] = {"",    "2",  "11",     "1 ", " 1",
                                        "yes", "01", "1\n",    "-1", "true",
                                        "0",   "00", "\377\1", "\"", "%s%n"};
    char large[FAKE_REQUEST_BYTES];
    size_t i;

    (void)state;
    start_up();
    memset(large, '1', sizeof(large) - 1);
    large[sizeof(large) - 1] = '\0';
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fake_request(s.a, texts[i]);
        sleep_until(s.now_ms + 60000);
    }
    fake_request(s.a, large);
    sleep_until(s.now_ms + 60000);
    assert_int_equal(started(WORKER_FREEZE, NULL), 0);
    assert_in_range(fake_host_domain(s.a)->reads, 16, 40);
}

/* A guest that writes as fast as it can, whatever it writes. */
static void flood(const char *text)
{
    uint64_t end_ms, asked_ms = 0;
    uint32_t reads, n = 0;

    start_up();
    reads = fake_host_domain(s.a)->reads;
    for (end_ms = s.now_ms + 60000; s.now_ms < end_ms; s.now_ms++) {
        fake_request(s.a, text);
        /* Meanwhile another guest asks, once. */
        if (++n == 30000) {
            fake_request(s.b, "1");
            asked_ms = s.now_ms;
        }
        turn();
        if (asked_ms && freezes(s.b)) {
            assert_int_equal(s.now_ms, asked_ms);
            asked_ms = 0;
        }
        if (workers_is_at(&s.daemon.workers, WORKER_FREEZE, text_of(s.a)))
            end(WORKER_FREEZE, 0);
    }
    assert_int_equal(freezes(s.b), 1);
    /* A burst, and one every 10 s. */
    assert_in_range(fake_host_domain(s.a)->reads - reads, 1, 10);
    /* It wrote 60000. */
    assert_in_range(fake_host_domain(s.a)->told, 32, 2000);
    assert_in_range(freezes(s.a), 0, 9);
    assert_in_range(s.count, 1, 12);
    assert_int_equal(s.daemon.guests.count, 2);
}

static void test_flood_of_requests(void **state)
{
    (void)state;
    flood("1");
    assert_in_range(freezes(s.a), 5, 9);
}

static void test_flood_of_garbage(void **state)
{
    (void)state;
    flood("garbage");
    assert_int_equal(freezes(s.a), 0);
}

/* A guest's writes while it is ignored are seen afterwards. */
static void test_muted(void **state)
{
    uint32_t i;

    (void)state;
    start_up();
    for (i = 0; i < 100; i++) {
        fake_request(s.a, "0");
        turn();
    }
    assert_false(fake_host_domain(s.a)->is_watched);
    assert_true(fake_host_domain(s.b)->is_watched);
    sleep_until(s.now_ms + 500); /* what it was told of has been looked at */
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 499);
    assert_int_equal(freezes(s.a), 0);
    fake_fail_function("xenfork__host_watch_guest", XENFORK_E_XEN, 0);
    sleep_until(s.now_ms + 1);
    fake_disarm();
    assert_false(fake_host_domain(s.a)->is_watched);
    sleep_until(s.now_ms + 1000);
    assert_true(fake_host_domain(s.a)->is_watched);
    assert_int_equal(freezes(s.a), 1);
}

static void test_already_frozen(void **state)
{
    (void)state;
    fake_shut_down(s.a, XENFORK__SHUTDOWN_SUSPEND);
    start_up();
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 30000);
    assert_int_equal(freezes(s.a), 0);
    assert_int_equal(started(WORKER_POLICY, NULL), 0);
}

/* Xen tells of a suspension, but not of its end. */
static void test_thawed(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    fake_shut_down(s.a, XENFORK__SHUTDOWN_SUSPEND);
    end(WORKER_FREEZE, 0);
    turn();
    fake_domain(s.a)->is_shutdown = false;
    fake_request(s.a, "0");
    sleep_until(s.now_ms + 1000);
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 1000);
    assert_int_equal(freezes(s.a), 2);
}

static void test_forbidden(void **state)
{
    (void)state;
    start_up();
    s.config.is_freeze_allowed = false;
    serve_configure(&s.daemon, &s.config);
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 60000);
    assert_int_equal(freezes(s.a), 0);
    s.config.is_freeze_allowed = true;
    serve_configure(&s.daemon, &s.config);
    turn();
    assert_int_equal(freezes(s.a), 1);
}

/* It costs the guest all its tokens, and it is told if the worker could not. */
static void test_failed_freeze(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    end(WORKER_FREEZE, SIGKILL);
    assert_string_equal(fake_domain(s.a)->told, "CANCELLED");
    assert_string_equal(fake_domain(s.a)->asks, "0");
    fake_request(s.a, "1");
    sleep_until(s.now_ms + 9999);
    assert_int_equal(freezes(s.a), 1);
    sleep_until(s.now_ms + 1);
    assert_int_equal(freezes(s.a), 2);
}

static void test_no_process_for_freeze(void **state)
{
    (void)state;
    start_up();
    s.spawn_error = -EAGAIN;
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    assert_string_equal(fake_domain(s.a)->told, "BUSY");
}

/* Guests whose freezes fail take half of the places at most. */
static void test_places(void **state)
{
    uint32_t domids[12], i, busy = 0;

    (void)state;
    for (i = 0; i < 12; i++) {
        char name[8];

        snprintf(name, sizeof(name), "g%u", i);
        domids[i] = fake_add_guest(name);
    }
    start_up();
    for (i = 0; i < 12; i++)
        guests_find(&s.daemon.guests, domids[i])->has_failed = true;
    for (i = 0; i < 12; i++)
        fake_request(domids[i], "1");
    sleep_until(s.now_ms + 20000);
    for (i = 0; i < 12; i++)
        busy += freezes(domids[i]);
    assert_int_equal(busy, 4);
    fake_request(s.b, "1");
    sleep_until(s.now_ms + 50);
    assert_int_equal(freezes(s.b), 1);
}

static void test_expiry(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    /* Its timeout, and the time to undo. */
    assert_int_equal(serve_wake_ms(&s.daemon, s.now_ms), s.now_ms + 60000);
    sleep_until(s.now_ms + 60000);
    assert_true(s.daemon.workers.all[0].is_killed);
    end(WORKER_FREEZE, SIGKILL);
    assert_string_equal(fake_domain(s.a)->told, "TIMEOUT");
}

static void test_ending(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    s.daemon.is_ending = true;
    fake_request(s.b, "1");
    fake_shut_down(s.b, XENFORK__SHUTDOWN_POWEROFF);
    s.now_ms += 100;
    turn();
    assert_int_equal(s.count, 2);
    /* Workers that still run are not forgotten. */
    assert_int_equal(serve_wake_ms(&s.daemon, s.now_ms), s.now_ms + 59900);
}

static void test_domain_goes(void **state)
{
    (void)state;
    start_up();
    fake_request(s.a, "1");
    s.now_ms += 100;
    turn();
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.a), 0);
    fake_host->has_domain_event = true;
    turn();
    assert_int_equal(s.daemon.guests.count, 1);
    end(WORKER_FREEZE, FAILED);
    assert_int_equal(s.daemon.guests.count, 1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_request),
        TEST(test_request_that_waited),
        TEST(test_garbage),
        TEST(test_flood_of_requests),
        TEST(test_flood_of_garbage),
        TEST(test_muted),
        TEST(test_already_frozen),
        TEST(test_thawed),
        TEST(test_forbidden),
        TEST(test_failed_freeze),
        TEST(test_no_process_for_freeze),
        TEST(test_places),
        TEST(test_expiry),
        TEST(test_ending),
        TEST(test_domain_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
