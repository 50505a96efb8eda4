/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* claims.c: a source has in reserve what it shares, and no longer. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "base/ids.h"
#include "op/domain.h"
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

static int fork_as(uint32_t domid, const char *name, uint64_t reserve_pages)
{
    xenfork_result *result = NULL;
    xenfork_spec *spec = NULL;
    int rc;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_name(spec, 0, name), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, reserve_pages * 4), 0);
    rc = xenfork_fork(ctx, domid, spec, &result);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    return rc;
}

static uint32_t id(const char *name)
{
    return fake_domain_named(name)->domid;
}

/* Fork a domain, and hydrate the clone. */
static void fork_whole(uint32_t domid, const char *name, uint64_t reserve_pages)
{
    assert_int_equal(fork_as(domid, name, reserve_pages), 0);
    assert_int_equal(scene_hydrate(ctx, id(name)), 0);
}

static uint64_t claim(void)
{
    return fake_domain(source)->claimed_pages;
}

static void destroy(const char *name)
{
    assert_int_equal(xenfork_clone_destroy(ctx, name, 0), 0);
}

static void destroy_image(const char *name)
{
    assert_int_equal(xenfork_image_destroy(ctx, name), 0);
}

/* A clone that was forked has its own again when nobody shares with it. */
static void test_clone(void **state)
{
    struct fake_domain *a;

    (void)state;
    fork_whole(source, "a", 10);
    a = fake_domain_named("a");
    assert_int_equal(a->claimed_pages, 10);
    fork_whole(a->domid, "b", 0);
    assert_true(a->claimed_pages > 10);
    destroy("b");
    assert_int_equal(a->claimed_pages, 10);
}

/* So it is where the fork fails. */
static void test_failed(void **state)
{
    struct fake_domain *a;

    (void)state;
    fork_whole(source, "a", 10);
    a = fake_domain_named("a");
    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_XEN, 0);
    assert_int_equal(fork_as(a->domid, "b", 0), XENFORK_E_XEN);
    fake_disarm();
    assert_int_equal(a->claimed_pages, 10);
}

/* One that lacks pages keeps them in reserve. */
static void test_not_hydrated(void **state)
{
    struct fake_domain *a;
    uint64_t lacks;

    (void)state;
    assert_int_equal(fork_as(source, "a", 0), 0);
    a = fake_domain_named("a");
    lacks = PAGES - fake_private_pages(a);
    assert_int_equal(a->claimed_pages, lacks);
    fork_whole(a->domid, "b", 0);
    destroy("b");
    assert_int_equal(a->claimed_pages, PAGES - fake_private_pages(a));
    assert_int_equal(scene_hydrate(ctx, a->domid), 0);
    assert_int_equal(a->claimed_pages, 0);
}

/* Clones whose image is destroyed share with the source all the same. */
static void test_without_image(void **state)
{
    (void)state;
    fork_whole(source, "a", 0);
    fork_whole(source, "b", 0);
    destroy_image("src@fork-1");
    destroy_image("src@fork-2");
    assert_true(claim() > 0);
    /* The fork of another, and its end; and one that fails. */
    fork_whole(source, "c", 0);
    destroy("c");
    assert_true(claim() > 0);
    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_XEN, 0);
    assert_int_equal(fork_as(source, "c", 0), XENFORK_E_XEN);
    fake_disarm();
    assert_true(claim() > 0);
    destroy("a");
    assert_true(claim() > 0);
    destroy("b");
    assert_int_equal(claim(), 0);
}

/* A clone of a clone has the first source's pages, too. */
static void test_grandchild(void **state)
{
    (void)state;
    fork_whole(source, "a", 0);
    fork_whole(id("a"), "b", 0);
    destroy("a");
    assert_true(claim() > 0);
    destroy_image("a@fork-1");
    assert_true(claim() > 0);
    destroy("b");
    assert_int_equal(claim(), 0);
}

/* A clone that ends by itself, or shares no more, is found by the sweep. */
static void test_sweep(void **state)
{
    (void)state;
    fork_whole(source, "a", 0);
    destroy_image("src@fork-1");
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_true(claim() > 0);
    fake_domain_named("a")->is_dying = true;
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_int_equal(claim(), 0);
    fork_whole(source, "b", 0);
    destroy_image("src@fork-1");
    assert_true(claim() > 0);
    assert_int_equal(xenfork_detach(ctx, "b", NULL, NULL, 0), 0);
    assert_int_equal(claim(), 0);
}

/* Another operation is on the source: its image is forgotten later. */
static void test_busy(void **state)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char uuid[XENFORK__UUID_CHARS];

    (void)state;
    fork_whole(source, "a", 0);
    xenfork__uuid_print(fake_domain(source)->uuid, uuid);
    assert_int_equal(xenfork__lock_take(ctx, uuid, false, &lock), 0);
    destroy("a");
    assert_true(claim() > 0);
    xenfork__lock_drop(lock);
    lock = NULL;
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_int_equal(claim(), 0);
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

/* A process that is stopped while it has the registry is named. */
static void test_registry(void **state)
{
    cleanup_lock struct xenfork__lock *lock = NULL, *other = NULL;
    uint64_t before = claim();
    char pid[24];

    (void)state;
    snprintf(pid, sizeof(pid), "process %d ", (int)getpid());
    assert_int_equal(
        xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock), 0);
    ctx->registry_ms = 1000;
    assert_int_equal(fork_as(source, "a", 0), XENFORK_E_BUSY);
    assert_non_null(strstr(xenfork_error_text(ctx), "registry"));
    if (access("/proc/locks", R_OK) == 0) {
        assert_non_null(strstr(xenfork_error_text(ctx), pid));
        assert_non_null(strstr(xenfork_error_remedy(ctx), "kill -CONT"));
    }
    assert_int_equal(claim(), before);
    /* What must be completed waits to the end; anything else can be ended. */
    ctx->registry_ms = 200;
    ctx->is_cancelled = 1;
    ctx->is_firm = true;
    assert_int_equal(
        xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &other),
        XENFORK_E_BUSY);
    ctx->is_firm = false;
    assert_int_equal(
        xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &other),
        XENFORK_E_CANCELLED);
    ctx->is_cancelled = 0;
    ctx->registry_ms = 0;
    xenfork__lock_drop(lock);
    lock = NULL;
    assert_int_equal(fork_as(source, "a", 0), 0);
}

/* Somebody takes all that nobody has claimed, while pages are shared. */
static void take_the_rest(void *opaque, int stage, uint32_t clone,
                          uint64_t done, uint64_t total)
{
    uint64_t *taken = opaque;

    (void)clone;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_PREPARE && !*taken) {
        *taken = fake->free_pages - fake_claimed();
        fake->free_pages -= *taken;
    } else if (stage == XENFORK_STAGE_FORK && *taken) {
        fake->free_pages += *taken;
        *taken = 0;
    }
}

/* A fork that was admitted has what it was promised, with Xen's records. */
static void test_promised(void **state)
{
    uint64_t taken = 0;

    (void)state;
    fake->has_records = true;
    xenfork_set_progress(ctx, take_the_rest, &taken);
    assert_int_equal(fork_as(source, "a", 0), 0);
    assert_true(fake_same_memory(source, id("a")));
    fake_write(source, 3, 7);
    fake_domain(source)->is_paused = true;
    assert_int_equal(fork_as(source, "b", 0), 0);
    assert_true(fake_same_memory(source, id("b")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_clone),        TEST(test_failed),
        TEST(test_not_hydrated), TEST(test_without_image),
        TEST(test_grandchild),   TEST(test_sweep),
        TEST(test_busy),         TEST(test_registry),
        TEST(test_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
