/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.c: the host's memory at a glance. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "state/journal-private.h"
#include "xen/host-memory.h"

static xenfork_ctx *ctx;
static uint32_t source;
static xenfork_memory *memory;

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
    xenfork_memory_free(memory);
    memory = NULL;
    xenfork_close(ctx);
    fake_teardown();
    return 0;
}

static void fork_one(const char *name, uint32_t priority, uint32_t percent)
{
    xenfork_result *result = NULL;
    xenfork_spec *spec = NULL;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_name(spec, 0, name), 0);
    assert_int_equal(xenfork_spec_set_priority(spec, priority), 0);
    assert_int_equal(xenfork_spec_set_reserve_percent(spec, percent), 0);
    assert_int_equal(xenfork_fork(ctx, source, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
}

static void look(void)
{
    xenfork_memory_free(memory);
    memory = NULL;
    assert_int_equal(xenfork_memory_open(ctx, &memory), 0);
}

static uint32_t row(const char *name)
{
    uint32_t i, found = xenfork_memory_domain_count(memory);

    for (i = 0; i < xenfork_memory_domain_count(memory); i++)
        if (!strcmp(xenfork_domain_name(xenfork_memory_domain(memory, i)),
                    name)) {
            assert_int_equal(found, xenfork_memory_domain_count(memory));
            found = i;
        }
    return found;
}

static uint64_t host(int what)
{
    return xenfork_memory_host_kib(memory, what) / XENFORK__PAGE_KIB;
}

static uint64_t pages(const char *name, int what)
{
    return xenfork_domain_kib(xenfork_memory_domain(memory, row(name)), what) /
           XENFORK__PAGE_KIB;
}

static void test_nothing(void **state)
{
    (void)state;
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 0);
    assert_int_equal(host(XENFORK_MEMORY_TOTAL), FAKE_HOST_PAGES);
    assert_int_equal(host(XENFORK_MEMORY_FREE), fake->free_pages);
    assert_int_equal(host(XENFORK_MEMORY_SHARED), 0);
    assert_int_equal(host(9), 0);
}

static void test_family(void **state)
{
    const struct fake_domain *clone;

    (void)state;
    fork_one("a", 50, 0);
    clone = fake_domain_named("a");
    assert_int_equal(scene_hydrate(ctx, clone->domid), 0);
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 3);
    assert_int_equal(xenfork_domain_kind(xenfork_memory_domain(memory, 0)),
                     XENFORK_KIND_SOURCE);
    assert_string_equal(xenfork_domain_name(xenfork_memory_domain(memory, 0)),
                        "src");
    assert_int_equal(xenfork_domain_domid(xenfork_memory_domain(memory, 0)),
                     source);
    assert_int_equal(xenfork_domain_kind(xenfork_memory_domain(memory, 1)),
                     XENFORK_KIND_IMAGE);
    assert_string_equal(xenfork_domain_state(xenfork_memory_domain(memory, 1)),
                        "image");
    assert_int_equal(xenfork_domain_kind(xenfork_memory_domain(memory, 2)),
                     XENFORK_KIND_CLONE);
    assert_string_equal(xenfork_domain_family(xenfork_memory_domain(memory, 2)),
                        "src");
    assert_string_equal(xenfork_domain_state(xenfork_memory_domain(memory, 2)),
                        "running");
    /* The source has all in reserve that it shares; the clone nothing. */
    assert_int_equal(pages("src", XENFORK_MEMORY_NEED), 0);
    assert_true(pages("src", XENFORK_MEMORY_RESERVED) > 0);
    assert_int_equal(pages("src", XENFORK_MEMORY_RESERVED),
                     host(XENFORK_MEMORY_RESERVED));
    assert_int_equal(pages("a", XENFORK_MEMORY_RESERVED), 0);
    assert_int_equal(pages("a", XENFORK_MEMORY_NEED),
                     pages("a", XENFORK_MEMORY_SHARED));
    /* Most pages have three owners. */
    assert_in_range(host(XENFORK_MEMORY_SAVED), host(XENFORK_MEMORY_SHARED) + 1,
                    2 * host(XENFORK_MEMORY_SHARED));
    assert_int_equal(xenfork_domain_turn(xenfork_memory_domain(memory, 0)), 0);
    assert_int_equal(xenfork_domain_turn(xenfork_memory_domain(memory, 1)), 0);
    assert_int_equal(xenfork_domain_turn(xenfork_memory_domain(memory, 2)), 1);
}

static void test_turns(void **state)
{
    (void)state;
    fork_one("high", 90, 0);
    fork_one("low", 10, 0);
    fork_one("safe", 0, 100);
    fork_one("lazy", 99, 0);
    fork_one("mine", 0, 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("high")->domid), 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("low")->domid), 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("safe")->domid), 0);
    fake_domain_named("mine")->is_paused = true;
    look();
    /* All that it lacks is reserved; as if it were not. */
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("lazy"))), 0);
    fake_domain_named("lazy")->claimed_pages = 0;
    look();
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("lazy"))), 1);
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("low"))), 2);
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("high"))), 3);
    assert_int_equal(
        xenfork_domain_priority(xenfork_memory_domain(memory, row("high"))),
        90);
    /* One that lacks nothing, and one that does not run. */
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("safe"))), 0);
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("mine"))), 0);
    assert_string_equal(
        xenfork_domain_state(xenfork_memory_domain(memory, row("mine"))),
        "paused");
    fake_copy_string(fake_domain_named("mine")->is_short, 16,
                     XENFORK__SHORT_PAUSED);
    fake_copy_string(fake_domain_named("low")->is_short, 16,
                     XENFORK__SHORT_WAITS);
    look();
    assert_string_equal(
        xenfork_domain_state(xenfork_memory_domain(memory, row("mine"))),
        "paused: memory");
    assert_string_equal(
        xenfork_domain_state(xenfork_memory_domain(memory, row("low"))),
        "paused: memory");
}

/* The guard of the host's memory pauses neither: nor is there a turn. */
static void test_no_turn(void **state)
{
    (void)state;
    fork_one("partly", 0, 0);
    fork_one("spared", 0, 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("partly")->domid), 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("spared")->domid), 0);
    fake_domain_named("partly")->claimed_pages = 1;
    look();
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("partly"))), 0);
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("spared"))), 1);
    fake_copy_string(fake_domain_named("spared")->is_short, 16,
                     XENFORK__SHORT_SPARED);
    look();
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("spared"))), 0);
}

/*
 * A clone that xenforkd has paused is neither forked nor frozen: both would let
 * it run, and then keep it paused for ever.
 */
static void test_guarded(void **state)
{
    static const char *const notes[] = {
        XENFORK__SHORT_PAUSING, XENFORK__SHORT_PAUSED, XENFORK__SHORT_RESUMING};
    xenfork_result *result = NULL;
    xenfork_check *check = NULL;
    xenfork_spec *spec = NULL;
    struct fake_domain *a;
    uint32_t i;

    (void)state;
    fork_one("a", 50, 0);
    a = fake_domain_named("a");
    assert_int_equal(scene_hydrate(ctx, a->domid), 0);
    a->is_paused = true;
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    for (i = 0; i < ARRAY_SIZE(notes); i++) {
        fake_copy_string(a->is_short, 16, notes[i]);
        assert_int_equal(xenfork_fork(ctx, a->domid, spec, &result),
                         XENFORK_E_BUSY);
        assert_int_equal(xenfork_freeze(ctx, a->domid, 1000), XENFORK_E_BUSY);
        /* A check names all there is. */
        a->pod_entries = 1;
        assert_int_equal(xenfork_check_open(ctx, a->domid, NULL, &check), 0);
        assert_int_equal(xenfork_check_finding_count(check), 2);
        assert_int_equal(xenfork_finding_code(xenfork_check_finding(check, 0)),
                         XENFORK_E_BUSY);
        assert_non_null(
            strstr(xenfork_finding_remedy(xenfork_check_finding(check, 0)),
                   "memory_ok"));
        xenfork_check_free(check);
        check = NULL;
        a->pod_entries = 0;
        assert_true(a->is_paused && !a->is_shutdown);
        assert_string_equal(a->is_short, notes[i]);
    }
    xenfork_spec_free(spec);
    /* Its user has unpaused it since. */
    a->is_paused = false;
    assert_int_equal(xenfork_freeze(ctx, a->domid, 1000), 0);
}

/* A journal of a fork that was killed while it paused its source. */
static void leave_journal(const struct fake_domain *d)
{
    struct xenfork__journal *journal;

    assert_int_equal(xenfork__journal_begin(ctx, &journal), 0);
    assert_int_equal(
        xenfork__journal_source(ctx, journal, d->uuid, d->domid, false), 0);
    assert_int_equal(xenfork__journal_pausing(ctx, journal), 0);
    xenfork__journal_free(ctx, journal);
}

/* A fork is killed, and xenforkd pauses its source before that is undone. */
static void test_killed_fork(void **state)
{
    struct fake_domain *a;

    (void)state;
    fork_one("a", 50, 0);
    a = fake_domain_named("a");
    assert_int_equal(scene_hydrate(ctx, a->domid), 0);
    a->is_paused = true;
    fake_copy_string(a->is_short, 16, XENFORK__SHORT_PAUSED);
    leave_journal(a);
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_true(a->is_paused);
    /* It had not: the fork has. */
    fake_copy_string(a->is_short, 16, "");
    leave_journal(a);
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_false(a->is_paused);
}

/* Have a clone be another domain, on its disks. */
static uint32_t restore(const struct fake_domain *clone)
{
    struct fake_domain before = *clone, *d;

    assert_int_equal(xenfork__xen_destroy(ctx, clone->domid), 0);
    d = fake_new_domain();
    memcpy(d->uuid, before.uuid, sizeof(d->uuid));
    memcpy(d->name, before.name, sizeof(d->name));
    memcpy(d->disks, before.disks, sizeof(d->disks));
    d->disk_count = before.disk_count;
    return d->domid;
}

/* A source waits, too; domains are called what they are called now. */
static void test_names(void **state)
{
    struct fake_domain *a;
    uint32_t domid;

    (void)state;
    fork_one("a", 50, 0);
    a = fake_domain_named("a");
    assert_int_equal(scene_hydrate(ctx, a->domid), 0);
    fake_copy_string(fake_domain(source)->is_short, 16, XENFORK__SHORT_WAITS);
    fake_copy_string(fake_domain(source)->name, sizeof(a->name), "renamed");
    fake_copy_string(a->name, sizeof(a->name), "b");
    look();
    assert_string_equal(
        xenfork_domain_state(xenfork_memory_domain(memory, row("renamed"))),
        "paused: memory");
    assert_int_equal(
        xenfork_domain_kind(xenfork_memory_domain(memory, row("b"))),
        XENFORK_KIND_CLONE);
    assert_string_equal(
        xenfork_domain_family(xenfork_memory_domain(memory, row("b"))),
        "renamed");
    /* Restored as another domain: it shares nothing, and is never paused. */
    domid = restore(a);
    look();
    assert_int_equal(
        xenfork_domain_domid(xenfork_memory_domain(memory, row("b"))), domid);
    assert_int_equal(pages("b", XENFORK_MEMORY_NEED), 0);
    assert_int_equal(
        xenfork_domain_turn(xenfork_memory_domain(memory, row("b"))), 0);
}

/* A clone without an image, a source that is gone, a clone of a clone. */
static void test_orphans(void **state)
{
    (void)state;
    fork_one("a", 50, 0);
    source = fake_domain_named("a")->domid;
    assert_int_equal(scene_hydrate(ctx, source), 0);
    fork_one("b", 50, 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("b")->domid), 0);
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 5);
    assert_int_equal(
        xenfork_domain_kind(xenfork_memory_domain(memory, row("a"))),
        XENFORK_KIND_CLONE);
    assert_string_equal(
        xenfork_domain_family(xenfork_memory_domain(memory, row("b"))), "a");
    fake_domain_named("src")->is_dying = true;
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 4);
    assert_int_equal(row("src"), 4);
}

/* The source's image is destroyed, its clone shares pages with it. */
static void test_source_without_image(void **state)
{
    (void)state;
    fork_one("a", 50, 0);
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("a")->domid), 0);
    assert_int_equal(xenfork_image_destroy(ctx, "src@fork-1"), 0);
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 2);
    assert_int_equal(
        xenfork_domain_kind(xenfork_memory_domain(memory, row("src"))),
        XENFORK_KIND_SOURCE);
    assert_int_equal(pages("src", XENFORK_MEMORY_NEED),
                     pages("src", XENFORK_MEMORY_SHARED) -
                         pages("src", XENFORK_MEMORY_RESERVED));
    /* Nothing is the source of a domain that is gone. */
    fake_domain_named("a")->is_dying = true;
    look();
    assert_int_equal(xenfork_memory_domain_count(memory), 0);
}

static void test_failures(void **state)
{
    uint32_t n;
    int rc = -1;

    (void)state;
    fork_one("a", 50, 0);
    for (n = 1; rc < 0; n++) {
        fake_fail_at(n);
        rc = xenfork_memory_open(ctx, &memory);
        if (rc < 0)
            assert_null(memory);
        assert_in_range(n, 1, 100);
    }
    fake_disarm();
    assert_true(n > 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_family),
        TEST(test_turns),
        TEST(test_no_turn),
        TEST(test_guarded),
        TEST(test_orphans),
        TEST(test_source_without_image),
        TEST(test_names),
        TEST(test_killed_fork),
        TEST(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
