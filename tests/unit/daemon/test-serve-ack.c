/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ack.c: clones that acknowledge, and have no keeper. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../lib/fake-host.h"
#include "op/ready.h"
#include "../lib/scene.h"
#include "../lib/serving.h"

static uint32_t clone_domid(void)
{
    return fake_domain_named("src-1")->domid;
}

static uint32_t acks(void)
{
    return started(WORKER_ACK, text_of(clone_domid()));
}

static int setup(void **state)
{
    serving_setup(state);
    assert_int_equal(scene_fork(s.a, 1, 0), 0);
    turn();
    end(WORKER_RECOVER, 0);
    sleep_until(s.now_ms + 3000);
    assert_int_equal(scene_hydrate(s.ctx, clone_domid()), 0);
    end(WORKER_HYDRATE, 0);
    sleep_until(s.now_ms + 3000);
    return 0;
}

/* The keeper was killed: it is for us to see to it, after a while. */
static void test_ack(void **state)
{
    (void)state;
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 1999);
    assert_int_equal(acks(), 0);
    sleep_until(s.now_ms + 1);
    assert_int_equal(acks(), 1);
    /* Do as the worker does. */
    assert_int_equal(xenfork__ready_accept(s.ctx, clone_domid()), 0);
    end(WORKER_ACK, 0);
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 100000);
    assert_int_equal(acks(), 1);
}

/* The keeper lives, and was quicker. */
static void test_keeper(void **state)
{
    (void)state;
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 100);
    assert_int_equal(xenfork__ready_accept(s.ctx, clone_domid()), 0);
    sleep_until(s.now_ms + 100000);
    assert_int_equal(acks(), 0);
}

/* Neither keeper nor daemon was there when it did. */
static void test_ack_that_waited(void **state)
{
    (void)state;
    fake_ack(clone_domid(), NULL);
    serve_free(&s.daemon);
    assert_true(serve_init(&s.daemon, s.ctx, &s.config, s.daemon.workers.spawn,
                           NULL, s.now_ms));
    sleep_until(s.now_ms + 5000);
    assert_int_equal(acks(), 1);
}

/* It writes what it likes, as often as it can: few looks, then none. */
static void test_garbage(void **state)
{
    uint64_t end_ms;
    uint32_t calls;

    (void)state;
    fake_disarm();
    for (end_ms = s.now_ms + 200000; s.now_ms < end_ms; s.now_ms += 20) {
        fake_host_ack(clone_domid(), "garbage");
        fake_host_ack(s.b, "garbage");
        turn();
    }
    assert_int_equal(s.daemon.guests.count, 4);
    assert_int_equal(guests_find(&s.daemon.guests, s.b)->ack_looks, 64);
    assert_int_equal(guests_find(&s.daemon.guests, clone_domid())->ack_looks,
                     64);
    sleep_until(s.now_ms + 3000); /* too many to be listened to at once */
    calls = fake_calls();
    fake_host_ack(clone_domid(), NULL);
    turn();
    sleep_until(s.now_ms + 10000);
    assert_int_equal(acks(), 0);
    /* Nothing was asked for but whether there are events. */
    assert_in_range(fake_calls() - calls, 1, 6);
}

static void test_no_clone(void **state)
{
    (void)state;
    fake_host_ack(s.b, NULL);
    fake_host_ack(s.a, NULL);
    sleep_until(s.now_ms + 10000);
    assert_int_equal(started(WORKER_ACK, NULL), 0);
}

/* The bridge is gone: again, but not for ever. */
static void test_failure(void **state)
{
    uint32_t i;

    (void)state;
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 2000);
    for (i = 1; i <= 5; i++) {
        assert_int_equal(acks(), i);
        end(WORKER_ACK, 1 << 8);
        sleep_until(s.now_ms + 60000);
    }
    assert_int_equal(acks(), 5);
}

static void test_no_process(void **state)
{
    (void)state;
    s.spawn_error = -EAGAIN;
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 5000);
    s.spawn_error = 0;
    sleep_until(s.now_ms + 60000);
    assert_int_equal(acks(), 1);
}

/* Xen did not answer for a moment. */
static void test_no_answer(void **state)
{
    (void)state;
    fake_fail_function("xenfork__xen_guest_answers", XENFORK_E_XEN, 0);
    fake_host_ack(clone_domid(), NULL);
    sleep_until(s.now_ms + 3000);
    fake_disarm();
    sleep_until(s.now_ms + 3000);
    assert_int_equal(acks(), 1);
}

static void test_clone_goes(void **state)
{
    uint32_t domid = clone_domid();

    (void)state;
    fake_host_ack(domid, NULL);
    sleep_until(s.now_ms + 2000);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    fake_host->has_domain_event = true;
    turn();
    end(WORKER_ACK, 1 << 8);
    sleep_until(s.now_ms + 100000);
    assert_int_equal(started(WORKER_ACK, NULL), 1);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ack),        TEST(test_keeper),    TEST(test_ack_that_waited),
        TEST(test_garbage),    TEST(test_no_clone),  TEST(test_failure),
        TEST(test_no_process), TEST(test_no_answer), TEST(test_clone_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
