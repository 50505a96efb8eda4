/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* freeze.c, frozen.c: a source that waits, and its clones. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"

#define TIMEOUT_MS 30000U

struct scene {
    uint32_t src;
    xenfork_ctx *ctx;
};

static uint32_t source(void)
{
    return fake_domain_named("src")->domid;
}

static int setup(void **state)
{
    static struct scene s;

    s.src = scene_source();
    s.ctx = scene_open();
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    scene_close(s->ctx);
    return 0;
}

static int freeze(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_freeze(ctx, source(), TIMEOUT_MS));
}

static int thaw(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_thaw(ctx, source()));
}

static bool is_suspended(void)
{
    const struct fake_domain *d = fake_domain(source());

    return d->is_shutdown && d->shutdown_reason == XENFORK__SHUTDOWN_SUSPEND;
}

/* How many entries of a kind the list has; the state of the first. */
static uint32_t count(xenfork_ctx *ctx, int kind, char state_out[16])
{
    xenfork_list *list;
    uint32_t i, n = 0;

    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        if (xenfork_entry_kind(xenfork_list_entry(list, i)) == kind &&
            n++ == 0 && state_out)
            snprintf(state_out, 16, "%s",
                     xenfork_entry_state(xenfork_list_entry(list, i)));
    xenfork_list_free(list);
    return n;
}

static void refused(struct scene *s, uint32_t domid, uint32_t timeout_ms,
                    int code)
{
    char *before = fake_snapshot();

    assert_int_equal(xenfork_freeze(s->ctx, domid, timeout_ms), code);
    assert_int_equal(xenfork_error_code(s->ctx), code);
    assert_true(xenfork_error_text(s->ctx)[0]);
    assert_true(fake_is_same(before, xenfork_code_name(code)));
    free(before);
}

static void test_freeze(void **state)
{
    struct scene *s = *state;
    char word[16] = "";

    assert_int_equal(freeze(NULL), 0);
    assert_true(is_suspended());
    assert_string_equal(fake_domain(s->src)->guest.role, "frozen");
    assert_int_equal(count(s->ctx, XENFORK_KIND_FROZEN, word), 1);
    assert_string_equal(word, "frozen");
    /* Once more: nothing to do. */
    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(fake_domain(s->src)->suspensions, 1);
}

static void test_thaw(void **state)
{
    struct scene *s = *state;
    const struct fake_domain *src = fake_domain(s->src);

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(thaw(NULL), 0);
    assert_false(src->is_shutdown);
    assert_false(src->is_paused);
    assert_string_equal(src->guest.role, "source");
    assert_int_equal(count(s->ctx, XENFORK_KIND_FROZEN, NULL), 0);
    assert_int_equal(thaw(NULL), XENFORK_E_NOTFROZEN);
    assert_int_equal(src->resumptions, 1);
}

/* xl migrate takes it along as it is: it would run on both hosts. */
static void test_thaw_saved(void **state)
{
    struct scene *s = *state;

    assert_int_equal(freeze(NULL), 0);
    fake->saved = s->src;
    assert_int_equal(thaw(NULL), XENFORK_E_BUSY);
    assert_true(is_suspended());
    assert_int_equal(count(s->ctx, XENFORK_KIND_FROZEN, NULL), 1);
    fake->saved = 0;
    assert_int_equal(thaw(NULL), 0);
    assert_false(is_suspended());
}

/* Its domain ends between two looks: it is not in the list, in no state. */
static void test_ends_in_list(void **state)
{
    struct scene *s = *state;
    char word[16] = "";
    uint32_t looks, listed = 0;

    assert_int_equal(freeze(NULL), 0);
    for (looks = 0; looks < 4; looks++) {
        fake_fail_function("xenfork__xen_info", XENFORK_E_NOTFOUND, looks);
        if (count(s->ctx, XENFORK_KIND_FROZEN, word) > 0) {
            listed++;
            assert_string_equal(word, "frozen");
        }
        fake_disarm();
    }
    assert_in_range(listed, 1, 3);
}

static void test_paused_source(void **state)
{
    struct scene *s = *state;

    fake_domain(s->src)->is_paused = true;
    assert_int_equal(freeze(NULL), 0);
    assert_true(is_suspended());
    assert_int_equal(thaw(NULL), 0);
    assert_false(fake_domain(s->src)->is_shutdown);
    assert_true(fake_domain(s->src)->is_paused);
}

/* All clones of all forks come from one image, made by the first of them. */
static void test_one_image(void **state)
{
    struct scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);
    uint32_t image;

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 0);
    assert_int_equal(scene_fork(s->src, 2, 0), 0);
    image = scene_image();
    assert_int_equal(scene_fork(s->src, 3, 0), 0);
    assert_int_equal(scene_image(), image);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 1);
    assert_int_equal(count(s->ctx, XENFORK_KIND_CLONE, NULL), 5);
    assert_true(fake_memory_hash(fake_domain_named("src-5")->domid) == memory);
    assert_false(fake_domain_named("src-5")->is_paused);
    assert_true(is_suspended());
    assert_int_equal(fake_domain(s->src)->resumptions, 0);
    assert_int_equal(fake_domain(s->src)->suspensions, 1);
}

/* It is the base of later forks, clones or not; until the thaw. */
static void test_image_stays_while_frozen(void **state)
{
    struct scene *s = *state;

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 1);
    assert_int_equal(thaw(NULL), 0);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 0);
}

static void test_thaw_leaves_clones(void **state)
{
    struct scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src), content;
    uint32_t clone;

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(thaw(NULL), 0);
    clone = fake_domain_named("src-1")->domid;
    fake_write(s->src, 3, 777);
    assert_true(fake_memory_hash(clone) == memory);
    assert_true(fake_read(s->src, 3, &content));
    assert_int_equal(content, 777);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 1);
}

/* Made to run behind our back, or started anew: an ordinary source again. */
static void test_not_frozen_any_more(void **state)
{
    struct scene *s = *state;

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    fake_domain(s->src)->is_shutdown = false;
    assert_int_equal(count(s->ctx, XENFORK_KIND_FROZEN, NULL), 0);
    assert_int_equal(thaw(NULL), XENFORK_E_NOTFROZEN);
    assert_int_equal(count(s->ctx, XENFORK_KIND_IMAGE, NULL), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(fake_domain(s->src)->suspensions, 2);
}

static void test_lost_image_is_made_anew(void **state)
{
    struct scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);

    assert_int_equal(freeze(NULL), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_image_destroy(s->ctx, "src@fork-1"), 0);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_true(fake_memory_hash(fake_domain_named("src-1")->domid) == memory);
    assert_true(is_suspended());
}

static void test_refusals(void **state)
{
    struct scene *s = *state;

    refused(s, 0, TIMEOUT_MS, XENFORK_E_INVAL);
    refused(s, 999, TIMEOUT_MS, XENFORK_E_NOTFOUND);
    refused(s, s->src, 0, XENFORK_E_INVAL);
    refused(s, s->src, 3600001, XENFORK_E_INVAL);
    fake_domain(s->src)->passthrough_count = 1;
    refused(s, s->src, TIMEOUT_MS, XENFORK_E_PASSTHROUGH);
    fake_domain(s->src)->passthrough_count = 0;
    fake_domain(s->src)->can_suspend = false;
    refused(s, s->src, TIMEOUT_MS, XENFORK_E_NOSUSPEND);
    fake_domain(s->src)->can_suspend = true;
    fake_domain(s->src)->on_suspend = FAKE_IGNORES;
    refused(s, s->src, TIMEOUT_MS, XENFORK_E_TIMEOUT);
    fake_domain(s->src)->on_suspend = FAKE_OBEYS;
    fake->cannot_share = true;
    refused(s, s->src, TIMEOUT_MS, XENFORK_E_HYPERVISOR);
    fake->cannot_share = false;
    fake_domain(s->src)->pod_entries = 1;
    refused(s, s->src, TIMEOUT_MS, XENFORK_E_HYPERVISOR);
    fake_domain(s->src)->pod_entries = 0;
    /* Freezing itself takes no memory. */
    fake->free_pages = 0;
    assert_int_equal(freeze(NULL), 0);
}

static void test_image_is_not_frozen(void **state)
{
    struct scene *s = *state;

    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    refused(s, scene_image(), TIMEOUT_MS, XENFORK_E_INVAL);
}

/* The guest that asked is told, whichever way it ends. */
static void test_answers(void **state)
{
    struct scene *s = *state;
    struct fake_domain *src = fake_domain(s->src);

    strcpy(src->asks, "1");
    src->on_suspend = FAKE_IGNORES;
    assert_int_equal(freeze(NULL), XENFORK_E_TIMEOUT);
    assert_string_equal(src->asks, "0");
    /* Nothing of the host's: texts name paths and domains. */
    assert_string_equal(src->told, "TIMEOUT");
    src->on_suspend = FAKE_OBEYS;
    strcpy(src->asks, "1");
    assert_int_equal(freeze(NULL), 0);
    assert_string_equal(src->asks, "1");
    assert_int_equal(thaw(NULL), 0);
    assert_string_equal(src->asks, "0");
    assert_string_equal(src->told, "");
}

static void prepare(void)
{
    fake_add_guest("src");
}

static void prepare_frozen(void)
{
    fake_add_guest("src");
    assert_int_equal(freeze(NULL), 0);
}

static void prepare_forked(void)
{
    prepare_frozen();
    assert_int_equal(scene_fork(source(), 1, 0), 0);
}

static bool is_frozen(void)
{
    xenfork_ctx *ctx = scene_open();
    uint32_t n = count(ctx, XENFORK_KIND_FROZEN, NULL);

    xenfork_close(ctx);
    return n == 1 && is_suspended();
}

static bool is_thawed(void)
{
    xenfork_ctx *ctx = scene_open();
    uint32_t n = count(ctx, XENFORK_KIND_FROZEN, NULL);

    xenfork_close(ctx);
    return n == 0 && !is_suspended() && fake_domain_named("src-1") &&
           !strcmp(fake_domain(source())->guest.role, "source");
}

static int fork_frozen(void *opaque)
{
    (void)opaque;
    return scene_fork(source(), 1, 0);
}

/* One more clone, and the source waits still. */
static bool is_forked(void)
{
    return is_frozen() && fake_domain_named("src-1") &&
           !fake_domain_named("src-1")->is_paused;
}

static bool is_forked_again(void)
{
    return is_forked() && fake_domain_named("src-2") &&
           !fake_domain_named("src-2")->is_paused;
}

/* Called again it finds nothing to thaw: that is where it should be. */
static int thaw_once(void *opaque)
{
    return is_suspended() ? thaw(opaque) : 0;
}

static const struct sweep sweeps[] = {
    {"freeze", SWEEP_UNDOES, prepare, freeze, is_frozen, 0},
    {"first fork", SWEEP_UNDOES, prepare_frozen, fork_frozen, is_forked, 0},
    {"later fork", SWEEP_UNDOES, prepare_forked, fork_frozen, is_forked_again,
     0},
    {"thaw", SWEEP_REPEATS, prepare_forked, thaw_once, is_thawed, 0},
};

static void test_failures(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
        sweep_failures(&sweeps[i]);
}

static void test_residues(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
        sweep_residues(&sweeps[i]);
}

static void test_crashes(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sweeps) / sizeof(sweeps[0]); i++)
        sweep_crashes(&sweeps[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_freeze),
        TEST(test_thaw),
        TEST(test_thaw_saved),
        TEST(test_ends_in_list),
        TEST(test_paused_source),
        TEST(test_one_image),
        TEST(test_image_stays_while_frozen),
        TEST(test_thaw_leaves_clones),
        TEST(test_not_frozen_any_more),
        TEST(test_lost_image_is_made_anew),
        TEST(test_refusals),
        TEST(test_image_is_not_frozen),
        TEST(test_answers),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_residues),
        cmocka_unit_test(test_crashes),
    };

    return cmocka_run_group_tests_name("freeze", tests, NULL, NULL);
}
