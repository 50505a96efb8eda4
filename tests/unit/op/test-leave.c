/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leave.c, and images that were spoilt: destroy.c, find.c, fork.c, list.c */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "op/nic.h"
#include "../lib/scene.h"
#include "state/record.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src, image, clone;
    uint8_t uuid[16];
    struct fake_disk disks[FAKE_DISKS]; /* the clone's */
} s;

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    assert_int_equal(scene_fork(s.src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    s.image = scene_image();
    s.clone = fake_domain_named("src-1")->domid;
    memcpy(s.uuid, fake_domain(s.clone)->uuid, 16);
    memcpy(s.disks, fake_domain(s.clone)->disks, sizeof(s.disks));
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(s.ctx);
    return 0;
}

/* Check the clone's entry; disk_out: where its disk is. */
static void assert_listed(const char *state, const char *left, char *disk_out)
{
    xenfork_list *list;

    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_int_equal(xenfork_list_entry_count(list), 2);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 1)),
                        state);
    if (left)
        assert_string_equal(xenfork_entry_left(xenfork_list_entry(list, 1)),
                            left);
    else
        assert_null(xenfork_entry_left(xenfork_list_entry(list, 1)));
    if (disk_out)
        strcpy(disk_out, xenfork_disk_path(xenfork_entry_disk(
                             xenfork_list_entry(list, 1), 0)));
    xenfork_list_free(list);
}

/* Restored, or migrated back: a new domain, on its disk. */
static struct fake_domain *comes_back(void)
{
    struct fake_domain *d = fake_new_domain();

    memcpy(d->uuid, s.uuid, 16);
    strcpy(d->name, "src-1");
    memcpy(d->disks, s.disks, sizeof(d->disks));
    d->disk_count = 1;
    return d;
}

static void leave(void)
{
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host7", 0), 0);
    assert_listed("running", NULL, NULL);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
}

static void test_destroy(void **state)
{
    char disk[FAKE_PATH];

    (void)state;
    leave();
    assert_listed("left", "migrated to host7", disk);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "migrated to host7"));
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "--yes"));
    assert_int_equal(access(disk, F_OK), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 2), XENFORK_E_INVAL);
    assert_int_equal(
        xenfork_clone_destroy(s.ctx, "src-1", XENFORK_DESTROY_LEFT), 0);
    assert_int_not_equal(access(disk, F_OK), 0);
}

/* A stopped clone's disk is open for writing. */
static void test_in_use(void **state)
{
    uint32_t domid;

    (void)state;
    assert_listed("running", NULL, fake->written);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), fake->written));
    assert_non_null(strstr(xenfork_error_text(s.ctx), "by qemu-nbd"));
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "by qemu-nbd"));
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "fork-start --yes"));
    assert_int_equal(access(fake->written, F_OK), 0);
    assert_int_equal(
        xenfork_clone_destroy(s.ctx, "src-1", XENFORK_DESTROY_LEFT), 0);
    assert_int_not_equal(access(fake->written, F_OK), 0);
}

/* A clone that has left, and whose disk is open here, too. */
static void leaves_and_is_open(void)
{
    assert_listed("running", NULL, fake->written);
    leave();
}

static void assert_asked(int rc, const char *text)
{
    assert_int_equal(rc, XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), text));
    assert_int_equal(access(fake->written, F_OK), 0);
    assert_int_equal(xenfork_agree(s.ctx), 0);
}

/* A user who agrees to one reason has not been asked about the next. */
static void test_each_is_asked(void **state)
{
    (void)state;
    leaves_and_is_open();
    assert_asked(xenfork_clone_destroy(s.ctx, "src-1", 0), "migrated to host7");
    assert_asked(xenfork_clone_destroy(s.ctx, "src-1", 0), "by qemu-nbd");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_not_equal(access(fake->written, F_OK), 0);
}

static void test_each_is_asked_at_start(void **state)
{
    uint32_t domid;

    (void)state;
    leaves_and_is_open();
    assert_asked(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                 "migrated to host7");
    assert_asked(xenfork_clone_start(s.ctx, "src-1", 0, &domid), "by qemu-nbd");
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_int_equal(xenfork_error_code(s.ctx), 0);
    assert_string_equal(fake_domain(domid)->name, "src-1");
}

/* It is for the next call alone, and for what was asked. */
static void test_agreement_ends(void **state)
{
    uint32_t domid;

    (void)state;
    leave();
    assert_int_equal(xenfork_agree(s.ctx), XENFORK_E_INVAL);
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_INUSE);
    assert_int_equal(xenfork_agree(s.ctx), 0);
    assert_listed("left", "migrated to host7", NULL);
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_INUSE);
    assert_int_equal(xenfork_agree(s.ctx), 0);
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host8", 0), 0);
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "host8"));
    assert_int_equal(xenfork_find(s.ctx, "nobody", &domid), XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_agree(s.ctx), XENFORK_E_INVAL);
}

/* Its own domain has it open. */
static void test_in_use_by_itself(void **state)
{
    (void)state;
    assert_listed("running", NULL, fake->written);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

/* Its disks are not moved from under it. */
static void test_detach(void **state)
{
    char disk[FAKE_PATH];

    (void)state;
    leave();
    assert_listed("left", "migrated to host7", disk);
    assert_int_equal(xenfork_detach(s.ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "migrated to host7"));
    assert_int_equal(access(disk, F_OK), 0);
    assert_int_equal(xenfork_clone_leaves(s.ctx, "src-1", "", 0), 0);
    strcpy(fake->written, disk);
    assert_int_equal(xenfork_detach(s.ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_INUSE);
    fake->written[0] = '\0';
    assert_int_equal(xenfork_detach(s.ctx, "src-1", NULL, NULL, 0), 0);
}

static void test_start(void **state)
{
    uint32_t domid = XENFORK_DOMID_NONE;

    (void)state;
    leave();
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "migrated to host7"));
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "fork-start --yes"));
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 2, &domid),
                     XENFORK_E_INVAL);
    assert_int_equal(domid, XENFORK_DOMID_NONE);
    assert_listed("left", "migrated to host7", NULL);
    assert_int_equal(
        xenfork_clone_start(s.ctx, "src-1", XENFORK_START_LEFT, &domid), 0);
    assert_listed("running", NULL, NULL);
    /* It is here since, and not elsewhere when it ends. */
    assert_int_equal(xenfork__xen_destroy(s.ctx, domid), 0);
    assert_listed("stopped", NULL, NULL);
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
}

/* xenforkd sees each domain that comes. */
static void test_came_back_and_went(void **state)
{
    struct fake_domain *d;
    bool is_done = false;

    (void)state;
    leave();
    d = comes_back();
    assert_int_equal(xenfork__nics_hold_restored(s.ctx, d->domid, &is_done), 0);
    assert_int_equal(xenfork__xen_destroy(s.ctx, d->domid), 0);
    assert_listed("stopped", NULL, NULL);
}

/* Saved and restored, and nobody has looked since: it is here. */
static void test_is_back_unseen(void **state)
{
    uint32_t domid;

    (void)state;
    leave();
    comes_back();
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_BUSY);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

/* It was not, after all. */
static void test_failed(void **state)
{
    (void)state;
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host7", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

/* xl takes a domain, so a stopped clone of the same name is not meant. */
static void test_namesake_leaves(void **state)
{
    struct xenfork__record *record;
    struct fake_domain *other;
    char number[16];

    (void)state;
    assert_int_equal(scene_fork(s.src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
    other = fake_domain_named("src-2");
    strcpy(other->name, "src-1");
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host7", 0), 0);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, other->uuid, &record),
        0);
    assert_string_equal(record->left, "migrated to host7");
    xenfork__record_free(record);
    snprintf(number, sizeof(number), "%u", other->domid);
    assert_int_equal(xenfork_clone_leaves(s.ctx, number, "saved in a", 0), 0);
    assert_int_equal(xenfork_clone_leaves(s.ctx, "src", "saved in a", 0),
                     XENFORK_E_NOTOURS);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, s.uuid, &record), 0);
    assert_true(!record->left || !record->left[0]);
    xenfork__record_free(record);
}

static void assert_maybe_away(const char *name, const char *how)
{
    xenfork_result *result = NULL;

    assert_int_equal(xenfork_clone_destroy(s.ctx, name, 0), XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), how));
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "--yes"));
    assert_int_equal(xenfork_clone_reset(s.ctx, name, 0, &result),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s.ctx), how));
    assert_non_null(fake_domain(s.clone));
    assert_int_equal(access(s.disks[0].path, F_OK), 0);
}

/*
 * The connection broke after the other host was told to start it: xl has ended,
 * and the domain is here.
 */
static void test_failed_late(void **state)
{
    struct fake_domain *d = fake_domain(s.clone);

    (void)state;
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host7", 0), 0);
    d->is_shutdown = true;
    d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    assert_maybe_away("src-1", "was migrated to host7");
    d->is_shutdown = false;
    strcpy(d->name, "src-1--migratedaway");
    assert_maybe_away("src-1--migratedaway", "was migrated to host7");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1--migratedaway",
                                           XENFORK_DESTROY_LEFT),
                     0);
    assert_int_not_equal(access(s.disks[0].path, F_OK), 0);
}

/* A migration is in its last phase. */
static void test_leaving(void **state)
{
    (void)state;
    fake->process = 4711;
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to host7", 4711), 0);
    assert_maybe_away("src-1", "is being migrated to host7");
    fake->process = 0;
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

static void test_came_back(void **state)
{
    struct fake_domain *d;

    (void)state;
    leave();
    d = comes_back();
    assert_listed("running", NULL, NULL);
    assert_int_equal(xenfork__xen_destroy(s.ctx, d->domid), 0);
    assert_listed("stopped", NULL, NULL);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

static void test_forget(void **state)
{
    struct xenfork__record *record;
    char disk[FAKE_PATH];

    (void)state;
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-1"), XENFORK_E_INUSE);
    leave();
    assert_listed("left", "migrated to host7", disk);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-1"), 0);
    assert_int_equal(access(disk, F_OK), 0);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, s.uuid, &record),
        XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-1"), XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src"), XENFORK_E_NOTOURS);
}

/* The base of its disk would go. */
static void test_forget_delta(void **state)
{
    (void)state;
    fake_make_qcow2(s.src);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_int_equal(
        xenfork__xen_destroy(s.ctx, fake_domain_named("src-2")->domid), 0);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-2"), XENFORK_E_DISK);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
}

/* Flattened, it is its own: it can be taken along. */
static void test_forget_flat(void **state)
{
    (void)state;
    fake_make_qcow2(s.src);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_int_equal(xenfork_detach(s.ctx, "src-2", NULL, NULL, 0), 0);
    assert_int_equal(
        xenfork__xen_destroy(s.ctx, fake_domain_named("src-2")->domid), 0);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-2"), 0);
}

/* A thin device is backed by its source's file, and is in a pool of ours. */
static void test_forget_thin(void **state)
{
    (void)state;
    fake->cannot_reflink = true;
    fake_make_shimmed(s.src);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_int_equal(
        xenfork__xen_destroy(s.ctx, fake_domain_named("src-2")->domid), 0);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-2"), XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "fork-detach"));
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
}

static void test_image_find(void **state)
{
    char number[16];
    uint32_t domid = 0;

    (void)state;
    snprintf(number, sizeof(number), "%u", s.image);
    assert_int_equal(xenfork_image_find(s.ctx, number, &domid), 0);
    assert_int_equal(domid, s.image);
    assert_int_equal(xenfork_image_find(s.ctx, "src@fork-1", &domid), 0);
    assert_int_equal(xenfork_image_find(s.ctx, "src-1", &domid),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_image_find(s.ctx, "nobody", &domid),
                     XENFORK_E_NOTFOUND);
    strcpy(fake_domain(s.image)->name, "gold");
    assert_int_equal(xenfork_image_find(s.ctx, "src@fork-1", &domid),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_image_find(s.ctx, "gold", &domid), 0);
}

static void assert_broken(const char *state)
{
    xenfork_list *list;

    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        state);
    xenfork_list_free(list);
    assert_int_equal(scene_fork(s.image, 1, 0),
                     *state == 'r' ? 0 : XENFORK_E_STATE);
}

static void test_broken(void **state)
{
    (void)state;
    assert_broken("ready");
    fake_domain(s.image)->is_paused = false;
    assert_broken("broken");
    fake_domain(s.image)->is_paused = true;
    fake_domain(s.image)->cpu_ns = 1;
    assert_broken("broken");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    assert_int_equal(xenfork_image_destroy(s.ctx, "src@fork-1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_destroy),
        TEST(test_in_use),
        TEST(test_in_use_by_itself),
        TEST(test_each_is_asked),
        TEST(test_each_is_asked_at_start),
        TEST(test_agreement_ends),
        TEST(test_start),
        TEST(test_detach),
        TEST(test_is_back_unseen),
        TEST(test_came_back_and_went),
        TEST(test_failed_late),
        TEST(test_leaving),
        TEST(test_failed),
        TEST(test_namesake_leaves),
        TEST(test_came_back),
        TEST(test_forget),
        TEST(test_forget_delta),
        TEST(test_forget_flat),
        TEST(test_forget_thin),
        TEST(test_image_find),
        TEST(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
