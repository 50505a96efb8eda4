/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* op/clones.c: clones that libxl makes side by side. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ids.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"

#define TURN_NS 3000000

static xenfork_ctx *turning;
static uint32_t turns;

static uint32_t most(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 4 ? 2 * (uint32_t)processors : 8;
}

static void sleep_a_turn(void)
{
    const struct timespec turn = {.tv_nsec = TURN_NS};

    turns++;
    nanosleep(&turn, NULL);
}

/* Fork an HVM guest into @count clones. */
static int fork_hvm(struct fork_scene *s, uint32_t count)
{
    turns = 0;
    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    xenfork_spec_free(s->spec);
    assert_int_equal(xenfork_spec_new(count, &s->spec), 0);
    return fork_it(s, s->src);
}

static void assert_whole(const struct fork_scene *s, uint32_t count)
{
    uint64_t memory = fake_memory_hash(s->src);
    uint32_t i;

    assert_string_equal(fake->violation, "");
    assert_int_equal(fake->restoring, 0);
    for (i = 0; i < count; i++) {
        assert_false(fork_clone(s, i)->is_paused);
        assert_true(fake_memory_hash(fork_clone(s, i)->domid) == memory);
    }
}

static void test_side_by_side(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(fork_hvm(s, 2), 0);
    assert_whole(s, 2);
    assert_int_equal(fake->restored_at_once, 2);
}

static void test_not_hvm(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_whole(s, 2);
    assert_int_equal(fake->restored_at_once, 2);
}

/* No more at once than the processors can be expected to start in time. */
static void test_bound(void **state)
{
    struct fork_scene *s = *state;

    fake->free_pages = 100000;
    assert_int_equal(fork_hvm(s, 12), 0);
    assert_whole(s, 12);
    assert_int_equal(fake->restored_at_once, most());
}

/* Time that passes for several counts once. */
static void test_time(void **state)
{
    struct fork_scene *s = *state;
    uint64_t sum = 0, least;
    uint32_t i;

    fake->on_turn = sleep_a_turn;
    assert_int_equal(fork_hvm(s, 2), 0);
    assert_whole(s, 2);
    least = (uint64_t)turns * TURN_NS;
    for (i = 0; i < 2; i++) {
        uint64_t ns = xenfork_clone_ns(xenfork_result_clone(s->result, i),
                                       XENFORK_STAGE_CREATE);

        assert_true(ns >= least / 2 - TURN_NS);
        sum += ns;
    }
    assert_true(sum >= least);
    assert_true(sum < xenfork_result_ns(s->result, XENFORK_STAGE_TOTAL));
    assert_true(sum < 2 * least);
}

/* Fail, and say why; nothing is left of the others. */
static void assert_undone(struct fork_scene *s, int rc, const char *why)
{
    assert_int_equal(rc, xenfork_error_code(s->ctx));
    assert_non_null(strstr(xenfork_error_text(s->ctx), why));
    assert_int_equal(fake->restoring, 0);
    fake_disarm();
    assert_true(fake_is_same(fake_marked(), "undone"));
}

static void test_one_fails(void **state)
{
    struct fork_scene *s = *state;
    int rc;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake_mark();
    fake_fail_function("xenfork__xen_restore_serve", XENFORK_E_HOSTMEM, 1);
    rc = fork_hvm(s, 2);
    assert_int_equal(rc, XENFORK_E_HOSTMEM);
    assert_int_equal(fake->restored_at_once, 2);
    assert_undone(s, rc, "injected failure of xenfork__xen_restore_serve");
}

static void test_second_does_not_begin(void **state)
{
    struct fork_scene *s = *state;
    int rc;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake_mark();
    fake_fail_function("xenfork__xen_restore_begin", XENFORK_E_XEN, 1);
    rc = fork_hvm(s, 2);
    assert_int_equal(rc, XENFORK_E_XEN);
    assert_int_equal(fake->restored_at_once, 1);
    assert_undone(s, rc, "injected failure of xenfork__xen_restore_begin");
}

static void cancel(void)
{
    if (++turns == 2)
        xenfork_cancel(turning);
}

static void test_cancelled(void **state)
{
    struct fork_scene *s = *state;
    int rc;

    turning = s->ctx;
    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake_mark();
    fake->on_turn = cancel;
    rc = fork_hvm(s, 2);
    fake->on_turn = NULL;
    assert_int_equal(rc, XENFORK_E_CANCELLED);
    assert_int_equal(turns, 2);
    assert_undone(s, rc, "cancelled while clones are made");
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_side_by_side), TEST(test_not_hvm),
        TEST(test_bound),        TEST(test_time),
        TEST(test_one_fails),    TEST(test_second_does_not_begin),
        TEST(test_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
