/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guests.c: who is served when, and how often. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/guests.h"

#define BURST       3U
#define INTERVAL_MS 10000U
#define LOOK_MS     50U
#define T0          1000000U

static struct guests guests;

static int setup(void **state)
{
    (void)state;
    guests_init(&guests, BURST, INTERVAL_MS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    guests_free(&guests);
    return 0;
}

static struct guest *add(uint32_t domid)
{
    struct guest *guest = guests_add(&guests, domid, T0);

    assert_non_null(guest);
    guest->is_requesting = true;
    return guest;
}

/* The domid of who is served; 0: nobody. */
static uint32_t next(uint64_t now_ms)
{
    const struct guest *guest = guests_next(&guests, now_ms, true);

    return guest ? guest->domid : 0;
}

static void test_find(void **state)
{
    (void)state;
    assert_null(guests_find(&guests, 1));
    add(1);
    add(2);
    assert_int_equal(guests_find(&guests, 2)->domid, 2);
    guests_remove(&guests, 7);
    guests_remove(&guests, 1);
    assert_null(guests_find(&guests, 1));
    assert_int_equal(guests_find(&guests, 2)->domid, 2);
    assert_int_equal(guests.count, 1);
}

static void test_in_turn(void **state)
{
    (void)state;
    assert_int_equal(next(T0), 0);
    add(1);
    add(2);
    add(3);
    assert_int_equal(next(T0), 1);
    assert_int_equal(next(T0), 2);
    guests_find(&guests, 1)->is_requesting = true;
    assert_int_equal(next(T0), 3);
    /* Guests that were looked at wait, all alike. */
    assert_int_equal(next(T0 + LOOK_MS - 1), 0);
    assert_int_equal(next(T0 + LOOK_MS), 1);
    /* A guest that goes takes nobody's turn with it. */
    guests_remove(&guests, 1);
    assert_int_equal(next(T0 + LOOK_MS), 2);
    assert_int_equal(next(T0 + LOOK_MS), 3);
    guests_remove(&guests, 3);
    guests_remove(&guests, 2);
    assert_int_equal(next(T0 + INTERVAL_MS), 0);
}

static void test_who_waits(void **state)
{
    struct guest *guest = add(1);

    (void)state;
    guest->is_requesting = false;
    assert_int_equal(next(T0), 0);
    guest->is_requesting = guest->is_freezing = true;
    assert_int_equal(next(T0), 0);
    guest->is_freezing = false;
    guest->has_failed = true;
    assert_null(guests_next(&guests, T0, false));
    assert_ptr_equal(guests_next(&guests, T0, true), guest);
}

/* So many at once, then one in every interval, for ever. */
static void test_tokens(void **state)
{
    struct guest *guest = add(1);
    uint64_t now;
    uint32_t served = 0;

    (void)state;
    for (now = T0; now < T0 + 10 * INTERVAL_MS; now += 10) {
        if (!next(now))
            continue;
        guests_charge(&guests, guest, now);
        served++;
        if (served == BURST)
            assert_int_equal(now, T0 + 2 * LOOK_MS);
    }
    assert_int_equal(served, BURST + 9);
    /* Rest brings back a burst, and not more. */
    now += 100 * INTERVAL_MS;
    served = 0;
    for (; next(now) && served < 10 * BURST; now += LOOK_MS) {
        guests_charge(&guests, guest, now);
        served++;
    }
    assert_int_equal(served, BURST);
}

static void test_failure_takes_all(void **state)
{
    struct guest *guest = add(1);

    (void)state;
    guest->is_freezing = true;
    guests_result(guest, true, T0);
    assert_false(guest->is_freezing);
    assert_true(guest->has_failed);
    assert_int_equal(next(T0 + INTERVAL_MS - 1), 0);
    assert_int_equal(guests_wake_ms(&guests, T0), T0 + INTERVAL_MS);
    assert_int_equal(next(T0 + INTERVAL_MS), 1);
    guests_result(guest, false, T0 + INTERVAL_MS);
    assert_false(guest->has_failed);
}

static void test_wake(void **state)
{
    struct guest *guest;

    (void)state;
    assert_true(guests_wake_ms(&guests, T0) == GUESTS_NEVER);
    guest = add(1);
    assert_true(guests_wake_ms(&guests, T0) == GUESTS_NEVER);
    assert_int_equal(next(T0), 1);
    assert_int_equal(guests_wake_ms(&guests, T0), T0 + LOOK_MS);
    guest->is_requesting = false;
    assert_true(guests_wake_ms(&guests, T0) == GUESTS_NEVER);
    guest->is_requesting = guest->is_freezing = true;
    assert_true(guests_wake_ms(&guests, T0) == GUESTS_NEVER);
}

/* Whenever the wake says, somebody is found. */
static void test_wake_is_true(void **state)
{
    uint64_t now = T0, wake;
    uint32_t i;

    (void)state;
    add(1);
    add(2)->tokens = 0;
    for (i = 0; i < 50; i++) {
        struct guest *guest;

        while ((guest = guests_next(&guests, now, true)))
            guests_charge(&guests, guest, now);
        wake = guests_wake_ms(&guests, now);
        assert_true(wake > now && wake <= now + INTERVAL_MS);
        assert_int_equal(next(wake - 1), 0);
        now = wake;
        assert_int_not_equal(next(now), 0);
    }
}

static void test_notes(void **state)
{
    struct guest *guest = add(1);

    (void)state;
    assert_true(guests_may_note(guest, T0));
    assert_false(guests_may_note(guest, T0));
    assert_false(guests_may_note(guest, T0 + 59999));
    assert_true(guests_may_note(guest, T0 + 60000));
    assert_false(guests_may_note(guest, T0 + 60001));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_find),      TEST(test_in_turn),
        TEST(test_who_waits), TEST(test_tokens),
        TEST(test_wake),      TEST(test_failure_takes_all),
        TEST(test_notes),     TEST(test_wake_is_true),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
