/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reset.c, reset-check.c, rollback-reset.c: a clone goes back to its fork. */
#include "config.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"
#include "host/host.h"
#include "state/lock.h"
#include "state/record.h"

#define GFN   5U /* a page of the guest's */
#define WROTE 0xd1d1U

static struct {
    xenfork_ctx *ctx;
    uint32_t src;
    uint64_t memory;           /* at the fork */
    struct fake_domain before; /* the clone, as it was forked */
    size_t files;              /* beside the overlay */
} s;

static struct fake_domain *clone(void)
{
    return fake_domain_named("src-1");
}

/* Count what lies beside a disk. */
static size_t count_files(const char *path)
{
    char dir[FAKE_PATH];
    struct dirent *entry;
    size_t count = 0;
    DIR *handle;

    snprintf(dir, sizeof(dir), "%s", fake_file(path));
    *strrchr(dir, '/') = '\0';
    handle = opendir(dir);
    assert_non_null(handle);
    while ((entry = readdir(handle)))
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(handle);
    return count;
}

static void fork_two(uint32_t flags)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result;
    xenfork_spec *spec;

    assert_int_equal(xenfork_spec_new(2, &spec), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, flags), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 1, "ip", "10.0.0.9/24"), 0);
    assert_int_equal(xenfork_spec_set_priority(spec, 7), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, 64), 0);
    assert_int_equal(xenfork_fork(ctx, s.src, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    xenfork_close(ctx);
}

/* The first clone of two has run, has acknowledged, and has written. */
static void prepare(void)
{
    struct fake_domain *d;

    s.src = fake_domain_named("src")->domid;
    s.memory = fake_memory_hash(s.src);
    fork_two(0);
    d = clone();
    s.before = *d;
    s.files = count_files(d->disks[0].path);
    fake_write(d->domid, GFN, WROTE);
    d->cpu_ns = 12345;
}

static int setup(void **state)
{
    (void)state;
    scene_source();
    prepare();
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xenfork_close(s.ctx);
    if (fake->violation[0])
        print_error("%s\n", fake->violation);
    assert_string_equal(fake->violation, "");
    fake_teardown();
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
    assert_int_not_equal(d->domid, s.before.domid);
    assert_memory_equal(d->uuid, s.before.uuid, 16);
    assert_memory_equal(d->nics[0].mac, s.before.nics[0].mac, 6);
    assert_string_equal(d->nics[0].bridge, s.before.nics[0].bridge);
    assert_false(d->nics[0].is_up);
    assert_false(d->nics[0].was_up);
    assert_true(fake_memory_hash(d->domid) == s.memory);
    assert_int_equal(d->max_vcpus, s.before.max_vcpus);
    assert_int_equal(d->max_pages, s.before.max_pages);
    assert_int_equal(d->claimed_pages, s.before.claimed_pages);
    assert_string_not_equal(d->disks[0].path, s.before.disks[0].path);
    assert_int_equal(access(fake_file(s.before.disks[0].path), F_OK), -1);
    assert_int_equal(access(fake_file(d->disks[0].path), F_OK), 0);
    assert_int_equal(count_files(d->disks[0].path), s.files);
    assert_string_equal(d->guest.role, s.before.guest.role);
    assert_string_not_equal(d->guest.generation, s.before.guest.generation);
    assert_string_equal(d->guest.source, s.before.guest.source);
    assert_string_equal(d->guest.source_macs, s.before.guest.source_macs);
    assert_int_equal(d->guest.index, s.before.guest.index);
    assert_int_equal(d->guest.param_count, s.before.guest.param_count);
    assert_string_not_equal(d->guest.entropy, s.before.guest.entropy);
    assert_int_equal(fake_domain(scene_image())->claimed_pages, 0);
}

static void resets(const char *name, uint32_t flags)
{
    xenfork_result *result = NULL;
    const xenfork_clone *c;

    assert_int_equal(xenfork_clone_reset(s.ctx, name, flags, &result), 0);
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

    assert_int_equal(xenfork_clone_reset(s.ctx, "src-1", 0, &result), code);
    assert_null(result);
    assert_non_null(strstr(xenfork_error_text(s.ctx), text));
    assert_non_null(xenfork_error_remedy(s.ctx));
    assert_true(fake_is_same(before, text));
    free(before);
}

static void test_back(void **state)
{
    (void)state;
    put(s.before.disks[0].path, "dirty");
    resets("src-1", 0);
    assert_forked(clone());
    assert_false(clone()->is_paused);
    assert_false(is_dirty(clone()->disks[0].path));
    /* The other clone is none of its business. */
    assert_true(fake_memory_hash(fake_domain_named("src-2")->domid) ==
                s.memory);
}

/* By domid, with its parameters, and not let to run. */
static void test_params(void **state)
{
    char domid[16];

    (void)state;
    s.before = *fake_domain_named("src-2");
    snprintf(domid, sizeof(domid), "%u", s.before.domid);
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

    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, s.before.uuid, &record),
        0);
    return record;
}

/* What it acknowledged before counts no more; what its user asked for does. */
static void test_record(void **state)
{
    cleanup_record struct xenfork__record *was = NULL, *is = NULL;

    (void)state;
    fake_ack(clone()->domid, NULL);
    assert_int_equal(xenfork_clone_set_nic_link(s.ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_int_equal(xenfork_clone_set_nic_bridge(s.ctx, "src-1", 0, "xenbr1"),
                     0);
    fake_copy_string(s.before.nics[0].bridge, 16, "xenbr1");
    was = load();
    assert_int_equal(was->nics[0].link, XENFORK_LINK_CONNECT);
    resets("src-1", 0);
    assert_forked(clone());
    is = load();
    assert_false(is->is_ready);
    assert_int_equal(is->nics[0].link, XENFORK_LINK_AUTO);
    assert_int_equal(is->created_s, was->created_s);
    assert_int_equal(is->reserved, was->reserved);
    assert_int_equal(is->reserved, 16);
    assert_int_equal(is->priority, 7);
    assert_int_equal(is->hydrated, 0);
    assert_true(is->is_hydrating);
    assert_string_not_equal(is->journal, was->journal);
}

/* One that its user holds is not connected by the next acknowledgement. */
static void test_held(void **state)
{
    cleanup_record struct xenfork__record *is = NULL;

    (void)state;
    assert_int_equal(xenfork_clone_set_nic_link(s.ctx, "src-1", XENFORK_ALL,
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
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    fork_two(XENFORK_FORK_NO_HYDRATE | XENFORK_FORK_EPHEMERAL |
             XENFORK_FORK_EPHEMERAL_CRASH);
    s.before = *clone();
    resets("src-1", 0);
    assert_forked(clone());
    is = load();
    assert_false(is->is_hydrating);
    assert_int_equal(is->ephemeral, XENFORK__EPHEMERAL_CRASH);
}

static void test_renamed(void **state)
{
    (void)state;
    fake_copy_string(clone()->name, FAKE_NAME, "other");
    resets("other", 0);
    assert_forked(fake_domain_named("other"));
    assert_null(clone());
}

static void end(void)
{
    assert_int_equal(xenfork__xen_destroy(s.ctx, clone()->domid), 0);
    assert_int_equal(xenfork_recover(s.ctx), 0);
}

static void test_stopped(void **state)
{
    (void)state;
    end();
    resets("src-1", 0);
    assert_forked(clone());
}

static void test_crashed(void **state)
{
    (void)state;
    clone()->is_shutdown = true;
    clone()->shutdown_reason = FAKE_SHUTDOWN_CRASH;
    resets("src-1", 0);
    assert_forked(clone());
    assert_false(clone()->is_shutdown);
}

/* It was rebooted since: all of its memory was its own. */
static void test_restarted(void **state)
{
    uint32_t domid;

    (void)state;
    end();
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    resets("src-1", 0);
    assert_forked(clone());
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
    assert_int_equal(xenfork_fork(s.ctx, scene_image(), spec, &result), 0);
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
    assert_forked(clone());
    assert_int_equal(fake->free_pages, free_pages);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

static void test_no_image(void **state)
{
    uint32_t domid;

    (void)state;
    end();
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    assert_refused(XENFORK_E_NOTFOUND, "is gone");
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_refused(XENFORK_E_NOTFOUND, "is gone");
}

static void test_detached(void **state)
{
    (void)state;
    assert_int_equal(xenfork_detach(s.ctx, "src-1", NULL, NULL, 0), 0);
    assert_refused(XENFORK_E_DISK, "is detached");
}

static void test_being_detached(void **state)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    char name[64] = "detach-";

    (void)state;
    xenfork__uuid_print(s.before.uuid, name + strlen(name));
    assert_int_equal(xenfork__lock_take(s.ctx, name, false, &lock), 0);
    assert_refused(XENFORK_E_BUSY, "is being detached");
}

static void test_forked_itself(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(clone()->domid, 1, 0), 0);
    assert_refused(XENFORK_E_INUSE, "was forked");
}

static void test_frozen(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, clone()->domid, 1000), 0);
    assert_refused(XENFORK_E_INUSE, "is frozen");
}

static void test_left(void **state)
{
    (void)state;
    fake->process = 4711;
    assert_int_equal(
        xenfork_clone_leaves(s.ctx, "src-1", "migrated to far", 4711), 0);
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
    xenfork__uuid_print(s.before.uuid, uuid);
    assert_int_equal(xenfork_clone_reset(s.ctx, uuid, 0, &result),
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

static int reset_it(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result = NULL;
    int rc = xenfork_clone_reset(ctx, "src-1", 0, &result);

    (void)opaque;
    xenfork_result_free(result);
    return sweep_end(ctx, rc);
}

/*
 * The image's only clone is stopped, and the image goes: the disks are as they
 * were, and the clone can be started.
 */
static void fail_alone(const char *function)
{
    uint32_t domid;

    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    put(s.before.disks[0].path, "dirty");
    fake_disarm();
    fake_fail_function(function, XENFORK_E_XEN, 0);
    assert_int_equal(reset_it(NULL), XENFORK_E_XEN);
    fake->fail_name = NULL;
    assert_int_equal(xenfork_recover(s.ctx), 0);
    assert_null(clone());
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
    assert_true(is_dirty(s.before.disks[0].path));
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_string_equal(clone()->disks[0].path, s.before.disks[0].path);
    assert_string_equal(clone()->guest.generation, s.before.guest.generation);
}

static void test_failed_alone(void **state)
{
    (void)state;
    fail_alone("xenfork__xen_restore");
}

/* The configuration that is kept is that of the new disks already. */
static void test_failed_late(void **state)
{
    (void)state;
    fail_alone("xenfork__sys_hold");
}

/* The sweeps. */

/* The clone as it was before the reset. */
static bool is_untouched(const struct fake_domain *d)
{
    uint64_t content;

    return d->domid == s.before.domid && !d->is_paused &&
           !strcmp(d->guest.generation, s.before.guest.generation) &&
           !strcmp(d->disks[0].path, s.before.disks[0].path) &&
           !access(fake_file(d->disks[0].path), F_OK) &&
           fake_read(d->domid, GFN, &content) && content == WROTE;
}

static bool is_reset(void)
{
    const struct fake_domain *d = clone();

    return d && d->domid != s.before.domid && !d->is_paused &&
           !d->is_unfinished && d->guest.role[0] &&
           strcmp(d->guest.generation, s.before.guest.generation) &&
           !d->nics[0].is_up && fake_memory_hash(d->domid) == s.memory &&
           access(fake_file(s.before.disks[0].path), F_OK) &&
           !access(fake_file(d->disks[0].path), F_OK) &&
           count_files(d->disks[0].path) == s.files &&
           !fake_domain(scene_image())->claimed_pages;
}

/* It has no domain, and its disk is what it was. */
static bool is_stopped(void)
{
    return !clone() && !access(fake_file(s.before.disks[0].path), F_OK) &&
           count_files(s.before.disks[0].path) == s.files &&
           !fake_domain(scene_image())->claimed_pages;
}

/* Wherever it was interrupted, it is one of these. */
static int run(void *opaque)
{
    if (!is_stopped() && !is_reset() && !(clone() && is_untouched(clone())))
        fake_violation("src-1 is neither as before, nor stopped, nor reset");
    return reset_it(opaque);
}

static void prepare_libxl(void)
{
    fake_add_guest("src");
    prepare();
}

static void prepare_fast(void)
{
    fake->is_fast = true;
    prepare_libxl();
}

static void prepare_stopped(void)
{
    xenfork_ctx *ctx;

    prepare_libxl();
    ctx = scene_open();
    assert_int_equal(xenfork__xen_destroy(ctx, clone()->domid), 0);
    assert_int_equal(xenfork_recover(ctx), 0);
    xenfork_close(ctx);
}

/* It must be hydrated before it may run. */
static void prepare_uncovered(void)
{
    prepare_fast();
    fake->free_pages = 1400;
}

static void prepare_thin(void)
{
    fake_make_thin(fake_add_guest("src"));
    prepare();
}

static void prepare_qcow2(void)
{
    fake_make_qcow2(fake_add_guest("src"));
    prepare();
}

static void prepare_vhd(void)
{
    fake_make_vhd(fake_add_guest("src"));
    prepare();
}

static const struct sweep sweeps[] = {
    {"reset", SWEEP_REPEATS, prepare_libxl, run, is_reset, 0},
    {"reset fast", SWEEP_REPEATS, prepare_fast, run, is_reset, 0},
    {"reset stopped", SWEEP_REPEATS, prepare_stopped, run, is_reset, 0},
    {"reset uncovered", SWEEP_REPEATS, prepare_uncovered, run, is_reset, 0},
    {"reset thin", SWEEP_REPEATS, prepare_thin, run, is_reset, 0},
    {"reset qcow2", SWEEP_REPEATS, prepare_qcow2, run, is_reset, 0},
    {"reset vhd", SWEEP_REPEATS, prepare_vhd, run, is_reset, 0},
};

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_back),
        TEST(test_params),
        TEST(test_record),
        TEST(test_held),
        TEST(test_options),
        TEST(test_renamed),
        TEST(test_stopped),
        TEST(test_crashed),
        TEST(test_restarted),
        TEST(test_fewer_disks),
        TEST(test_again),
        TEST(test_no_image),
        TEST(test_detached),
        TEST(test_being_detached),
        TEST(test_forked_itself),
        TEST(test_frozen),
        TEST(test_left),
        TEST(test_name_taken),
        TEST(test_memory),
        TEST(test_broken),
        TEST(test_failed_alone),
        TEST(test_failed_late),
        SWEEPS(0),
        SWEEPS(1),
        SWEEPS(2),
        SWEEPS(3),
        SWEEPS(4),
        SWEEPS(5),
        SWEEPS(6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
