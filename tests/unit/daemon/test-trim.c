/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trim.c: what costs nothing is given back before any clone is paused. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/memory.h"
#include "../lib/guarded.h"

/* Have a clone own half of its memory, which it may give back. */
static void own_half(struct fake_domain *d)
{
    uint64_t gfns[1];
    uint32_t i;

    d->max_kib = d->page_count * 4;
    for (i = 0; i < d->page_count; i += 2) {
        gfns[0] = d->pages[i].gfn;
        assert_int_equal(xenfork__xen_unshare(s.ctx, d->domid, gfns, 1), 0);
    }
    if (fake_private_pages(d) * 4 < d->max_kib / 2)
        fail();
}

static void allow(uint32_t percent)
{
    s.config.memory_balloon = percent;
    serve_configure(&s.daemon, &s.config);
    own_half(high);
    own_half(middle);
    own_half(low);
}

/* Guests that may be asked for memory are, before any is paused. */
static void test_balloon(void **state)
{
    uint32_t recoveries = started(WORKER_RECOVER, NULL), all;

    (void)state;
    allow(50);
    all = (uint32_t)low->max_kib;
    middle->is_paused = true; /* by its user */
    leave(LOW - 1);
    memory_expect(&s.daemon, s.now_ms);
    turn();
    assert_int_equal(low->target_kib, all / 2);
    assert_int_equal(high->target_kib, all / 2);
    assert_int_equal(middle->target_kib, 0);
    assert_int_equal(fake_domain(s.a)->target_kib, 0);
    assert_int_equal(started(WORKER_RECOVER, NULL), recoveries + 1);
    sleep_until(s.now_ms + 500);
    assert_false(low->is_paused);
    sleep_until(s.now_ms + 550);
    assert_true(low->is_paused && !high->is_paused);
    /* The next daemon goes on, and asks nobody twice. */
    restart();
    later(5000);
    assert_int_equal(low->target_kib, all / 2);
    assert_true(high->is_paused);
    /* All run before they are given memory; the user's word is the last. */
    high->target_kib = all / 4;
    leave(OK + all);
    sleep_until(s.now_ms + 2000);
    assert_false(high->is_paused);
    assert_int_equal(low->target_kib, all / 2);
    later(6000);
    assert_false(low->is_paused);
    assert_int_equal(low->target_kib, all);
    later(12000);
    assert_int_equal(high->target_kib, all / 4);
    assert_int_equal(low->before_kib + high->before_kib, 0);
}

/* Nobody waits for the guests when there is next to nothing. */
static void test_balloon_floor(void **state)
{
    (void)state;
    allow(50);
    leave(FLOOR - 1);
    memory_expect(&s.daemon, s.now_ms);
    turn();
    assert_true(low->is_paused);
    assert_int_equal(low->target_kib, low->max_kib / 2);
}

/*
 * A page that is shared, or goes into the clone's reservation, frees nothing:
 * it is not asked for.
 */
static void test_balloon_frees(void **state)
{
    uint32_t all;

    (void)state;
    allow(10);
    all = (uint32_t)low->max_kib;
    high->claimed_pages = 1;
    leave(LOW - 1);
    later(1000);
    assert_int_equal(low->target_kib, all - fake_private_pages(low) * 4);
    assert_int_equal(high->target_kib, 0);
}

/* Memory is given back only where that leaves memory_ok. */
static void test_balloon_stays(void **state)
{
    uint32_t all, less;

    (void)state;
    allow(50);
    all = (uint32_t)low->max_kib;
    less = all - all / 2;
    leave(LOW - 1);
    later(1000);
    assert_int_equal(low->target_kib, all / 2);
    leave(OK + less / 4 - 1);
    later(60000);
    assert_false(low->is_paused || middle->is_paused || high->is_paused);
    assert_int_equal(low->target_kib, all / 2);
    leave(OK + less / 4);
    later(2000);
    /* One, which then has time to take it. */
    assert_int_equal((low->target_kib == all) + (middle->target_kib == all) +
                         (high->target_kib == all),
                     1);
    later(30000);
    assert_int_equal(low->target_kib, all);
    assert_int_equal(middle->target_kib, all);
    assert_int_equal(high->target_kib, all);
}

static int ask_and_give(void *opaque)
{
    leave(LOW - 1);
    later(5000);
    leave(2 * OK);
    later(30000);
    return opaque != NULL;
}

static void balloon_sweep(int when)
{
    uint32_t n;
    bool is_killed = true;
    int rc;

    allow(50);
    for (n = 1; is_killed; n++) {
        fake_crash_at(n, when);
        is_killed = fake_crash(ask_and_give, NULL, &rc);
        fake_disarm();
        restart();
        leave(2 * OK);
        later(60000);
        assert_false(high->is_paused || low->is_paused);
        assert_int_equal(low->before_kib + high->before_kib, 0);
        assert_true(!low->target_kib || low->target_kib == low->max_kib);
        assert_true(!high->target_kib || high->target_kib == high->max_kib);
        assert_in_range(n, 1, 2000);
    }
    assert_true(n > 20);
}

/* Killed at each call: the next daemon gives back what this one has asked. */
static void test_killed_asking(void **state)
{
    (void)state;
    balloon_sweep(FAKE_BEFORE);
    balloon_sweep(FAKE_AFTER);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, guarded_setup, serving_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_balloon),       TEST(test_balloon_floor),
        TEST(test_balloon_frees), TEST(test_balloon_stays),
        TEST(test_killed_asking),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
