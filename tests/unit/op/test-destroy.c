/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* destroy.c, find.c, hydrate.c, list.c, recover.c */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ids.h"
#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "state/record.h"

struct scene {
    uint32_t src, image, clone;
    xenfork_ctx *ctx;
    bool is_asked;
};

/* A source, a kept image, and a clone "src-1" that depends on it. */
static int setup(void **state)
{
    static struct scene s;

    s.src = scene_source();
    assert_int_equal(scene_fork(s.src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    s.image = scene_image();
    s.clone = fake_domain_named("src-1")->domid;
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

static const char *image_name(const struct scene *s)
{
    return fake_domain(s->image)->name;
}

/* Fork the source once more, as src-2, or whatever is free. */
static uint32_t fork_image(const struct scene *s, uint32_t flags)
{
    assert_int_equal(scene_fork(s->image, 1, flags), 0);
    return fake_domain_named("src-2")->domid;
}

static void test_image_in_use(void **state)
{
    struct scene *s = *state;
    uint32_t never = fork_image(s, XENFORK_FORK_NO_HYDRATE);

    assert_int_equal(xenfork_image_destroy(s->ctx, image_name(s)),
                     XENFORK_E_INUSE);
    /* In vain nothing is hydrated. */
    assert_true(fake_domain(s->clone)->page_count <
                fake_domain(s->image)->page_count);
    assert_string_equal(xenfork_error_remedy(s->ctx),
                        "hydrate it (xl fork-hydrate src-2), or destroy it");
    assert_int_equal(xenfork_detach(s->ctx, "src-2", NULL, NULL, 0),
                     XENFORK_E_INUSE);
    assert_false(fake_domain(s->image)->is_dying);
    assert_int_equal(scene_hydrate(s->ctx, never), 0);
    assert_int_equal(xenfork_image_destroy(s->ctx, image_name(s)), 0);
    assert_true(fake_same_memory(never, s->src));
    assert_true(fake_same_memory(s->clone, s->src));
    assert_int_equal(xenfork_detach(s->ctx, "src-2", NULL, NULL, 0), 0);
}

/* Its clones are hydrated when it is to go, and not before. */
static void test_hydrated_for_it(void **state)
{
    struct scene *s = *state;
    uint32_t lazy = fork_image(s, XENFORK_FORK_AUTO_HYDRATE);
    uint32_t count = fake_domain(lazy)->page_count;
    xenfork_list *list;

    assert_true(count < fake_domain(s->image)->page_count);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_null(xenfork_entry_hydrate(xenfork_list_entry(list, 0)));
    assert_string_equal(xenfork_entry_hydrate(xenfork_list_entry(list, 1)),
                        "now");
    assert_string_equal(xenfork_entry_hydrate(xenfork_list_entry(list, 2)),
                        "auto");
    xenfork_list_free(list);
    assert_int_equal(xenfork_image_destroy(s->ctx, image_name(s)), 0);
    assert_false(fake_domain(s->clone)->is_shutdown);
    assert_true(fake_same_memory(s->clone, s->src));
    assert_true(fake_same_memory(lazy, s->src));
    assert_false(fake_domain(s->clone)->is_shutdown);
    assert_true(fake_same_memory(s->clone, s->src));
    /* Xen keeps its number until the clone is gone. */
    assert_true(fake_domain(s->image)->is_dying);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_null(fake_domain(s->image));
}

/*
 * Whether a clone lives cannot be found out: then it is not dead.  Its image
 * must not be taken for one that nothing needs.
 */
static void test_unknown_is_not_dead(void **state)
{
    struct scene *s = *state;
    uint32_t i;
    int rc;

    assert_int_equal(scene_fork(s->src, 1, 0), 0); /* not kept */
    fake_fail_function("xenfork__xen_info", XENFORK_E_XEN, 0);
    fake->fail_name_count = 1;
    rc = xenfork_recover(s->ctx);
    fake_disarm();
    for (i = 0; i < FAKE_DOMAINS; i++)
        assert_false(fake->domains[i].is_shutdown);
    assert_int_equal(rc, XENFORK_E_XEN);
}

static void test_unknown_is_in_use(void **state)
{
    struct scene *s = *state;

    fake_fail_function("xenfork__xen_info", XENFORK_E_XEN, 0);
    assert_int_equal(xenfork_image_destroy(s->ctx, image_name(s)),
                     XENFORK_E_XEN);
    fake_disarm();
    assert_false(fake_domain(s->clone)->is_shutdown);
    assert_false(fake_domain(s->image)->is_dying);
}

static void test_names(void **state)
{
    struct scene *s = *state;
    char uuid[XENFORK__UUID_CHARS], domid[16];
    uint32_t i, found;

    assert_int_equal(xenfork_clone_destroy(s->ctx, "nobody", 0),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_image_destroy(s->ctx, "nobody"),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src", 0),
                     XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_clone_destroy(s->ctx, image_name(s), 0),
                     XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_image_destroy(s->ctx, "src-1"), XENFORK_E_NOTOURS);
    assert_int_equal(scene_hydrate(s->ctx, s->src), XENFORK_E_NOTOURS);
    assert_int_equal(scene_hydrate(s->ctx, 4711), XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_find(s->ctx, "src-1", &found), 0);
    assert_int_equal(found, s->clone);
    snprintf(domid, sizeof(domid), "%u", s->clone);
    assert_int_equal(xenfork_find(s->ctx, domid, &found), 0);
    assert_int_equal(found, s->clone);
    assert_int_equal(xenfork_find(s->ctx, "4711", &found), XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_find(s->ctx, "nobody", &found),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(found, s->clone);
    /* By domid, then by UUID. */
    assert_int_equal(xenfork_clone_destroy(s->ctx, domid, 0), 0);
    assert_int_equal(scene_fork(s->image, 1, 0), 0);
    i = fake_domain_named("src-1")->domid;
    xenfork__uuid_print(fake_domain(i)->uuid, uuid);
    assert_int_equal(xenfork_clone_destroy(s->ctx, uuid, 0), 0);
    assert_null(fake_domain(i));
}

/* A clone that has ended keeps its record, one without disks too. */
static void test_ended_without_disks(void **state)
{
    struct scene *s = *state;
    cleanup_record struct xenfork__record *record = NULL;
    uint8_t uuid[16];

    fake_domain(s->src)->disk_count = 0;
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    memcpy(uuid, fake_domain_named("src-2")->uuid, 16);
    assert_int_equal(
        xenfork__xen_destroy(s->ctx, fake_domain_named("src-2")->domid), 0);
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_int_equal(
        xenfork__record_load(s->ctx, XENFORK_KIND_CLONE, uuid, &record), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
}

/* xl list shows a domid that a clone had which is long gone. */
static void test_stale_domid(void **state)
{
    struct scene *s = *state;
    char domid[16];

    snprintf(domid, sizeof(domid), "%u", s->clone);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    fake->next_domid = s->clone; /* Xen starts over at some time */
    assert_int_equal(fake_add_guest("stranger"), s->clone);
    assert_int_equal(xenfork_clone_destroy(s->ctx, domid, 0),
                     XENFORK_E_NOTOURS);
    /* Its disks and its record are still there. */
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_non_null(fake_domain_named("stranger"));
}

static void test_kept_image_stays(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_non_null(fake_domain(s->image));
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_non_null(fake_domain(s->image));
}

static void test_image_goes_with_its_last_clone(void **state)
{
    struct scene *s = *state;
    uint32_t image;

    assert_int_equal(scene_fork(s->src, 2, 0), 0);
    image = scene_image();
    assert_int_not_equal(image, s->image);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_non_null(fake_domain(image));
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-3", 0), 0);
    assert_null(fake_domain(image));
}

static void test_list(void **state)
{
    struct scene *s = *state;
    xenfork_list *list;

    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_int_equal(xenfork_list_entry_count(list), 2);
    assert_int_equal(xenfork_entry_kind(xenfork_list_entry(list, 0)),
                     XENFORK_KIND_IMAGE);
    assert_int_equal(xenfork_entry_domid(xenfork_list_entry(list, 0)),
                     s->image);
    assert_string_equal(xenfork_entry_name(xenfork_list_entry(list, 0)),
                        image_name(s));
    assert_string_equal(xenfork_entry_parent(xenfork_list_entry(list, 0)),
                        "src");
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "ready");
    assert_int_equal(xenfork_entry_users(xenfork_list_entry(list, 0)), 1);
    assert_true(xenfork_entry_is_kept(xenfork_list_entry(list, 0)));
    assert_int_equal(xenfork_entry_total_kib(xenfork_list_entry(list, 0)),
                     69 * 4);
    assert_int_equal(xenfork_entry_disk_count(xenfork_list_entry(list, 0)), 1);
    assert_int_equal(xenfork_entry_kind(xenfork_list_entry(list, 1)),
                     XENFORK_KIND_CLONE);
    assert_int_equal(xenfork_entry_domid(xenfork_list_entry(list, 1)),
                     s->clone);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 1)),
                        "running");
    assert_string_equal(xenfork_entry_parent(xenfork_list_entry(list, 1)),
                        image_name(s));
    assert_int_equal(xenfork_entry_hydrated(xenfork_list_entry(list, 1)), 0);
    assert_int_equal(xenfork_entry_private_kib(xenfork_list_entry(list, 1)),
                     8 * 4);
    /* Its pool, and records of what it shares. */
    assert_int_equal(xenfork_entry_host_kib(xenfork_list_entry(list, 1)),
                     120 + 8 * 4 + FAKE_POOL / 1024 +
                         xenfork_entry_shared_kib(xenfork_list_entry(list, 1)) /
                             4 * 48 / 1024);
    assert_string_equal(
        xenfork_disk_vdev(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        "xvda");
    assert_string_equal(
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork_entry_domid(xenfork_list_entry(list, 2)),
                     XENFORK_DOMID_NONE);
    assert_null(xenfork_entry_name(xenfork_list_entry(list, 2)));
    assert_null(
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 1), 1)));
    assert_int_equal(xenfork_entry_kind(xenfork_list_entry(list, XENFORK_ALL)),
                     0);
    xenfork_list_free(list);
    xenfork_list_free(NULL);
}

static void test_list_states(void **state)
{
    struct scene *s = *state;
    xenfork_list *list;

    fake_domain(s->clone)->is_paused = true;
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 1)),
                        "paused");
    xenfork_list_free(list);
    fake_domain(s->clone)->is_shutdown = true;
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 1)),
                        "shutdown");
    xenfork_list_free(list);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->image), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "lost");
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 1)),
                        "stopped");
    assert_int_equal(xenfork_entry_domid(xenfork_list_entry(list, 1)),
                     XENFORK_DOMID_NONE);
    xenfork_list_free(list);
}

static void test_hydrated(void **state)
{
    struct scene *s = *state;
    xenfork_list *list;
    uint64_t memory = fake_memory_hash(s->clone);
    uint64_t before = fake->free_pages;

    assert_int_equal(xenfork_hydrate(s->ctx, "src-1", 0), 0);
    assert_true(fake->free_pages == before); /* it costs nothing */
    assert_int_equal(fake_domain(s->clone)->page_count,
                     fake_domain(s->image)->page_count);
    assert_true(fake_memory_hash(s->clone) == memory);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_int_equal(xenfork_entry_hydrated(xenfork_list_entry(list, 1)), 100);
    assert_int_equal(xenfork_entry_users(xenfork_list_entry(list, 0)), 0);
    xenfork_list_free(list);
}

static void test_hydrate_stopped(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_hydrate(s->ctx, "src-1", 0), XENFORK_E_NOTRUNNING);
    assert_int_equal(xenfork_hydrate(s->ctx, NULL, 0), XENFORK_E_INVAL);
}

static void cancel(void *opaque, int stage, uint32_t index, uint64_t done,
                   uint64_t total)
{
    (void)stage;
    (void)index;
    (void)done;
    (void)total;
    xenfork_cancel(opaque);
}

static void test_hydrate_cancelled(void **state)
{
    struct scene *s = *state;

    xenfork_set_progress(s->ctx, cancel, s->ctx);
    assert_int_equal(scene_hydrate(s->ctx, s->clone), XENFORK_E_CANCELLED);
    assert_int_equal(xenfork_image_destroy(s->ctx, image_name(s)),
                     XENFORK_E_CANCELLED);
    assert_false(fake_domain(s->image)->is_dying);
}

/* Verbs on what a fork makes, in the middle of it. */
static void meddle(void *opaque, int stage, uint32_t clone, uint64_t done,
                   uint64_t total)
{
    struct scene *s = opaque;
    xenfork_result *result = NULL;
    xenfork_ctx *ctx;
    const char *image;

    (void)done;
    (void)total;
    if ((stage != XENFORK_STAGE_CREATE && stage != XENFORK_STAGE_UNPAUSE) ||
        clone)
        return;
    ctx = scene_open();
    image = fake_domain(scene_image())->name;
    assert_int_equal(xenfork_image_destroy(ctx, image), XENFORK_E_BUSY);
    assert_true(xenfork_error_remedy(ctx)[0]);
    assert_int_equal(scene_fork(scene_image(), 1, 0), XENFORK_E_BUSY);
    s->is_asked = true;
    if (stage == XENFORK_STAGE_UNPAUSE) {
        uint32_t made = fake_domain_named("src-2")->domid;

        assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0),
                         XENFORK_E_BUSY);
        assert_int_equal(xenfork_clone_forget(ctx, "src-2"), XENFORK_E_BUSY);
        assert_int_equal(xenfork_clone_reset(ctx, "src-2", 0, &result),
                         XENFORK_E_BUSY);
        assert_int_equal(xenfork_detach(ctx, "src-2", NULL, NULL, 0),
                         XENFORK_E_BUSY);
        assert_int_equal(xenfork_clone_leaves(ctx, "src-2", "saved in f", 0),
                         XENFORK_E_BUSY);
        assert_int_equal(xenfork_freeze(ctx, made, 1000), XENFORK_E_BUSY);
        assert_int_equal(scene_fork(made, 1, 0), XENFORK_E_BUSY);
    }
    xenfork_close(ctx);
}

static void test_fork_under_way(void **state)
{
    struct scene *s = *state;
    xenfork_result *result = NULL;
    xenfork_spec *spec;

    assert_int_equal(xenfork_spec_new(2, &spec), 0);
    xenfork_set_progress(s->ctx, meddle, s);
    assert_int_equal(xenfork_fork(s->ctx, s->src, spec, &result), 0);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_true(s->is_asked);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    assert_non_null(fake_domain_named("src-2"));
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fork_under_way),
        TEST(test_image_in_use),
        TEST(test_hydrated_for_it),
        TEST(test_unknown_is_not_dead),
        TEST(test_unknown_is_in_use),
        TEST(test_names),
        TEST(test_ended_without_disks),
        TEST(test_stale_domid),
        TEST(test_kept_image_stays),
        TEST(test_image_goes_with_its_last_clone),
        TEST(test_list),
        TEST(test_list_states),
        TEST(test_hydrated),
        TEST(test_hydrate_stopped),
        TEST(test_hydrate_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
