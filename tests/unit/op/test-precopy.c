/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* precopy.c, pages.c: memory that is written while it is shared. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"

/* gfns of the guest's RAM, of which 5 pages cannot be shared */
#define BUSY 20

static int setup(void **state)
{
    struct fork_scene *s;

    if (fork_setup(state))
        return -1;
    s = *state;
    s->ctx->last_ns = 1; /* as many rounds as there may be */
    return 0;
}

static uint64_t counter(const struct fork_scene *s, int which)
{
    return xenfork_result_counter(s->result, which);
}

static uint32_t clone_of(const struct fork_scene *s)
{
    return xenfork_clone_domid(xenfork_result_clone(s->result, 0));
}

static void assert_runs_on(const struct fork_scene *s)
{
    const struct fake_domain *src = fake_domain(s->src);

    assert_false(src->is_logging);
    assert_false(src->is_paused);
    assert_false(src->is_shutdown);
}

static void test_quiet(void **state)
{
    struct fork_scene *s = *state;

    s->ctx->last_ns = UINT32_MAX;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(counter(s, XENFORK_COUNT_ROUNDS), 1);
    assert_int_equal(counter(s, XENFORK_COUNT_PAGES_AGAIN), 0);
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_PAUSES) > 0);
    assert_true(fake_same_memory(s->src, clone_of(s)));
    assert_runs_on(s);
}

/* The image has the last state of pages written between the rounds. */
static void test_busy(void **state)
{
    struct fork_scene *s = *state;

    fake->busy_pages = BUSY;
    fake->busy_changes = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone_of(s)));
    assert_true(counter(s, XENFORK_COUNT_ROUNDS) > 1);
    assert_true(counter(s, XENFORK_COUNT_PAGES_AGAIN) >= BUSY / 2);
    /* 61 pages of RAM and 8 special ones; 5 cannot be shared. */
    assert_int_equal(counter(s, XENFORK_COUNT_PAGES_SHARED), 64);
    assert_int_equal(counter(s, XENFORK_COUNT_PAGES_COPIED), 5);
    assert_runs_on(s);
}

/* A page that is held when it should be shared again is copied in the end. */
static void busy_page_is_held(void)
{
    fake_page(fake_domain_named("src"), 3)->is_unsharable = true;
}

static void test_stale(void **state)
{
    struct fork_scene *s = *state;

    fake->busy_pages = BUSY;
    fake->busy_changes = true;
    fake->on_unpause = busy_page_is_held;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone_of(s)));
    assert_int_equal(counter(s, XENFORK_COUNT_PAGES_COPIED), 6);
}

static void test_written_at_the_end(void **state)
{
    struct fork_scene *s = *state;

    fake->race_gfn = 7;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone_of(s)));
    assert_in_range(counter(s, XENFORK_COUNT_PAGES_LAST), 1, 6);
}

/* The guest gives a page back, or takes one, or both, while it suspends. */
static void test_balloon(void **state)
{
    static const uint64_t leaves[] = {9, 0, 9}, comes[] = {0, 900, 900};
    struct fork_scene *s = *state;
    uint64_t content;
    size_t i;

    fake_domain(s->src)->max_pages += 4;
    for (i = 0; i < 3; i++) {
        fake->leaves_gfn = leaves[i];
        fake->comes_gfn = comes[i];
        assert_int_equal(fork_it(s, s->src), 0);
        assert_true(fake_same_memory(s->src, clone_of(s)));
        assert_int_equal(fake_read(clone_of(s), 9, &content), !leaves[i]);
        assert_int_equal(fake_read(clone_of(s), 900, &content), comes[i] != 0);
        xenfork_result_free(s->result);
        s->result = NULL;
        fake->leaves_gfn = fake->comes_gfn = 0;
        if (leaves[i])
            fake_add_page(fake_domain(s->src), 9, 1);
        if (comes[i])
            fake_remove_page(fake_domain(s->src), 900);
    }
}

/* Below the last gfn that was ever mapped, and above the last with memory. */
static void test_balloon_far_up(void **state)
{
    struct fork_scene *s = *state;
    uint64_t content;

    fake_domain(s->src)->max_pages += 4;
    fake_domain(s->src)->max_gfn = 0x100100;
    fake->leaves_gfn = 9;
    fake->comes_gfn = 0x100080;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone_of(s)));
    assert_true(fake_read(clone_of(s), 0x100080, &content));
    assert_false(fake_read(clone_of(s), 9, &content));
}

static void test_migrated(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->is_migrated = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_BUSY);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_runs_on(s);
}

/* From then on the log is the migration's. */
static void migration_begins(void)
{
    fake->saved = fake_domain_named("src")->domid;
    fake_domain(fake->saved)->is_migrated = true;
}

static void assert_left_to_migration(struct fork_scene *s)
{
    assert_int_equal(fork_it(s, s->src), XENFORK_E_BUSY);
    assert_false(fake_domain(s->src)->is_shutdown);
    assert_false(fake_domain(s->src)->is_paused);
    assert_true(fake_domain(s->src)->is_logging);
}

static void test_migration_begins(void **state)
{
    fake->on_unpause = migration_begins;
    assert_left_to_migration(*state);
}

/* It begins when the source stands still: nobody looked at it after that. */
static void test_migration_at_the_end(void **state)
{
    fake->on_suspended = migration_begins;
    assert_left_to_migration(*state);
}

static void pause_source(void)
{
    fake_domain_named("src")->is_paused = true;
}

/* Its user pauses it meanwhile, and the fork fails: it stays paused. */
static void test_paused_meanwhile(void **state)
{
    struct fork_scene *s = *state;

    fake->on_suspended = pause_source;
    fake_fail_function("xenfork__xen_restore_begin", XENFORK_E_XEN, 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_XEN);
    fake_disarm();
    assert_false(fake_domain(s->src)->is_shutdown);
    assert_true(fake_domain(s->src)->is_paused);
}

/* What is allowed is no aim: the rounds go on. */
static void test_much_is_allowed(void **state)
{
    struct fork_scene *s = *state;

    fake->busy_pages = BUSY;
    assert_int_equal(xenfork_spec_set_max_stun_ms(s->spec, 3600000), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(counter(s, XENFORK_COUNT_ROUNDS) > 1);
}

static void sharing_becomes_slow(void)
{
    fake->nominate_ms = 300;
}

/* The end takes longer than what came before has led to expect. */
static void test_slow_at_the_end(void **state)
{
    struct fork_scene *s = *state;

    fake->race_gfn = 3;
    fake->on_suspended = sharing_becomes_slow;
    assert_int_equal(xenfork_spec_set_max_stun_ms(s->spec, 200), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_BUSY);
    assert_true(strstr(xenfork_error_text(s->ctx), "stand still"));
    assert_int_equal(fake_domain(s->src)->suspensions, 1);
    assert_runs_on(s);
}

/* It writes the same again and again, which takes longer than allowed. */
static void test_max_stun(void **state)
{
    struct fork_scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);

    fake->busy_pages = BUSY;
    fake->nominate_ms = 70;
    assert_int_equal(xenfork_spec_set_max_stun_ms(s->spec, 10), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_BUSY);
    assert_true(strstr(xenfork_error_text(s->ctx), "stand still"));
    assert_int_equal(fake_domain(s->src)->suspensions, 0);
    assert_true(fake_memory_hash(s->src) == memory);
    assert_runs_on(s);
    assert_int_equal(xenfork_spec_set_flags(s->spec, XENFORK_FORK_STUN_ANYWAY),
                     0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_STUN) > 10000000);
}

/* It is left alone for as long as it is not. */
static void test_pace(void **state)
{
    struct fork_scene *s = *state;
    uint64_t ns;

    fake->nominate_ms = 50;
    assert_int_equal(xenfork_spec_set_pace(s->spec, 0), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    ns = xenfork_result_ns(s->result, XENFORK_STAGE_PREPARE);
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_PAUSES) >= 50000000);
    xenfork_result_free(s->result);
    s->result = NULL;
    assert_int_equal(xenfork_spec_set_pace(s->spec, 80), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    /* Four times as long as the work. */
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_PREPARE) >
                250000000);
    assert_true(ns > 50000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_quiet),
        TEST(test_busy),
        TEST(test_stale),
        TEST(test_written_at_the_end),
        TEST(test_balloon),
        TEST(test_balloon_far_up),
        TEST(test_migrated),
        TEST(test_migration_begins),
        TEST(test_migration_at_the_end),
        TEST(test_paused_meanwhile),
        TEST(test_much_is_allowed),
        TEST(test_slow_at_the_end),
        TEST(test_max_stun),
        TEST(test_pace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
