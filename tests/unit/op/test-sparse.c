/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest maps its pages as far apart as it likes: our work has an end. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "op/walk.h"
#include "../lib/scene.h"

#define FAR ((UINT64_C(1) << 36) - 1) /* where EPT ends */
/* Calls for what lies in a walk, but at its worst. */
#define FEW  (XENFORK__WALK_GAP / 256)
#define MANY (2 * XENFORK__WALK_SLACK / 512)

static void has_made(uint32_t most)
{
    assert_in_range(fake_calls(), 1, most);
    fake_disarm();
}

/* A page that Xen does not count, as the one that it shares with the guest. */
static void test_far_and_uncounted(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->max_gfn = FAR;
    fake_disarm();
    assert_int_equal(fork_it(s, s->src), 0);
    has_made(FEW);
    assert_int_equal(
        scene_hydrate(s->ctx,
                      xenfork_clone_domid(xenfork_result_clone(s->result, 0))),
        0);
    has_made(FEW);
    assert_true(fake_same_memory(
        s->src, xenfork_clone_domid(xenfork_result_clone(s->result, 0))));
}

/* A page that its clones would have to have. */
static void test_far_apart(void **state)
{
    struct fork_scene *s = *state;
    char *before;

    assert_true(fake_add_page(fake_domain(s->src), FAR, 1));
    before = fake_snapshot();
    fake_disarm();
    assert_int_equal(fork_it(s, s->src), XENFORK_E_HYPERVISOR);
    has_made(MANY);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "fffffffff"));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_true(fake_is_same(before, "far apart"));
    free(before);
}

/* Within bounds, however: nothing is left out. */
static void test_apart(void **state)
{
    static const uint64_t gfns[] = {XENFORK__WALK_GAP - 1,
                                    XENFORK__WALK_GAP * 3 / 2,
                                    XENFORK__WALK_SLACK + 50};
    struct fork_scene *s = *state;
    uint32_t clone;
    uint64_t content;
    size_t i;

    for (i = 0; i < ARRAY_SIZE(gfns); i++)
        assert_true(fake_add_page(fake_domain(s->src), gfns[i], 100 + i));
    assert_int_equal(fork_it(s, s->src), 0);
    clone = xenfork_clone_domid(xenfork_result_clone(s->result, 1));
    assert_int_equal(scene_hydrate(s->ctx, clone), 0);
    for (i = 0; i < ARRAY_SIZE(gfns); i++) {
        assert_non_null(fake_page(fake_domain(clone), gfns[i]));
        assert_true(fake_read(clone, gfns[i], &content));
        assert_int_equal(content, 100 + i);
    }
    assert_int_equal(xenfork_detach(s->ctx, "src-2", NULL, NULL, 0), 0);
    assert_int_equal(fake_private_pages(fake_domain(clone)),
                     fake_domain(clone)->page_count);
}

/* A clone that means harm: its image is not held for ever. */
static void test_clone_goes_far(void **state)
{
    struct fork_scene *s = *state;
    uint32_t clone;

    assert_int_equal(fork_it(s, s->src), 0);
    clone = xenfork_clone_domid(xenfork_result_clone(s->result, 0));
    assert_true(fake_add_page(fake_domain(clone), FAR, 1));
    fake_disarm();
    assert_int_equal(scene_hydrate(s->ctx, clone), 0);
    has_made(FEW);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    has_made(FEW);
    assert_int_equal(fake_private_pages(fake_domain(clone)),
                     fake_domain(clone)->page_count);
}

/* Fork of a clone that has touched little: Xen counts less than there is. */
static void test_unhydrated_clone(void **state)
{
    struct fork_scene *s = *state;
    uint32_t clone;

    assert_true(fake_add_page(fake_domain(s->src), 2 * XENFORK__WALK_GAP, 7));
    assert_int_equal(fork_it(s, s->src), 0);
    clone = xenfork_clone_domid(xenfork_result_clone(s->result, 0));
    xenfork_result_free(s->result);
    s->result = NULL;
    assert_int_equal(fork_it(s, clone), 0);
    assert_true(fake_same_memory(
        s->src, xenfork_clone_domid(xenfork_result_clone(s->result, 0))));
    assert_non_null(
        fake_page(fake_domain(scene_image()), 2 * XENFORK__WALK_GAP));
}

static void cancel_soon(void *opaque, int stage, uint32_t clone, uint64_t done,
                        uint64_t total)
{
    (void)clone;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_PREPARE && fake_calls() > 100)
        xenfork_cancel(opaque);
}

static void test_cancelled(void **state)
{
    struct fork_scene *s = *state;
    char *before;

    assert_true(fake_add_page(fake_domain(s->src), FAR, 1));
    before = fake_snapshot();
    xenfork_set_progress(s->ctx, cancel_soon, s->ctx);
    fake_disarm();
    assert_int_equal(fork_it(s, s->src), XENFORK_E_CANCELLED);
    has_made(400);
    assert_true(fake_is_same(before, "cancelled"));
    free(before);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_far_and_uncounted),
        TEST(test_far_apart),
        TEST(test_apart),
        TEST(test_clone_goes_far),
        TEST(test_unhydrated_clone),
        TEST(test_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
