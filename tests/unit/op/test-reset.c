/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reset.c, reset-check.c, rollback-reset.c: a clone goes back to its fork. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/reset-scene.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"
#include "host/host.h"
#include "op/saved-config.h"
#include "state/lock.h"
#include "state/record.h"

#define RESET_GFN   5U /* a page of the guest's */
#define RESET_WROTE 0xd1d1U
static xenfork_ctx *ctx;

static int setup(void **state)
{
    (void)state;
    scene_source();
    reset_prepare();
    ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(ctx);
    return 0;
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool is_dirty(const char *path)
{
    char text[16] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    fgets(text, sizeof(text), file);
    fclose(file);
    return !strncmp(text, "dirty", 5);
}

/* It is the clone that was forked, but for its numbers. */
static void assert_forked(const struct fake_domain *d)
{
    assert_non_null(d);
    assert_int_not_equal(d->domid, reset_scene.before.domid);
    assert_memory_equal(d->uuid, reset_scene.before.uuid, 16);
    assert_memory_equal(d->nics[0].mac, reset_scene.before.nics[0].mac, 6);
    assert_string_equal(d->nics[0].bridge, reset_scene.before.nics[0].bridge);
    assert_false(d->nics[0].is_up);
    assert_false(d->nics[0].was_up);
    assert_true(fake_memory_hash(d->domid) == reset_scene.memory);
    assert_int_equal(d->max_vcpus, reset_scene.before.max_vcpus);
    assert_int_equal(d->max_pages, reset_scene.before.max_pages);
    assert_int_equal(d->claimed_pages, reset_scene.before.claimed_pages);
    assert_string_not_equal(d->disks[0].path, reset_scene.before.disks[0].path);
    assert_int_equal(access(fake_file(reset_scene.before.disks[0].path), F_OK),
                     -1);
    assert_int_equal(access(fake_file(d->disks[0].path), F_OK), 0);
    assert_int_equal(reset_count_files(d->disks[0].path), reset_scene.files);
    assert_string_equal(d->guest.role, reset_scene.before.guest.role);
    assert_string_not_equal(d->guest.generation,
                            reset_scene.before.guest.generation);
    assert_string_equal(d->guest.source, reset_scene.before.guest.source);
    assert_string_equal(d->guest.source_macs,
                        reset_scene.before.guest.source_macs);
    assert_int_equal(d->guest.index, reset_scene.before.guest.index);
    assert_int_equal(d->guest.param_count,
                     reset_scene.before.guest.param_count);
    assert_string_not_equal(d->guest.entropy, reset_scene.before.guest.entropy);
    assert_int_equal(fake_domain(scene_image())->claimed_pages, 0);
}

static void resets(const char *name, uint32_t flags)
{
    xenfork_result *result = NULL;
    const xenfork_clone *c;

    assert_int_equal(xenfork_clone_reset(ctx, name, flags, &result), 0);
    c = xenfork_result_clone(result, 0);
    assert_int_equal(xenfork_result_clone_count(result), 1);
    assert_non_null(fake_domain(xenfork_clone_domid(c)));
    assert_string_equal(xenfork_clone_generation(c),
                        fake_domain(xenfork_clone_domid(c))->guest.generation);
    assert_int_equal(xenfork_result_image_domid(result), scene_image());
    xenfork_result_free(result);
}

static void assert_refused(int code, const char *text)
{
    char *before = fake_snapshot();
    xenfork_result *result = NULL;

    assert_int_equal(xenfork_clone_reset(ctx, "src-1", 0, &result), code);
    assert_null(result);
    assert_non_null(strstr(xenfork_error_text(ctx), text));
    assert_non_null(xenfork_error_remedy(ctx));
    assert_true(fake_is_same(before, text));
    free(before);
}

static void test_back(void **state)
{
    (void)state;
    put(reset_scene.before.disks[0].path, "dirty");
    resets("src-1", 0);
    assert_forked(reset_clone());
    assert_false(reset_clone()->is_paused);
    assert_false(is_dirty(reset_clone()->disks[0].path));
    /* The other clone is none of its business. */
    assert_true(fake_memory_hash(fake_domain_named("src-2")->domid) ==
                reset_scene.memory);
}

/* By domid, with its parameters, and not let to run. */
static void test_params(void **state)
{
    char domid[16];

    (void)state;
    reset_scene.before = *fake_domain_named("src-2");
    snprintf(domid, sizeof(domid), "%u", reset_scene.before.domid);
    resets(domid, XENFORK_RESET_PAUSED);
    assert_forked(fake_domain_named("src-2"));
    assert_true(fake_domain_named("src-2")->is_paused);
    assert_string_equal(fake_domain_named("src-2")->guest.params[0],
                        "ip=10.0.0.9/24");
    assert_int_equal(fake_domain_named("src-2")->guest.index, 1);
}

static struct xenfork__record *load(void)
{
    struct xenfork__record *record;

    assert_int_equal(xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                          reset_scene.before.uuid, &record),
                     0);
    return record;
}

/* Its acknowledgement counts no more; its user's wishes do. */
static void test_record(void **state)
{
    cleanup_record struct xenfork__record *was = NULL, *is = NULL;

    (void)state;
    fake_ack(reset_clone()->domid, NULL);
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
                     0);
    fake_copy_string(reset_scene.before.nics[0].bridge, 16, "xenbr1");
    was = load();
    assert_int_equal(was->nics[0].link, XENFORK_LINK_CONNECT);
    resets("src-1", 0);
    assert_forked(reset_clone());
    is = load();
    assert_false(is->is_ready);
    assert_int_equal(is->nics[0].link, XENFORK_LINK_AUTO);
    assert_int_equal(is->created_s, was->created_s);
    assert_int_equal(is->reserved, was->reserved);
    assert_int_equal(is->reserved, 16);
    assert_int_equal(is->priority, 7);
    assert_int_equal(is->hydrated, 0);
    assert_int_equal(is->hydrate, XENFORK__HYDRATE_NOW);
    assert_string_not_equal(is->journal, was->journal);
}

/* Its bridge is gone: said while the old domain is there still. */
static void test_no_bridge(void **state)
{
    const struct xenfork__config_change change = {.bridge = "nosuch0"};
    cleanup_record struct xenfork__record *clone = load();
    xenfork_result *result = NULL;
    uint32_t domid = clone->domid;

    (void)state;
    assert_int_equal(xenfork__saved_config_change(ctx, clone, &change), 0);
    assert_int_equal(xenfork_clone_reset(ctx, "src-1", 0, &result),
                     XENFORK_E_DEVICE);
    assert_int_equal(reset_clone()->domid, domid);
    assert_false(reset_clone()->is_dying);
}

/* One that its user holds is not connected by the next acknowledgement. */
static void test_held(void **state)
{
    cleanup_record struct xenfork__record *is = NULL;

    (void)state;
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_HOLD),
                     0);
    resets("src-1", 0);
    is = load();
    assert_int_equal(is->nics[0].link, XENFORK_LINK_HOLD);
    assert_int_equal(is->nics[0].first, XENFORK_LINK_AUTO);
}

static void test_options(void **state)
{
    cleanup_record struct xenfork__record *is = NULL;

    (void)state;
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    reset_fork(XENFORK_FORK_NO_HYDRATE | XENFORK_FORK_EPHEMERAL |
             XENFORK_FORK_EPHEMERAL_CRASH);
    reset_scene.before = *reset_clone();
    resets("src-1", 0);
    assert_forked(reset_clone());
    is = load();
    assert_int_equal(is->hydrate, XENFORK__HYDRATE_NEVER);
    assert_int_equal(is->ephemeral, XENFORK__EPHEMERAL_CRASH);
}

static void test_auto_hydrate(void **state)
{
    cleanup_record struct xenfork__record *is = NULL;

    (void)state;
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    reset_fork(XENFORK_FORK_AUTO_HYDRATE);
    reset_scene.before = *reset_clone();
    resets("src-1", 0);
    is = load();
    assert_int_equal(is->hydrate, XENFORK__HYDRATE_AUTO);
}

static void test_renamed(void **state)
{
    (void)state;
    fake_copy_string(reset_clone()->name, FAKE_NAME, "other");
    resets("other", 0);
    assert_forked(fake_domain_named("other"));
    assert_null(reset_clone());
}

static void end(void)
{
    assert_int_equal(xenfork__xen_destroy(ctx, reset_clone()->domid), 0);
    assert_int_equal(xenfork_recover(ctx), 0);
}

static void test_stopped(void **state)
{
    (void)state;
    end();
    resets("src-1", 0);
    assert_forked(reset_clone());
}

static void test_crashed(void **state)
{
    (void)state;
    reset_clone()->is_shutdown = true;
    reset_clone()->shutdown_reason = FAKE_SHUTDOWN_CRASH;
    resets("src-1", 0);
    assert_forked(reset_clone());
    assert_false(reset_clone()->is_shutdown);
}

/* It was rebooted since: all of its memory was its own. */
static void test_restarted(void **state)
{
    uint32_t domid;

    (void)state;
    end();
    assert_int_equal(xenfork_clone_start(ctx, "src-1", 0, &domid), 0);
    resets("src-1", 0);
    assert_forked(reset_clone());
}

/* Without a disk that the source has. */
static void test_fewer_disks(void **state)
{
    xenfork_result *result;
    xenfork_spec *spec;

    (void)state;
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_disk(spec, "xvda", "none"), 0);
    assert_int_equal(xenfork_spec_set_name(spec, 0, "bare"), 0);
    assert_int_equal(xenfork_fork(ctx, scene_image(), spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    assert_int_equal(fake_domain_named("bare")->disk_count, 0);
    resets("bare", 0);
    assert_int_equal(fake_domain_named("bare")->disk_count, 0);
}

static void test_again(void **state)
{
    uint64_t free_pages;
    uint32_t i;

    (void)state;
    resets("src-1", 0);
    free_pages = fake->free_pages;
    for (i = 0; i < 10; i++)
        resets("src-1", 0);
    assert_forked(reset_clone());
    assert_int_equal(fake->free_pages, free_pages);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

static void test_no_image(void **state)
{
    uint32_t domid;

    (void)state;
    end();
    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    assert_refused(XENFORK_E_NOTFOUND, "is gone");
    assert_int_equal(xenfork_clone_start(ctx, "src-1", 0, &domid), 0);
    assert_refused(XENFORK_E_NOTFOUND, "is gone");
}

static void test_detached(void **state)
{
    (void)state;
    assert_int_equal(xenfork_detach(ctx, "src-1", NULL, NULL, 0), 0);
    assert_refused(XENFORK_E_DISK, "is detached");
}

static void test_being_detached(void **state)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char name[64] = "detach-";

    (void)state;
    xenfork__uuid_print(reset_scene.before.uuid, name + strlen(name));
    assert_int_equal(xenfork__lock_take(ctx, name, false, &lock), 0);
    assert_refused(XENFORK_E_BUSY, "is being detached");
}

static void test_forked_itself(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(reset_clone()->domid, 1, 0), 0);
    assert_refused(XENFORK_E_INUSE, "was forked");
}

static void test_frozen(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(ctx, reset_clone()->domid, 1000), 0);
    assert_refused(XENFORK_E_INUSE, "is frozen");
}

static void test_left(void **state)
{
    (void)state;
    fake->process = 4711;
    assert_int_equal(
        xenfork_clone_leaves(ctx, "src-1", "migrated to far", 4711), 0);
    assert_refused(XENFORK_E_INUSE, "is being migrated to far");
    fake->process = 0;
    end();
    assert_refused(XENFORK_E_INUSE, "was migrated to far");
}

static void test_name_taken(void **state)
{
    xenfork_result *result = NULL;
    char uuid[40];

    (void)state;
    end();
    fake_add_guest("src-1");
    assert_refused(XENFORK_E_NOTOURS, "src-1");
    xenfork__uuid_print(reset_scene.before.uuid, uuid);
    assert_int_equal(xenfork_clone_reset(ctx, uuid, 0, &result),
                     XENFORK_E_NAMETAKEN);
    assert_null(result);
}

/* It takes what it gives back; another MiB it has not got. */
static void test_memory(void **state)
{
    (void)state;
    fake->free_pages = fake_claimed();
    assert_refused(XENFORK_E_HOSTMEM, "not enough free memory");
}

static void test_broken(void **state)
{
    (void)state;
    fake_domain(scene_image())->is_paused = false;
    assert_refused(XENFORK_E_STATE, "is broken");
}

/*
 * The image's only clone is stopped, and the image goes: the disks are as they
 * were, and the clone can be started.
 */
static void fail_alone(const char *function)
{
    uint32_t domid;

    assert_int_equal(xenfork_clone_destroy(ctx, "src-2", 0), 0);
    put(reset_scene.before.disks[0].path, "dirty");
    fake_disarm();
    fake_fail_function(function, XENFORK_E_XEN, 0);
    assert_int_equal(reset_run(NULL), XENFORK_E_XEN);
    fake->fail_name = NULL;
    assert_int_equal(xenfork_recover(ctx), 0);
    assert_null(reset_clone());
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
    assert_true(is_dirty(reset_scene.before.disks[0].path));
    assert_int_equal(xenfork_clone_start(ctx, "src-1", 0, &domid), 0);
    assert_string_equal(reset_clone()->disks[0].path,
                        reset_scene.before.disks[0].path);
    assert_string_equal(reset_clone()->guest.generation,
                        reset_scene.before.guest.generation);
}

static void test_failed_alone(void **state)
{
    (void)state;
    fail_alone("xenfork__xen_restore_begin");
}

/* The configuration that is kept is that of the new disks already. */
static void test_failed_late(void **state)
{
    (void)state;
    fail_alone("xenfork__sys_hold");
}

/* No memory for what the clone lacks; the user gives up when it is hydrated. */
static void lack_and_cancel(void *opaque, int stage, uint32_t clone,
                            uint64_t done, uint64_t total)
{
    (void)clone;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_FORK)
        fake->free_pages = fake_claimed() + 60;
    if (stage == XENFORK_STAGE_HYDRATE)
        xenfork_cancel(opaque);
}

/* The old domain is gone: it is completed. */
static void test_cancelled_too_late(void **state)
{
    xenfork_ctx *own = scene_open();
    xenfork_result *result;

    (void)state;
    xenfork_set_progress(own, lack_and_cancel, own);
    assert_int_equal(xenfork_clone_reset(own, "src-1", 0, &result), 0);
    assert_true(xenfork_clone_ns(xenfork_result_clone(result, 0),
                                 XENFORK_STAGE_HYDRATE) > 0);
    xenfork_result_free(result);
    xenfork_close(own);
    assert_true(reset_clone()->has_run);
    assert_true(fake_memory_hash(reset_clone()->domid) == reset_scene.memory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_back),           TEST(test_params),
        TEST(test_record),         TEST(test_held),
        TEST(test_options),        TEST(test_auto_hydrate),
        TEST(test_renamed),        TEST(test_stopped),
        TEST(test_crashed),        TEST(test_restarted),
        TEST(test_fewer_disks),    TEST(test_again),
        TEST(test_no_image),       TEST(test_detached),
        TEST(test_being_detached), TEST(test_forked_itself),
        TEST(test_frozen),         TEST(test_left),
        TEST(test_name_taken),     TEST(test_memory),
        TEST(test_broken),         TEST(test_failed_alone),
        TEST(test_failed_late),    TEST(test_cancelled_too_late),
        TEST(test_no_bridge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
