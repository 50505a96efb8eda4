/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quiesce.c, source.c: guests that suspend, and those that are stopped. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"

/* Its guest uses nothing of Xen's, and so cannot suspend. */
static int setup(void **state)
{
    int r = fork_setup(state);
    struct fake_domain *d = fake_domain(((struct fork_scene *)*state)->src);

    d->uses[0] = '\0';
    d->can_suspend = false;
    d->on_suspend = FAKE_IGNORES;
    return r;
}

static void refused(struct fork_scene *s, int code, const char *text)
{
    char *before = fake_snapshot();

    assert_int_equal(fork_it(s, s->src), code);
    assert_non_null(strstr(xenfork_error_text(s->ctx), text));
    assert_true(xenfork_error_remedy(s->ctx)[0] || code == XENFORK_E_TIMEOUT);
    assert_true(fake_is_same(before, text));
    free(before);
}

static void test_stopped(void **state)
{
    struct fork_scene *s = *state;
    const struct fake_domain *src = fake_domain(s->src);
    uint64_t memory = fake_memory_hash(s->src);

    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(src->suspensions, 0);
    assert_false(src->is_shutdown);
    assert_false(src->is_paused);
    assert_true(fake_memory_hash(xenfork_clone_domid(
                    xenfork_result_clone(s->result, 1))) == memory);
}

/* Paused by its user: it is not made to run for a moment, either. */
static void test_paused(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    src->is_paused = true;
    assert_int_equal(xenfork_spec_set_quiesce(s->spec, XENFORK_QUIESCE_PAUSE),
                     0);
    src->has_run = false;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_false(src->has_run);
    assert_true(src->is_paused);
    assert_false(src->is_shutdown);
}

/* With --quiesce=pause a guest that could suspend is not asked to. */
static void test_pause_only(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    fake_copy_string(src->uses, sizeof(src->uses), "device vif 0");
    src->can_suspend = src->is_paused = true;
    src->on_suspend = FAKE_OBEYS;
    assert_int_equal(xenfork_spec_set_quiesce(s->spec, XENFORK_QUIESCE_PAUSE),
                     0);
    refused(s, XENFORK_E_NOSUSPEND, "device vif 0");
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "--quiesce"));
    assert_int_equal(xenfork_spec_set_quiesce(s->spec, XENFORK_QUIESCE_AUTO),
                     0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(src->suspensions, 1);
    assert_true(src->is_paused);
}

/* Neither way: the reason has both halves. */
static void test_neither(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    fake_copy_string(src->uses, sizeof(src->uses), "device vbd 51712");
    refused(s, XENFORK_E_NOSUSPEND, "does not say that it can suspend");
    assert_non_null(strstr(xenfork_error_text(s->ctx), "device vbd 51712"));
}

/* Its drivers connect between the check and the stop. */
static void test_begins_to_use(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    src->begins_to_use = true;
    refused(s, XENFORK_E_BUSY, "has just begun to use");
    assert_false(src->is_shutdown);
    assert_false(src->is_paused);
}

static void test_never_stops(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    src->never_stops = true;
    refused(s, XENFORK_E_TIMEOUT, "did not stop");
    assert_int_equal(xenfork_error_stage(s->ctx), XENFORK_STAGE_SUSPEND);
    src->is_paused = true;
    refused(s, XENFORK_E_TIMEOUT, "did not stop");
}

static void test_frozen(void **state)
{
    struct fork_scene *s = *state;
    const struct fake_domain *src = fake_domain(s->src);

    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_true(src->is_shutdown);
    assert_int_equal(src->suspensions, 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(src->is_shutdown);
    assert_int_equal(xenfork_thaw(s->ctx, s->src), 0);
    assert_false(src->is_shutdown);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stopped),       TEST(test_paused), TEST(test_pause_only),
        TEST(test_neither),       TEST(test_frozen), TEST(test_never_stops),
        TEST(test_begins_to_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
