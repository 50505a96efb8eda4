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
#include "op/domain.h"
#include "op/reserve.h"
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

/* What it lacks, and has not in reserve. */
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
    /* Of the ten that are its own it has used one, when it is hydrated. */
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
    uint32_t skip;

    (void)state;
    for (skip = 0; skip < 12; skip++) {
        fake_fail_function("xenfork__xen_claim", XENFORK_E_HOSTMEM, skip);
        fake->fail_name_count = 1;
        if (fork_some(1, 0, 0) == 0) {
            fake_disarm();
            assert_int_equal(uncovered(clone_of()), 0);
            assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
        }
        fake_disarm();
    }
}

static void test_never_hydrated(void **state)
{
    (void)state;
    assert_int_equal(fork_some(1, 0, XENFORK_FORK_NO_HYDRATE), 0);
    assert_int_equal(uncovered(clone_of()), 0);
    assert_true(clone_of()->claimed_pages > 0);
    /* Its user has second thoughts. */
    assert_int_equal(scene_hydrate(ctx, clone_of()->domid), 0);
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_covered), TEST(test_used_up),        TEST(test_half),
        TEST(test_refused), TEST(test_never_hydrated), TEST(test_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
