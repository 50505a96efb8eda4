/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fork, and all that it makes. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/ids.h"
#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"

static struct fake_domain *clone(const struct fork_scene *s, uint32_t i)
{
    struct fake_domain *d = fake_domain(
        xenfork_clone_domid(xenfork_result_clone(s->result, i)));

    assert_non_null(d);
    return d;
}

static void test_clones(void **state)
{
    struct fork_scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);
    char uuid[XENFORK__UUID_CHARS], mac[XENFORK__MAC_CHARS];
    uint32_t i;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_result_clone_count(s->result), 2);
    assert_int_equal(xenfork_result_image_domid(s->result), scene_image());
    for (i = 0; i < 2; i++) {
        const struct fake_domain *c = clone(s, i);

        assert_string_equal(c->name, i ? "src-2" : "src-1");
        assert_string_equal(
            xenfork_clone_name(xenfork_result_clone(s->result, i)), c->name);
        xenfork__uuid_print(c->uuid, uuid);
        assert_string_equal(
            xenfork_clone_uuid(xenfork_result_clone(s->result, i)), uuid);
        assert_false(c->is_paused);
        assert_true(fake_memory_hash(c->domid) == memory);
        assert_int_equal(c->nic_count, 1);
        assert_int_equal(
            xenfork_clone_nic_count(xenfork_result_clone(s->result, i)), 1);
        xenfork__mac_print(c->nics[0].mac, mac);
        assert_string_equal(xenfork_nic_mac(xenfork_clone_nic(
                                xenfork_result_clone(s->result, i), 0)),
                            mac);
        assert_memory_not_equal(c->nics[0].mac,
                                fake_domain(s->src)->nics[0].mac, 6);
        assert_string_equal(c->nics[0].bridge, "xenbr0");
        assert_false(c->nics[0].is_up); /* held */
        assert_false(c->nics[0].was_up);
        assert_true(xenfork_nic_link(xenfork_clone_nic(
                        xenfork_result_clone(s->result, i), 0)) !=
                    XENFORK_LINK_CONNECT);
        assert_int_equal(c->max_pages, fake_domain(s->src)->max_pages);
    }
    assert_memory_not_equal(clone(s, 0)->uuid, clone(s, 1)->uuid, 16);
    assert_memory_not_equal(clone(s, 0)->nics[0].mac, clone(s, 1)->nics[0].mac,
                            6);
    /* 61 pages of RAM and 8 special ones; 5 cannot be shared. */
    assert_int_equal(
        xenfork_result_counter(s->result, XENFORK_COUNT_PAGES_SHARED), 64);
    assert_int_equal(
        xenfork_result_counter(s->result, XENFORK_COUNT_PAGES_COPIED), 5);
}

static void test_source_runs_on(void **state)
{
    struct fork_scene *s = *state;
    const struct fake_domain *src = fake_domain(s->src);

    assert_int_equal(fork_it(s, s->src), 0);
    assert_false(src->is_shutdown);
    assert_false(src->is_paused);
    assert_int_equal(src->suspensions, 1);
    assert_int_equal(src->resumptions, 1);
    assert_true(src->nics[0].is_up);
    /* It may write to all of its memory. */
    assert_int_equal(fake_private_pages(src) + src->claimed_pages, 69);
}

static void test_paused_source(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->is_paused = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_domain(s->src)->is_paused);
    assert_false(fake_domain(s->src)->is_shutdown);
}

/* Nobody sees what another writes. */
static void test_memory_is_apart(void **state)
{
    struct fork_scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src), content;

    assert_int_equal(fork_it(s, s->src), 0);
    fake_write(s->src, 3, 777);
    fake_write(clone(s, 0)->domid, 3, 888);
    assert_true(fake_memory_hash(clone(s, 1)->domid) == memory);
    assert_true(fake_read(clone(s, 0)->domid, 3, &content));
    assert_int_equal(content, 888);
    assert_true(fake_read(s->src, 3, &content));
    assert_int_equal(content, 777);
}

/* The guest writes to a page after it was nominated. */
static void test_write_after_nomination(void **state)
{
    struct fork_scene *s = *state;

    fake->race_gfn = 7;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone(s, 0)->domid));
}

static void test_disks(void **state)
{
    struct fork_scene *s = *state;
    const struct fake_disk *a, *b, *src = fake_domain(s->src)->disks;
    struct stat st;

    assert_int_equal(fork_it(s, s->src), 0);
    a = clone(s, 0)->disks;
    b = clone(s, 1)->disks;
    assert_string_not_equal(a->path, src->path);
    assert_string_not_equal(a->path, b->path);
    assert_int_equal(stat(a->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_readonly_disk_is_common(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->disks[0].is_readwrite = false;
    fake->cannot_reflink = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->disks[0].path,
                        fake_domain(s->src)->disks[0].path);
}

/* The path leads to another file than when the image was made. */
static void test_readonly_disk_is_the_same(void **state)
{
    struct fork_scene *s = *state;
    char first[FAKE_PATH], second[FAKE_PATH];

    fake_domain(s->src)->disks[0].is_readwrite = false;
    fake_copy_string(second, sizeof(second),
                     fake_domain(s->src)->disks[0].path);
    snprintf(first, sizeof(first), "%.200s/first", fake->dir);
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    xenfork_result_free(s->result);
    s->result = NULL;
    assert_int_equal(rename(second, first), 0);
    fclose(fopen(second, "w"));
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "leads to another"));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(rename(first, second), 0);
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_spec_is_obeyed(void **state)
{
    static const uint8_t uuid[16] = {0xee, 1, 2};
    static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
    struct fork_scene *s = *state;

    assert_int_equal(xenfork_spec_set_name(s->spec, 0, "one"), 0);
    assert_int_equal(xenfork_spec_set_uuid(s->spec, 0, uuid), 0);
    assert_int_equal(xenfork_spec_set_nic_mac(s->spec, 0, 0, mac), 0);
    assert_int_equal(xenfork_spec_set_nic_bridge(s->spec, 0, 0, "br9"), 0);
    assert_int_equal(
        xenfork_spec_set_nic_link(s->spec, 0, 0, XENFORK_LINK_CONNECT), 0);
    assert_int_equal(xenfork_spec_set_paused(s->spec, 0, 1), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(s->spec, 40), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "one");
    assert_memory_equal(clone(s, 0)->uuid, uuid, 16);
    assert_memory_equal(clone(s, 0)->nics[0].mac, mac, 6);
    assert_string_equal(clone(s, 0)->nics[0].bridge, "br9");
    assert_true(clone(s, 0)->nics[0].is_up);
    assert_true(clone(s, 0)->is_paused);
    /* All that it lacks, until it is hydrated: see test-cover.c. */
    assert_int_equal(fake_private_pages(clone(s, 0)) +
                         clone(s, 0)->claimed_pages,
                     69);
    assert_string_equal(clone(s, 1)->name, "src-1");
    assert_false(clone(s, 1)->is_paused);
    assert_false(clone(s, 1)->nics[0].is_up);
}

/* A script of Xen's has brought it up: it goes down before the clone runs. */
static void test_held_after_stock_scripts(void **state)
{
    struct fork_scene *s = *state;

    fake->has_stock_scripts = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(clone(s, 0)->nics[0].was_up);
    assert_false(clone(s, 0)->nics[0].is_up);
}

static void test_mac_prefix(void **state)
{
    static const uint8_t prefix[3] = {0x02, 0xab, 0xcd};
    struct fork_scene *s = *state;

    assert_int_equal(xenfork_spec_set_mac_prefix(s->spec, prefix), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_memory_equal(clone(s, 0)->nics[0].mac, prefix, 3);
    assert_memory_equal(clone(s, 1)->nics[0].mac, prefix, 3);
    assert_memory_not_equal(clone(s, 0)->nics[0].mac, clone(s, 1)->nics[0].mac,
                            6);
}

/* xenfork.h: "names SOURCE-1, SOURCE-2 and on, skipping those taken". */
static void test_made_up_names_skip_asked_ones(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(xenfork_spec_set_name(s->spec, 1, "src-1"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "src-2");
    assert_string_equal(clone(s, 1)->name, "src-1");
}

static void test_made_up_names_skip_taken_ones(void **state)
{
    struct fork_scene *s = *state;

    fake_add_guest("src-1");
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "src-2");
    assert_string_equal(clone(s, 1)->name, "src-3");
}

static void test_images_have_names_of_their_own(void **state)
{
    struct fork_scene *s = *state;
    char first[FAKE_NAME];

    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    fake_copy_string(first, sizeof(first), fake_domain(scene_image())->name);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_not_equal(xenfork_result_image_name(s->result), first);
    assert_string_not_equal(fake_domain(scene_image())->name, first);
}

static void test_fork_of_clone(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(fork_it(s, fake_domain_named("src-1")->domid), 0);
    assert_true(fake_same_memory(s->src, clone(s, 1)->domid));
}

/* The keeper has died: what was made stays, and so does the caller. */
static int fork_without_keeper(void *opaque)
{
    struct fork_scene *s = opaque;
    int rc;

    fake->keeper_dies = true;
    rc = fork_it(s, s->src);
    return rc;
}

static void test_keeper_dies(void **state)
{
    struct fork_scene *s = *state;
    int rc, status = fake_run(fork_without_keeper, s, &rc);

    /* Not killed by SIGPIPE. */
    assert_int_equal(status, 0);
    assert_int_equal(rc, 0);
}

static void test_keeper_is_told(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    fake_poll_keepers();
    assert_int_equal(fake->keeper_count, 1);
    assert_true(fake->keepers[0].is_committed);
}

static void test_getters_out_of_range(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_clone_domid(xenfork_result_clone(s->result, 2)),
                     XENFORK_DOMID_NONE);
    assert_null(xenfork_clone_name(xenfork_result_clone(s->result, 2)));
    assert_null(
        xenfork_clone_uuid(xenfork_result_clone(s->result, XENFORK_ALL)));
    assert_int_equal(
        xenfork_clone_nic_count(xenfork_result_clone(s->result, 2)), 0);
    assert_null(xenfork_nic_vif(
        xenfork_clone_nic(xenfork_result_clone(s->result, 0), 1)));
    assert_null(xenfork_nic_mac(
        xenfork_clone_nic(xenfork_result_clone(s->result, 2), 0)));
    assert_int_equal(xenfork_nic_link(xenfork_clone_nic(
                         xenfork_result_clone(s->result, 0), 9)),
                     0);
    assert_int_equal(
        xenfork_clone_ns(xenfork_result_clone(s->result, 0), XENFORK_STAGES),
        0);
    assert_int_equal(xenfork_clone_ns(xenfork_result_clone(s->result, 0), -1),
                     0);
    assert_int_equal(xenfork_clone_ns(xenfork_result_clone(s->result, 2), 1),
                     0);
    assert_int_equal(xenfork_result_counter(s->result, XENFORK_COUNTS), 0);
    assert_int_equal(xenfork_result_counter(s->result, -1), 0);
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_TOTAL) > 0);
    xenfork_result_free(NULL);
}

/* These stages take 20 ms; no memory for what the clones lack. */
static void take_time(void *opaque, int stage, uint32_t clone, uint64_t done,
                      uint64_t total)
{
    (void)opaque;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_FORK)
        fake->free_pages = fake_claimed() + 60;
    if (stage == XENFORK_STAGE_ATTACH ||
        (stage == XENFORK_STAGE_UNPAUSE && clone == XENFORK_ALL))
        usleep(20000);
}

/* What is done for all is no clone's, and each stage has its own. */
static void test_times(void **state)
{
    struct fork_scene *s = *state;
    const xenfork_clone *clone;
    uint32_t i;

    xenfork_set_progress(s->ctx, take_time, NULL);
    assert_int_equal(xenfork_spec_set_reserve_kib(s->spec, 0), 0);
    fork_two(s);
    for (i = 0; i < 2; i++) {
        clone = xenfork_result_clone(s->result, i);
        assert_true(xenfork_clone_ns(clone, XENFORK_STAGE_ATTACH) >= 20000000);
        assert_in_range(xenfork_clone_ns(clone, XENFORK_STAGE_HYDRATE), 1,
                        19999999);
        assert_in_range(xenfork_clone_ns(clone, XENFORK_STAGE_UNPAUSE), 0,
                        19999999);
        assert_true(xenfork_clone_ns(clone, XENFORK_STAGE_TOTAL) >=
                    xenfork_clone_ns(clone, XENFORK_STAGE_HYDRATE) + 20000000);
    }
    assert_true(xenfork_result_ns(s->result, XENFORK_STAGE_UNPAUSE) >=
                20000000);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_clones),
        TEST(test_source_runs_on),
        TEST(test_paused_source),
        TEST(test_memory_is_apart),
        TEST(test_write_after_nomination),
        TEST(test_disks),
        TEST(test_readonly_disk_is_common),
        TEST(test_readonly_disk_is_the_same),
        TEST(test_spec_is_obeyed),
        TEST(test_held_after_stock_scripts),
        TEST(test_mac_prefix),
        TEST(test_made_up_names_skip_asked_ones),
        TEST(test_made_up_names_skip_taken_ones),
        TEST(test_images_have_names_of_their_own),
        TEST(test_fork_of_clone),
        TEST(test_times),
        TEST(test_keeper_dies),
        TEST(test_keeper_is_told),
        TEST(test_getters_out_of_range),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
