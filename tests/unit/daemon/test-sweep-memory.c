/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c: each call that pauses or resumes clones fails, or is the last. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/memory.h"
#include "../lib/guarded.h"
#include "../lib/scene.h"
#include "xen/host-memory.h"

static int hold_out(void *opaque)
{
    (void)opaque;
    later(10000);
    return 0;
}

/*
 * Killed at each call while it pauses, and while it resumes: the next daemon
 * ends it, and one that the user has paused stays as it is.
 */
static void sweep(uint64_t first, int when)
{
    uint32_t n;
    bool is_killed = true;
    int rc;

    for (n = 1; is_killed; n++) {
        leave(first < LOW ? OK : LOW - 1);
        later(20000);
        middle->is_paused = true;
        fake_copy_string(middle->is_short, 16, "");
        leave(first);
        fake_crash_at(n, when);
        is_killed = fake_crash(hold_out, NULL, &rc);
        fake_disarm();
        restart();
        later(20000);
        assert_int_equal(low->is_paused, first < LOW);
        assert_int_equal(high->is_paused, first < LOW);
        assert_string_equal(low->is_short,
                            first < LOW ? XENFORK__SHORT_PAUSED : "");
        assert_true(middle->is_paused);
        assert_in_range(n, 1, 2000);
    }
    assert_true(n > 20);
}

static void test_killed_pausing(void **state)
{
    (void)state;
    sweep(LOW - 1, FAKE_BEFORE);
    sweep(LOW - 1, FAKE_AFTER);
}

static void test_killed_resuming(void **state)
{
    (void)state;
    sweep(OK, FAKE_BEFORE);
    sweep(OK, FAKE_AFTER);
}

/* Each call that pauses, or resumes, fails once: then it is tried again. */
static void test_failures(void **state)
{
    static const char *const names[] = {
        "xenfork__xen_short",    "xenfork__xen_set_short",
        "xenfork__xen_pause",    "xenfork__xen_unpause",
        "xenfork__xen_info",     "xenfork__xen_free_pages",
        "xenfork__xen_ask_back", "xenfork__xen_let_have"};
    uint32_t i, skip;

    (void)state;
    s.config.memory_balloon = 50;
    serve_configure(&s.daemon, &s.config);
    for (i = 0; i < ARRAY_SIZE(names); i++)
        for (skip = 0; skip < 8; skip++) {
            leave(LOW - 1);
            fake_fail_function(names[i], XENFORK_E_XEN, skip);
            fake->fail_name_count = 1;
            later(12000);
            assert_true(low->is_paused && middle->is_paused && high->is_paused);
            assert_string_equal(low->is_short, XENFORK__SHORT_PAUSED);
            leave(2 * OK);
            fake_fail_function(names[i], XENFORK_E_XEN, skip);
            fake->fail_name_count = 1;
            later(50000);
            assert_false(low->is_paused || middle->is_paused ||
                         high->is_paused);
            assert_string_equal(low->is_short, "");
            assert_int_equal(low->before_kib, 0);
            fake_disarm();
        }
}

/* Pause all, or resume them; call n fails. Tell whether there was one. */
static bool fails_at(uint32_t n, bool is_low)
{
    bool has_failed;

    leave(is_low ? LOW - 1 : OK);
    memory_expect(&s.daemon, s.now_ms);
    fake_fail_at(n);
    later(4000);
    has_failed = fake_calls() >= n;
    fake_disarm();
    later(20000);
    assert_true(low->is_paused == is_low && high->is_paused == is_low);
    assert_string_equal(low->is_short, is_low ? XENFORK__SHORT_PAUSED : "");
    assert_string_equal(high->is_short, is_low ? XENFORK__SHORT_PAUSED : "");
    /* Its user's own pause is never taken for ours. */
    assert_true(middle->is_paused);
    assert_string_equal(middle->is_short, "");
    assert_false(fake_domain(s.a)->is_paused || fake_domain(s.b)->is_paused);
    return has_failed;
}

/* Each single call fails, one after another: all comes out as without. */
static void test_failure_sweep(void **state)
{
    uint32_t n;
    bool pausing = true, resuming = true;

    (void)state;
    s.ends = restart;
    middle->is_paused = true;
    for (n = 1; pausing || resuming; n++) {
        pausing = fails_at(n, true);
        resuming = fails_at(n, false);
        assert_in_range(n, 1, 2000);
    }
    assert_true(n > 20);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, guarded_setup, serving_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_killed_pausing),
        TEST(test_killed_resuming),
        TEST(test_failures),
        TEST(test_failure_sweep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
