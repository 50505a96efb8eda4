/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c: clones are paused while the host has little memory. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/memory.h"
#include "../lib/guarded.h"
#include "op/domain.h"
#include "../lib/scene.h"
#include "state/lock.h"
#include "xen/host-memory.h"

static void test_ample(void **state)
{
    (void)state;
    later(60000);
    assert_false(high->is_paused || middle->is_paused || low->is_paused);
    /* It looks at the host now and then, and at nothing else. */
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) >= s.now_ms + 1);
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) <= s.now_ms + 10000);
}

static void test_order(void **state)
{
    (void)state;
    leave(LOW - 1);
    memory_expect(&s.daemon, s.now_ms);
    turn();
    assert_true(low->is_paused);
    assert_string_equal(low->is_short, XENFORK__SHORT_PAUSED);
    assert_false(middle->is_paused || high->is_paused);
    sleep_until(s.now_ms + 100);
    assert_true(middle->is_paused);
    assert_false(high->is_paused);
    sleep_until(s.now_ms + 100);
    assert_true(high->is_paused);
    later(10000);
    /* Nobody else. */
    assert_false(fake_domain(s.a)->is_paused || fake_domain(s.b)->is_paused);
    /* More is not yet enough. */
    leave(OK - 1);
    later(10000);
    assert_true(high->is_paused && middle->is_paused && low->is_paused);
    leave(OK);
    sleep_until(s.now_ms + 1000);
    assert_false(high->is_paused);
    assert_string_equal(high->is_short, "");
    assert_true(middle->is_paused && low->is_paused);
    sleep_until(s.now_ms + 1000);
    assert_false(middle->is_paused);
    assert_true(low->is_paused);
    sleep_until(s.now_ms + 1000);
    assert_false(low->is_paused);
}

/* One that has a page in reserve takes nothing from the others. */
static void test_reserved(void **state)
{
    (void)state;
    low->claimed_pages = 1;
    leave(LOW - 1);
    later(10000);
    assert_false(low->is_paused);
    assert_true(middle->is_paused && high->is_paused);
    low->claimed_pages = 0;
    leave(LOW - 1);
    later(1000);
    assert_true(low->is_paused);
}

/* A clone that the user has paused stays so, and is not noted as ours. */
static void test_user_pauses(void **state)
{
    (void)state;
    middle->is_paused = true;
    leave(LOW - 1);
    later(10000);
    assert_string_equal(middle->is_short, "");
    assert_true(low->is_paused);
    leave(AMPLE / 2);
    later(10000);
    assert_false(low->is_paused || high->is_paused);
    assert_true(middle->is_paused);
}

/* A clone that the user unpauses runs, until there was enough again. */
static void test_user_unpauses(void **state)
{
    (void)state;
    leave(LOW - 1);
    later(10000);
    low->is_paused = false;
    later(10000);
    assert_false(low->is_paused);
    assert_string_equal(low->is_short, XENFORK__SHORT_SPARED);
    restart();
    later(10000);
    assert_false(low->is_paused);
    assert_true(high->is_paused && middle->is_paused);
    leave(OK);
    later(10000);
    assert_string_equal(low->is_short, "");
    leave(LOW - 1);
    later(10000);
    assert_true(low->is_paused);
}

/* The next daemon resumes what this one has paused. */
static void test_restart(void **state)
{
    (void)state;
    leave(LOW - 1);
    later(10000);
    restart();
    later(5000);
    assert_true(low->is_paused);
    leave(OK);
    later(10000);
    assert_false(high->is_paused || middle->is_paused || low->is_paused);
    assert_string_equal(low->is_short, "");
}

/* A clone whose record is gone is resumed all the same. */
static void test_orphan(void **state)
{
    (void)state;
    leave(LOW - 1);
    later(10000);
    assert_int_equal(
        xenfork__record_remove(s.ctx, XENFORK_KIND_CLONE, low->uuid), 0);
    restart();
    leave(OK);
    later(10000);
    assert_false(low->is_paused);
}

/* Fork a clone that depends on its image, and has lost its reservation. */
static struct fake_domain *fork_lazy(void)
{
    struct fake_domain *lazy;

    assert_int_equal(scene_fork(s.a, 1, XENFORK_FORK_NO_HYDRATE), 0);
    lazy = fake_domain_named("src-1");
    fake_host->has_domain_event = true;
    later(5000);
    lazy->claimed_pages = 0;
    return lazy;
}

/* Clones that depend on their image go first, all that could lack memory. */
static void test_lazy(void **state)
{
    struct fake_domain *lazy = fork_lazy();

    (void)state;
    assert_false(lazy->is_paused);
    /* Enough for the others, and not for all that it may touch. */
    leave(FLOOR + 10);
    s.config.memory_low_mib = 32;
    serve_configure(&s.daemon, &s.config);
    later(1000);
    assert_true(lazy->is_paused);
    assert_false(low->is_paused);
    leave(AMPLE / 2);
    later(5000);
    assert_false(lazy->is_paused);
    lazy->claimed_pages = 0;
    s.config.memory_low_mib = 64;
    serve_configure(&s.daemon, &s.config);
    leave(LOW - 1);
    memory_expect(&s.daemon, s.now_ms);
    turn();
    assert_true(lazy->is_paused);
    assert_false(low->is_paused);
}

/* One that its user lets run is paused again: it could read nonsense. */
static void test_lazy_unpaused(void **state)
{
    struct fake_domain *lazy = fork_lazy();

    (void)state;
    leave(FLOOR);
    later(2000);
    assert_true(lazy->is_paused);
    lazy->is_paused = false;
    later(1000);
    assert_true(lazy->is_paused);
    assert_string_equal(lazy->is_short, XENFORK__SHORT_PAUSED);
    leave(AMPLE / 2);
    later(10000);
    assert_false(lazy->is_paused);
    assert_string_equal(lazy->is_short, "");
}

static void no_unpause(void)
{
    fail_msg("unpaused without its memory");
}

/* The last daemon was killed as it was about to resume it; memory is gone. */
static void test_lazy_killed(void **state)
{
    struct fake_domain *lazy = fork_lazy();

    (void)state;
    leave(FLOOR);
    later(2000);
    assert_true(lazy->is_paused);
    strcpy(lazy->is_short, XENFORK__SHORT_RESUMING);
    fake->on_unpause = no_unpause;
    restart();
    later(2000);
    assert_true(lazy->is_paused);
    fake->on_unpause = NULL;
    leave(AMPLE / 2);
    later(10000);
    assert_false(lazy->is_paused);
}

/* One that could not touch all of its memory stays paused, past memory_ok. */
static void test_lazy_stays(void **state)
{
    struct fake_domain *lazy = fork_lazy();
    uint32_t i;

    (void)state;
    s.config.memory_low_mib = 32;
    s.config.memory_ok_mib = 33;
    serve_configure(&s.daemon, &s.config);
    guests_find(&s.daemon.guests, lazy->domid)->pages = fake_private_pages(
                                                            lazy) +
                                                        2 * MIB;
    leave(FLOOR + 2 * MIB - 1);
    later(2000);
    for (i = 0; i < 100; i++) {
        sleep_until(s.now_ms + 100);
        assert_true(lazy->is_paused);
    }
    assert_false(low->is_paused);
    leave(FLOOR + 2 * MIB);
    later(2000);
    assert_false(lazy->is_paused);
}

/* One whose reservation did not grow again gets it back, if there is enough. */
static void test_lazy_reserves(void **state)
{
    struct fake_domain *lazy = fork_lazy();
    uint64_t lacks = lazy->max_pages < 69 ? lazy->max_pages : 69;

    (void)state;
    lacks -= fake_private_pages(lazy);
    assert_int_equal(lazy->claimed_pages, 0);
    leave(LOW + lacks - 1);
    later(1000);
    assert_int_equal(lazy->claimed_pages, 0);
    assert_false(lazy->is_paused);
    leave(LOW + lacks);
    later(1000);
    assert_int_equal(lazy->claimed_pages, lacks);
    /* So it has when it goes on. */
    lazy->claimed_pages = 0;
    leave(FLOOR + 1);
    later(2000);
    assert_true(lazy->is_paused);
    assert_int_equal(lazy->claimed_pages, 0);
    leave(AMPLE / 2);
    later(5000);
    assert_false(lazy->is_paused);
    assert_int_equal(lazy->claimed_pages, lacks);
    /* Not while another operation is on it, which may count on its claim. */
    lazy->claimed_pages = 0;
    {
        cleanup_lock struct xenfork__lock *lock = NULL;
        char uuid[XENFORK__UUID_CHARS];

        xenfork__uuid_print(lazy->uuid, uuid);
        assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
        later(1000);
        assert_int_equal(lazy->claimed_pages, 0);
    }
}

/* An operation on a clone has its last word on whether it runs. */
static void test_locked(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS];

    (void)state;
    xenfork__uuid_print(low->uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    leave(LOW - 1);
    memory_expect(&s.daemon, s.now_ms);
    turn();
    assert_false(low->is_paused);
    assert_string_equal(low->is_short, "");
    assert_true(middle->is_paused); /* in its place */
    xenfork__lock_drop(lock);
    later(1000);
    assert_true(low->is_paused);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    low->is_paused = false;
    later(1000);
    assert_string_equal(low->is_short, XENFORK__SHORT_PAUSED);
    low->is_paused = true;
    leave(OK);
    later(10000);
    assert_true(low->is_paused);
    assert_false(middle->is_paused);
    restart();
    later(10000);
    assert_true(low->is_paused);
    xenfork__lock_drop(lock);
    later(5000);
    assert_false(low->is_paused);
    assert_string_equal(low->is_short, "");
}

/* A note that was left half-done is not finished while a fork pauses it. */
static void test_locked_note(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS];

    (void)state;
    low->is_paused = true;
    fake_copy_string(low->is_short, 16, XENFORK__SHORT_PAUSING);
    xenfork__uuid_print(low->uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    restart();
    later(5000);
    assert_string_equal(low->is_short, XENFORK__SHORT_PAUSING);
    low->is_paused = false;
    xenfork__lock_drop(lock);
    later(5000);
    assert_false(low->is_paused);
    assert_string_equal(low->is_short, "");
}

/* A clone that shares nothing takes nothing. */
static void test_shares_nothing(void **state)
{
    uint64_t gfns[1];
    uint32_t i;

    (void)state;
    for (i = 0; i < low->page_count; i++) {
        gfns[0] = low->pages[i].gfn;
        assert_int_equal(xenfork__xen_unshare(s.ctx, low->domid, gfns, 1), 0);
    }
    leave(LOW - 1);
    later(10000);
    assert_false(low->is_paused);
    assert_true(middle->is_paused && high->is_paused);
}

static void test_off(void **state)
{
    (void)state;
    leave(LOW - 1);
    later(5000);
    assert_true(low->is_paused);
    s.config.memory_low_mib = 0;
    serve_configure(&s.daemon, &s.config);
    leave(1);
    later(10000);
    /* Those that were paused go on, whatever there is. */
    assert_false(high->is_paused || middle->is_paused || low->is_paused);
}

/* Xen says that memory is low. */
static void test_event(void **state)
{
    (void)state;
    leave(LOW - 1);
    fake_host->is_low = true;
    turn();
    assert_true(low->is_paused);
}

/* Clones that the last daemon paused are found, also when a look fails. */
static void test_meets_later(void **state)
{
    static const char *const names[] = {
        "xenfork__xen_is_asked", "xenfork__xen_short", "xenfork__xen_unpause",
        "xenfork__xen_info"};
    static const char *const notes[] = {
        XENFORK__SHORT_PAUSED, XENFORK__SHORT_PAUSING, XENFORK__SHORT_RESUMING};
    uint32_t i, note, skip;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(names); i++)
        for (note = 0; note < ARRAY_SIZE(notes); note++)
            for (skip = 0; skip < 8; skip++) {
                low->is_paused = true;
                fake_copy_string(low->is_short, 16, notes[note]);
                fake_fail_function(names[i], XENFORK_E_XEN, skip);
                fake->fail_name_count = 1;
                restart();
                later(20000);
                fake_disarm();
                assert_false(low->is_paused);
                assert_string_equal(low->is_short, "");
            }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, guarded_setup, serving_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_ample),
        TEST(test_order),
        TEST(test_reserved),
        TEST(test_user_pauses),
        TEST(test_user_unpauses),
        TEST(test_restart),
        TEST(test_orphan),
        TEST(test_lazy),
        TEST(test_lazy_unpaused),
        TEST(test_lazy_killed),
        TEST(test_lazy_stays),
        TEST(test_lazy_reserves),
        TEST(test_locked),
        TEST(test_locked_note),
        TEST(test_shares_nothing),
        TEST(test_off),
        TEST(test_event),
        TEST(test_meets_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
