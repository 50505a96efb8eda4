/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detach-disk.c, detach-switch.c: what others do with the disk meanwhile. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/clone-scene.h"
#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "state/lock.h"

static const char *disk_path(const struct clone_scene *s, xenfork_list **list)
{
    assert_int_equal(xenfork_list_open(s->ctx, 0, list), 0);
    return xenfork_disk_path(xenfork_entry_disk(
        xenfork_list_entry(*list, xenfork_list_entry_count(*list) - 1), 0));
}

/* Others act on a clone in the middle of the copy of its disk. */
struct meddler {
    void (*meddle)(struct meddler *meddler);
    bool is_early; /* before the disk is looked at */
    bool is_done;
    int rc;
    char disk[FAKE_PATH];
    struct fake_domain was;
};

static void meddle(void *opaque, int stage, uint32_t index, uint64_t done,
                   uint64_t total)
{
    struct meddler *meddler = opaque;

    (void)index;
    if (stage != XENFORK_STAGE_DETACH || meddler->is_done ||
        (!meddler->is_early && (!total || !done)))
        return;
    meddler->is_done = true;
    meddler->meddle(meddler);
}

/* Detach a stopped clone's disk, which stays as it was. */
static void detach_meddled(struct clone_scene *s, struct meddler *meddler,
                           int rc)
{
    char to[FAKE_PATH + 32];
    xenfork_list *list;

    meddler->was = *fake_domain(s->clone);
    snprintf(meddler->disk, sizeof(meddler->disk), "%s",
             meddler->was.disks[0].path);
    snprintf(to, sizeof(to), "%s/src-1-xvda.raw", fake->dir);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    xenfork_set_progress(s->ctx, meddle, meddler);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0), rc);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_true(meddler->is_done);
    if (rc == 0)
        return;
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_string_equal(disk_path(s, &list), meddler->disk);
    xenfork_list_free(list);
    assert_int_equal(access(meddler->disk, F_OK), 0);
}

static void start_it(struct meddler *meddler)
{
    xenfork_ctx *ctx = scene_open();
    uint32_t domid;

    meddler->rc = xenfork_clone_start(ctx, "src-1", 0, &domid);
    xenfork_close(ctx);
}

/* A clone does not start while its disk is copied. */
static void test_started_meanwhile(void **state)
{
    struct meddler meddler = {.meddle = start_it};

    detach_meddled(*state, &meddler, 0);
    assert_int_equal(meddler.rc, XENFORK_E_BUSY);
}

/* It runs by the time that its disk is looked at. */
static void test_started_before(void **state)
{
    struct meddler meddler = {.meddle = start_it, .is_early = true};

    detach_meddled(*state, &meddler, XENFORK_E_DISK);
    assert_int_equal(meddler.rc, 0);
}

/* xl restore, which knows no locks. */
static void restore_it(struct meddler *meddler)
{
    struct fake_domain *d = fake_new_domain();

    memcpy(d->uuid, meddler->was.uuid, 16);
    strcpy(d->name, "src-1");
    memcpy(d->disks, meddler->was.disks, sizeof(d->disks));
    d->disk_count = 1;
}

static void test_restored_meanwhile(void **state)
{
    struct meddler meddler = {.meddle = restore_it};

    detach_meddled(*state, &meddler, XENFORK_E_INUSE);
}

static void write_it(struct meddler *meddler)
{
    strcpy(fake->written, meddler->disk);
}

static void test_written_meanwhile(void **state)
{
    struct clone_scene *s = *state;
    struct meddler meddler = {.meddle = write_it};

    detach_meddled(s, &meddler, XENFORK_E_INUSE);
    /* Once more, from the beginning. */
    fake->written[0] = '\0';
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0), 0);
    assert_int_equal(access(meddler.disk, F_OK), -1);
}

/*
 * Killed when the copy was the clone's disk: somebody uses the old file by now.
 */
static void test_written_after_kill(void **state)
{
    struct clone_scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    fake_fail_function("xenfork__xen_config_change", XENFORK_E_XEN, 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0),
                     XENFORK_E_XEN);
    fake_disarm();
    strcpy(fake->written, old);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0),
                     XENFORK_E_INUSE);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "qcow2", 0),
                     XENFORK_E_INUSE);
    assert_int_equal(access(old, F_OK), 0);
    fake->written[0] = '\0';
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0), 0);
    assert_int_equal(access(old, F_OK), -1);
}

static uint32_t changes;

/* Others change it, too: xl fork-net. */
static void count_locked(void)
{
    struct xenfork__lock *lock = NULL;
    xenfork_ctx *ctx = scene_open();

    assert_int_equal(
        xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, false, &lock),
        XENFORK_E_BUSY);
    xenfork_close(ctx);
    changes++;
}

static void test_change_is_locked(void **state)
{
    struct clone_scene *s = *state;

    changes = 0;
    fake->on_change = count_locked;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0), 0);
    assert_int_equal(xenfork_clone_set_nic_bridge(s->ctx, "src-1", 0, "xenbr1"),
                     0);
    fake->on_change = NULL;
    assert_int_equal(changes, 2);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, clone_setup, clone_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_started_meanwhile),
        TEST(test_started_before),
        TEST(test_restored_meanwhile),
        TEST(test_written_meanwhile),
        TEST(test_written_after_kill),
        cmocka_unit_test_setup_teardown(test_change_is_locked,
                                        clone_setup_qcow2, clone_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
