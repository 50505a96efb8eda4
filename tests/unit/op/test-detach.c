/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detach.c, detach-memory.c: memory of its own, and what ends it early. */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ids.h"
#include "../lib/clone-scene.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/named.h"
#include "../lib/scene.h"
#include "state/lock.h"
#include "state/record.h"

static void test_memory(void **state)
{
    struct clone_scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);

    assert_int_equal(clone_detached(s), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(fake_private_pages(clone), clone->page_count);
    assert_true(fake_same_memory(s->clone, s->src));
    assert_int_equal(clone->claimed_pages, 0);
    assert_int_equal(clone_detached(s), 100);
    /* The last one that shared with the image. */
    assert_true(fake_domain(s->image)->is_dying);
    /* Once more: there is nothing to do. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    /* Its own, and still ours to end. */
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
}

static void test_too_little(void **state)
{
    struct clone_scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);
    uint64_t claimed;

    assert_int_equal(scene_hydrate(s->ctx, s->clone), 0);
    fake_write(s->clone, 1, 4711);
    claimed = clone->claimed_pages;
    fake->free_pages = fake_claimed() + 1;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_HOSTMEM);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(clone->claimed_pages, claimed);
    assert_true(clone_detached(s) < 100);
}

static void stop_it(void *opaque, int stage, uint32_t index, uint64_t done,
                    uint64_t total)
{
    const struct clone_scene *s = opaque;
    xenfork_ctx *other;

    (void)index;
    (void)done;
    (void)total;
    if (stage != XENFORK_STAGE_DETACH)
        return;
    other = scene_open();
    assert_int_equal(xenfork_detach_stop(other, "src-1"), 0);
    assert_int_equal(xenfork_detach(other, "src-1", NULL, NULL, 0),
                     XENFORK_E_BUSY);
    xenfork_close(other);
    xenfork_set_progress(s->ctx, NULL, NULL);
}

static void test_stopped(void **state)
{
    struct clone_scene *s = *state;

    xenfork_set_progress(s->ctx, stop_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_CANCELLED);
    assert_true(clone_detached(s) < 100);
    assert_true(fake_same_memory(s->clone, s->src));
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(clone_detached(s), 100);
}

/* So slow that it would sleep for minutes: it is stopped at once. */
static void test_slow(void **state)
{
    struct clone_scene *s = *state;
    uint64_t start = xenfork__now_ns();

    xenfork_set_progress(s->ctx, stop_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 1),
                     XENFORK_E_CANCELLED);
    assert_true(xenfork__now_ns() - start < 4000000000U);
}

/* Pages of its own do not count for the limit of speed. */
static void test_speed(void **state)
{
    struct clone_scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);
    uint64_t gfn, start;

    for (gfn = 1; gfn < clone->page_count; gfn++)
        assert_int_equal(xenfork__xen_unshare(s->ctx, s->clone, &gfn, 1), 0);
    start = xenfork__now_ns();
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 16), 0);
    assert_true(xenfork__now_ns() - start < 4000000000U);
    assert_int_equal(clone_detached(s), 100);
}

static void cancel_it(void *opaque, int stage, uint32_t index, uint64_t done,
                      uint64_t total)
{
    const struct clone_scene *s = opaque;

    (void)index;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_DETACH)
        xenfork_cancel(s->ctx);
}

static void test_cancelled(void **state)
{
    struct clone_scene *s = *state;

    xenfork_set_progress(s->ctx, cancel_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_CANCELLED);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_true(clone_detached(s) < 100);
}

/* Its domain is gone: it is about its disks. */
static void test_gone(void **state)
{
    struct clone_scene *s = *state;

    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(clone_detached(s), 100);
}

static int detach_it(void *opaque)
{
    return xenfork_detach(((struct clone_scene *)opaque)->ctx, "src-1", NULL,
                          NULL, 0);
}

/* Killed at every call: nothing stays reserved for it. */
static void test_killed(void **state)
{
    struct clone_scene *s = *state;
    bool is_killed = true;
    uint64_t claimed, most = 0;
    uint32_t n;
    int rc;

    for (n = 1; is_killed; n++) {
        assert_int_equal(scene_hydrate(s->ctx, s->clone), 0);
        claimed = fake_domain(s->clone)->claimed_pages;
        fake_crash_at(n, FAKE_AFTER);
        is_killed = fake_crash(detach_it, s, &rc);
        fake_disarm();
        if (fake_domain(s->clone)->claimed_pages > most)
            most = fake_domain(s->clone)->claimed_pages;
        if (is_killed)
            assert_int_equal(xenfork_recover(s->ctx), 0);
        /* Some of it may have been used. */
        assert_in_range(fake_domain(s->clone)->claimed_pages, 0, claimed);
        clone_teardown(state);
        clone_setup(state);
        s = *state;
    }
    assert_int_equal(rc, 0);
    assert_true(most > claimed);
}

/* Saved, it has the old paths in that file: nothing is moved or removed. */
static void test_saved(void **state)
{
    struct clone_scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork_clone_leaves(s->ctx, "src-1", "saved in f", 0), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "saved in f"));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(access(old, F_OK), 0);
}

/* As xl save does it before it begins. */
static void save_in_the_middle(void *opaque, int stage, uint32_t clone,
                               uint64_t done, uint64_t total)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    (void)clone;
    if (stage == XENFORK_STAGE_DETACH && total && done * 2 > total)
        assert_int_equal(xenfork_clone_leaves(ctx, "src-1", "saved in f", 0),
                         0);
    xenfork_close(ctx);
}

static void test_saved_meanwhile(void **state)
{
    struct clone_scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    xenfork_set_progress(s->ctx, save_in_the_middle, NULL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_INUSE);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_int_equal(access(old, F_OK), 0);
}

/* xl save to the file of an earlier xl save -c has not suspended it yet. */
static void test_saved_again(void **state)
{
    struct clone_scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    fake->process = 4711;
    assert_int_equal(xenfork_clone_leaves(s->ctx, "src-1", "saved in f", 4711),
                     0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "saved in f"));
    assert_string_equal(fake_domain(s->clone)->disks[0].path, old);
    fake->process = 0; /* it was xl save -c, and has ended */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

static void test_names(void **state)
{
    struct clone_scene *s = *state;

    assert_int_equal(xenfork_detach(s->ctx, NULL, NULL, NULL, 0),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_detach(s->ctx, "nobody", NULL, NULL, 0),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_detach(s->ctx, "src", NULL, NULL, 0),
                     XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_detach_stop(s->ctx, "src"), XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_detach_stop(s->ctx, "src-1"), 0);
    /* The request is older than the detach: it goes on. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, clone_setup, clone_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_memory), TEST(test_too_little),      TEST(test_stopped),
        TEST(test_slow),   TEST(test_speed),           TEST(test_cancelled),
        TEST(test_gone),   TEST(test_names),           TEST(test_killed),
        TEST(test_saved),  TEST(test_saved_meanwhile), TEST(test_saved_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
