/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reserve.c: a clone that lacks pages never runs without memory for them. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "base/ids.h"
#include "op/domain.h"
#include "op/reserve.h"
#include "state/lock.h"
#include "../lib/scene.h"

#define PAGES 69U /* of the guest */

static xenfork_ctx *ctx;
static uint32_t source;

static int setup(void **state)
{
    (void)state;
    source = scene_source();
    ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xenfork_close(ctx);
    fake_teardown();
    return 0;
}

static int fork_some(uint32_t count, uint64_t reserve_pages, uint32_t flags)
{
    xenfork_result *result = NULL;
    xenfork_spec *spec = NULL;
    int rc;

    assert_int_equal(xenfork_spec_new(count, &spec), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, reserve_pages * 4), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, flags), 0);
    rc = xenfork_fork(ctx, source, spec, &result);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    return rc;
}

static struct fake_domain *clone_of(void)
{
    return fake_domain_named("src-1");
}

static uint32_t hydrated(const struct fake_domain *d)
{
    cleanup_record struct xenfork__record *record = NULL;

    assert_int_equal(
        xenfork__record_load(ctx, XENFORK_KIND_CLONE, d->uuid, &record), 0);
    return record->hydrated;
}

/* Return how many pages it lacks, and has not in reserve. */
static uint64_t uncovered(const struct fake_domain *d)
{
    uint64_t have = fake_private_pages(d) + d->claimed_pages;

    return hydrated(d) == 100 || have >= PAGES ? 0 : PAGES - have;
}

static void test_covered(void **state)
{
    uint64_t owned;

    (void)state;
    assert_int_equal(fork_some(1, 10, 0), 0);
    owned = fake_private_pages(clone_of());
    assert_int_equal(hydrated(clone_of()), 0);
    assert_int_equal(owned + clone_of()->claimed_pages, PAGES);
    /* It has used one of its ten pages when it is hydrated. */
    fake_write(clone_of()->domid, 3, 4711);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(fake_private_pages(clone_of()), owned + 1);
    assert_int_equal(clone_of()->claimed_pages, 9);
    /* Once more changes nothing. */
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(clone_of()->claimed_pages, 9);
}

static void test_used_up(void **state)
{
    (void)state;
    assert_int_equal(fork_some(1, 0, 0), 0);
    fake_write(clone_of()->domid, 3, 4711);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(clone_of()->claimed_pages, 0);
}

/* Half of what is free is as much as it takes. */
static void test_half(void **state)
{
    struct xenfork__reservation reservation = {0};
    cleanup_record struct xenfork__record *record = NULL;
    bool is_covered = true;
    uint64_t lacks;

    (void)state;
    assert_int_equal(fork_some(1, 0, 0), 0);
    lacks = clone_of()->claimed_pages;
    clone_of()->claimed_pages = 0;
    assert_int_equal(xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                          clone_of()->uuid, &record),
                     0);
    fake->free_pages = fake_claimed() + 2 * lacks - 1;
    assert_int_equal(xenfork__cover(ctx, record, &reservation, &is_covered), 0);
    assert_false(is_covered);
    assert_int_equal(clone_of()->claimed_pages, 0);
    fake->free_pages = fake_claimed() + 2 * lacks;
    assert_int_equal(xenfork__cover(ctx, record, &reservation, &is_covered), 0);
    assert_true(is_covered);
    assert_int_equal(clone_of()->claimed_pages, lacks);
}

/* The claim itself fails: another was faster. */
static void test_refused(void **state)
{
    uint32_t skip, made = 0, refused = 0;

    (void)state;
    for (skip = 0; skip < 12; skip++) {
        int rc;

        fake_fail_function("xenfork__xen_claim", XENFORK_E_HOSTMEM, skip);
        fake->fail_name_count = 1;
        rc = fork_some(1, 0, 0);
        fake_disarm();
        if (rc == 0) {
            made++;
            assert_int_equal(uncovered(clone_of()), 0);
            assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
        } else {
            refused++;
            assert_int_equal(rc, XENFORK_E_HOSTMEM);
            assert_int_equal(fake_claimed(), 0);
        }
    }
    assert_true(made > 0 && refused > 0);
}

static void test_never_hydrated(void **state)
{
    (void)state;
    assert_int_equal(fork_some(1, 0, XENFORK_FORK_NO_HYDRATE), 0);
    assert_int_equal(uncovered(clone_of()), 0);
    assert_true(clone_of()->claimed_pages > 0);
    /* Its user has second thoughts: then it has what --reserve says. */
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(clone_of()->claimed_pages, 0);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    assert_int_equal(fork_some(1, 10, XENFORK_FORK_NO_HYDRATE), 0);
    fake_write(clone_of()->domid, 3, 4711);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(clone_of()->claimed_pages, 9);
}

/* A clone that is a source keeps what it has for that. */
static void test_source(void **state)
{
    uint64_t claimed;

    (void)state;
    assert_int_equal(fork_some(1, 0, 0), 0);
    source = clone_of()->domid;
    assert_int_equal(fork_some(1, 0, 0), 0);
    claimed = clone_of()->claimed_pages;
    assert_true(claimed > 0);
    assert_int_equal(scene_hydrate(ctx, source), 0);
    assert_int_equal(clone_of()->claimed_pages, claimed);
}

static int fork_with(uint32_t percent, uint64_t leave_kib, uint64_t *kib_out)
{
    xenfork_result *result = NULL;
    xenfork_spec *spec = NULL;
    int rc;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_reserve_percent(spec, 0), 0);
    assert_int_equal(xenfork_spec_set_source_reserve(spec, percent), 0);
    assert_int_equal(xenfork_spec_set_leave_kib(spec, leave_kib), 0);
    rc = xenfork_fork(ctx, source, spec, &result);
    *kib_out = xenfork_result_kib(result, XENFORK_RESULT_SOURCE);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    return rc;
}

/* What it has not touched yet it shares with its own clone, too. */
static void test_source_is_not_hydrated(void **state)
{
    uint64_t kib;

    (void)state;
    assert_int_equal(fork_some(1, 0, 0), 0);
    source = clone_of()->domid;
    assert_int_equal(hydrated(clone_of()), 0);
    assert_int_equal(fork_with(100, 0, &kib), 0);
    assert_int_equal(kib, PAGES * 4);
    assert_true(fake_private_pages(clone_of()) + clone_of()->claimed_pages >=
                PAGES);
}

/* Only a source that waits when it finds no memory has less in reserve. */
static void test_source_reserve(void **state)
{
    struct fake_domain *d = fake_domain(source);
    uint64_t kib;

    (void)state;
    assert_int_equal(fork_with(25, 0, &kib), 0);
    assert_int_equal(kib, PAGES * 4);
    assert_int_equal(d->claimed_pages + fake_private_pages(d), PAGES);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    d->has_ring = true;
    assert_int_equal(fork_with(25, 0, &kib), 0);
    assert_int_equal(kib, 18 * 4);
    assert_int_equal(d->claimed_pages, 18);
    /* The next fork replaces what it has used up. */
    fake_write(source, 3, 4711);
    assert_int_equal(d->claimed_pages, 17);
    assert_int_equal(fork_with(25, 0, &kib), 0);
    assert_int_equal(d->claimed_pages, 18);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    assert_int_equal(d->claimed_pages, 18);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    assert_int_equal(d->claimed_pages, 0);
}

static void test_lower(void **state)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    struct fake_domain *d = fake_domain(source);
    char uuid[XENFORK__UUID_CHARS];
    uint64_t kib, pages;

    (void)state;
    assert_int_equal(fork_with(100, 0, &kib), 0);
    /* It would crash. */
    assert_int_equal(xenfork__source_lower(ctx, source, 25, &pages), 0);
    assert_int_equal(pages, 0);
    assert_true(d->claimed_pages > 18);
    d->has_ring = true;
    xenfork__uuid_print(d->uuid, uuid);
    assert_int_equal(xenfork__lock_take(ctx, uuid, false, &lock), 0);
    assert_int_equal(xenfork__source_lower(ctx, source, 25, &pages),
                     XENFORK_E_BUSY);
    xenfork__lock_drop(lock);
    lock = NULL;
    assert_int_equal(xenfork__source_lower(ctx, source, 25, &pages), 0);
    assert_int_equal(pages, 18);
    assert_int_equal(d->claimed_pages, 18);
    assert_int_equal(xenfork__source_lower(ctx, source, 25, &pages), 0);
    assert_int_equal(pages, 0);
    /* A clone keeps what it lacks. */
    clone_of()->has_ring = true;
    assert_int_equal(xenfork__source_lower(ctx, clone_of()->domid, 0, &pages),
                     0);
    assert_int_equal(pages, 0);
    assert_int_equal(uncovered(clone_of()), 0);
}

/* Memory that is to be left free is asked for, and not taken. */
static void test_leave(void **state)
{
    uint64_t kib, before = fake->free_pages;

    (void)state;
    assert_int_equal(fork_with(100, before * 4, &kib), XENFORK_E_HOSTMEM);
    assert_non_null(fake_domain(source));
    assert_int_equal(fake_claimed(), 0);
    assert_int_equal(fork_with(100, before * 2, &kib), 0);
}

/* A page that Xen cannot give is no hole: the clone is not hydrated. */
static void test_no_memory(void **state)
{
    uint64_t claimed;

    (void)state;
    assert_int_equal(fork_some(1, 10, 0), 0);
    claimed = clone_of()->claimed_pages;
    fake->lacks_records = true;
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), XENFORK_E_HOSTMEM);
    assert_true(xenfork_error_remedy(ctx)[0]);
    assert_true(hydrated(clone_of()) < 100);
    assert_int_equal(clone_of()->claimed_pages, claimed);
    fake->lacks_records = false;
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(hydrated(clone_of()), 100);
}

/* Nothing takes the place of an image that is lost. */
static void test_lost_image(void **state)
{
    uint64_t claimed;

    (void)state;
    assert_int_equal(fork_some(1, 10, XENFORK_FORK_KEEP_IMAGE), 0);
    claimed = clone_of()->claimed_pages;
    assert_int_equal(xenfork__xen_destroy(ctx, scene_image()), 0);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), XENFORK_E_NOTRUNNING);
    assert_true(xenfork_error_remedy(ctx)[0]);
    assert_true(hydrated(clone_of()) < 100);
    assert_int_equal(clone_of()->claimed_pages, claimed);
}

/* A clone that has all does not ask for its image. */
static void test_image_not_needed(void **state)
{
    (void)state;
    assert_int_equal(fork_some(1, 10, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
    assert_int_equal(xenfork__xen_destroy(ctx, scene_image()), 0);
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_covered),
        TEST(test_used_up),
        TEST(test_half),
        TEST(test_refused),
        TEST(test_never_hydrated),
        TEST(test_source),
        TEST(test_no_memory),
        TEST(test_lost_image),
        TEST(test_image_not_needed),
        TEST(test_source_is_not_hydrated),
        TEST(test_source_reserve),
        TEST(test_lower),
        TEST(test_leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
