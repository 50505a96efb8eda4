/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ownerless.c: journals that cannot be undone, or read; and undoing without
 * space on the disk.
 */
#include "config.h"

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
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"
#include "state/record.h"

#define GARBLED "00000000-0000-4000-8000-000000000001"
#define STUCK   "00000000-0000-4000-8000-000000000002"
#define PATH    (FAKE_PATH + 128)

static void path_of(char path_out[PATH], const char *folder, const char *id)
{
    snprintf(path_out, PATH, "%s/state/%s/%s", fake->dir, folder, id);
}

static void put_journal(const char *id, const char *text)
{
    char path[PATH];
    FILE *f;

    path_of(path, "", "");
    mkdir(path, 0700);
    path_of(path, "journals", "");
    mkdir(path, 0700);
    path_of(path, "journals", id);
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static bool has(const char *folder, const char *id)
{
    char path[PATH];

    path_of(path, folder, id);
    return access(path, F_OK) == 0;
}

/* Put a journal of a domain whose disk is on a device that is away. */
static void put_stuck_of(const char *key, uint32_t domid)
{
    char uuid[XENFORK__UUID_CHARS], text[1024], path[PATH];

    put_journal(STUCK, "");
    path_of(path, "journals", STUCK);
    xenfork__uuid_print(fake_domain(domid)->uuid, uuid);
    snprintf(
        text, sizeof(text),
        "xenfork 1\n%s %s\nsource.domid %u\nsource.was_paused 0\n"
        "disk.driver.0 none-such\ndisk.operation.0 overlay\ndisk.path.0 /nfs/a.img\n"
        "disk.vdev.0 xvda\ndisk.from.0 \nname.0 half-1\n",
        key, uuid, domid);
    scene_put_record(path, text, strlen(text));
}

static void put_stuck(uint32_t domid)
{
    put_stuck_of("source", domid);
}

static xenfork_list *list_of(struct fork_scene *s, int kind, uint32_t *at_out)
{
    xenfork_list *list;

    assert_int_equal(xenfork_list_open(s->ctx, XENFORK_LIST_JOURNALS, &list),
                     0);
    for (*at_out = 0; *at_out < xenfork_list_entry_count(list); ++*at_out)
        if (xenfork_entry_kind(xenfork_list_entry(list, *at_out)) == kind)
            break;
    return list;
}

/* An image that nobody needs, and whose disk cannot be removed. */
static void put_image(struct fork_scene *s, uint32_t domid)
{
    cleanup_records struct xenfork__records images = {0};
    struct xenfork__record *image;

    assert_int_equal(scene_fork(domid, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "other-1", 0), 0);
    assert_int_equal(xenfork__records_load(s->ctx, XENFORK_KIND_IMAGE, &images),
                     0);
    assert_int_equal(images.count, 1);
    image = images.records[0];
    image->is_kept = false;
    free(image->disks[0].driver);
    image->disks[0].driver = strdup("none-such");
    assert_int_equal(xenfork__record_save(s->ctx, image), 0);
}

/* Everything of another domain goes on. */
static void test_others_go_on(void **state)
{
    struct fork_scene *s = *state;
    uint32_t other = fake_add_guest("other"), domid;

    put_image(s, other);
    put_journal(GARBLED, "no journal\n");
    put_stuck(other);
    assert_int_equal(xenfork_recover(s->ctx), XENFORK_E_RESIDUE);
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "fork-recover"));
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-2", NULL, NULL, 0), 0);
    assert_int_equal(
        xenfork__xen_destroy(s->ctx, fake_domain_named("src-2")->domid), 0);
    assert_int_equal(xenfork_clone_start(s->ctx, "src-2", 0, &domid), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(xenfork_thaw(s->ctx, s->src), 0);
    assert_true(has("journals", GARBLED) && has("journals", STUCK));
}

/* Its own source is held up, until it is given up. */
static void test_own_is_held_up(void **state)
{
    struct fork_scene *s = *state;

    put_stuck(s->src);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), XENFORK_E_RESIDUE);
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "--set-aside"));
    assert_int_equal(xenfork_journal_set_aside(s->ctx, STUCK), 0);
    assert_false(has("journals", STUCK));
    assert_true(has("aside", STUCK));
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_recover(s->ctx), 0);
}

/* A journal of a clone that was being started, or made, holds up no other. */
static void clone_is_held_up(struct fork_scene *s, const char *key)
{
    uint32_t domid;

    assert_int_equal(fork_it(s, s->src), 0);
    domid = fake_domain_named("src-1")->domid;
    put_stuck_of(key, domid);
    assert_int_equal(xenfork__xen_destroy(s->ctx, domid), 0);
    assert_int_equal(xenfork_clone_start(s->ctx, "src-1", 0, &domid),
                     XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0),
                     XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_clone_forget(s->ctx, "src-1"), XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_int_equal(xenfork_journal_set_aside(s->ctx, STUCK), 0);
    assert_int_equal(xenfork_clone_start(s->ctx, "src-1", 0, &domid), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
}

static void test_start_is_held_up(void **state)
{
    clone_is_held_up(*state, "start");
}

static void test_clone_is_held_up(void **state)
{
    clone_is_held_up(*state, "clone.0");
}

static void test_list(void **state)
{
    struct fork_scene *s = *state;
    xenfork_list *list;
    uint32_t at;

    put_journal(GARBLED, "no journal\n");
    list = list_of(s, XENFORK_KIND_JOURNAL, &at);
    assert_string_equal(xenfork_entry_name(xenfork_list_entry(list, at)),
                        GARBLED);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, at)),
                        "unreadable");
    assert_non_null(strstr(xenfork_entry_parent(xenfork_list_entry(list, at)),
                           "is damaged"));
    xenfork_list_free(list);
    assert_int_equal(xenfork_journal_set_aside(s->ctx, GARBLED), 0);
    put_stuck(s->src);
    assert_int_equal(xenfork_recover(s->ctx), XENFORK_E_RESIDUE);
    list = list_of(s, XENFORK_KIND_JOURNAL, &at);
    assert_string_equal(xenfork_entry_name(xenfork_list_entry(list, at)),
                        STUCK);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, at)),
                        "stuck");
    assert_non_null(strstr(xenfork_entry_parent(xenfork_list_entry(list, at)),
                           "none-such"));
    assert_string_equal(
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, at), 0)),
        "/nfs/a.img");
    xenfork_list_free(list);
}

static void test_no_journal(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(xenfork_journal_set_aside(s->ctx, "../x"),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_journal_set_aside(s->ctx, NULL), XENFORK_E_INVAL);
    assert_int_equal(xenfork_journal_set_aside(s->ctx, STUCK),
                     XENFORK_E_NOTFOUND);
}

/*
 * From the k-th on nothing can be written: failed, undone, and no residue; but
 * for a disk whose chain must be joined durably.
 */
static void no_space(struct fork_scene *s, int (*operate)(struct fork_scene *),
                     bool has_chain)
{
    uint32_t k;
    int rc = XENFORK_E_STATE;

    for (k = 0; rc < 0; k++) {
        char *before;

        assert_int_equal(xenfork_recover(s->ctx), 0);
        before = fake_snapshot();
        fake_fail_function("fsync", XENFORK_E_STATE, k);
        rc = operate(s);
        fake_disarm();
        if (rc == XENFORK_E_RESIDUE && has_chain) {
            assert_int_equal(xenfork_recover(s->ctx), 0);
            rc = XENFORK_E_STATE;
        }
        if (rc == XENFORK_E_RESIDUE)
            print_error("residue without space from sync %u on\n", k);
        assert_int_not_equal(rc, XENFORK_E_RESIDUE);
        if (rc < 0)
            assert_true(fake_is_same(before, "no space"));
        free(before);
    }
    assert_in_range(k, 5, 1000);
}

static int do_fork(struct fork_scene *s)
{
    return fork_it(s, s->src);
}

static int do_freeze(struct fork_scene *s)
{
    return xenfork_freeze(s->ctx, s->src, 1000);
}

static void test_no_space_fork(void **state)
{
    no_space(*state, do_fork, false);
}

static void test_no_space_freeze(void **state)
{
    no_space(*state, do_freeze, false);
}

static void test_no_space_qcow2(void **state)
{
    struct fork_scene *s = *state;

    fake_make_qcow2(s->src);
    no_space(s, do_fork, true);
}

static void test_no_space_vhd(void **state)
{
    struct fork_scene *s = *state;

    fake_make_vhd(s->src);
    no_space(s, do_fork, true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_others_go_on),
        TEST(test_own_is_held_up),
        TEST(test_start_is_held_up),
        TEST(test_clone_is_held_up),
        TEST(test_list),
        TEST(test_no_journal),
        TEST(test_no_space_fork),
        TEST(test_no_space_freeze),
        TEST(test_no_space_qcow2),
        TEST(test_no_space_vhd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
