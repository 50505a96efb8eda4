/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.c: a clone that has ended starts again, as the machine that it was. */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "op/ready.h"
#include "state/record.h"
#include "../lib/sweep.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src;
    struct fake_domain before; /* the clone, when it ran */
} s;

/* A clone with a parameter that has two lines. */
static void fork_with_params(uint32_t src)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result;
    xenfork_spec *spec;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 0, "ip", "10.0.0.9/24"), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 0, "text", "a b\nc\\n"), 0);
    assert_int_equal(xenfork_fork(ctx, src, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    xenfork_close(ctx);
}

static void end(void)
{
    struct fake_domain *d = fake_domain_named("src-1");

    s.before = *d;
    assert_int_equal(xenfork__xen_destroy(s.ctx, d->domid), 0);
    assert_int_equal(xenfork_recover(s.ctx), 0);
}

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    fork_with_params(s.src);
    s.ctx = scene_open();
    end();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(s.ctx);
    return 0;
}

static const struct fake_domain *starts(void)
{
    uint32_t domid = XENFORK_DOMID_NONE;

    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_non_null(fake_domain(domid));
    return fake_domain(domid);
}

static void assert_refused(int code, const char *text)
{
    char *before = fake_snapshot();
    uint32_t domid = 4711;

    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), code);
    assert_int_equal(domid, 4711);
    assert_non_null(strstr(xenfork_error_text(s.ctx), text));
    assert_non_null(xenfork_error_remedy(s.ctx));
    assert_true(fake_is_same(before, text));
    free(before);
}

static void test_same_machine(void **state)
{
    const struct fake_domain *d = starts();

    (void)state;
    assert_int_not_equal(d->domid, s.before.domid);
    assert_false(d->is_paused);
    assert_string_equal(d->name, "src-1");
    assert_memory_equal(d->uuid, s.before.uuid, 16);
    assert_string_equal(d->disks[0].path, s.before.disks[0].path);
    assert_string_equal(d->disks[0].format, s.before.disks[0].format);
    assert_memory_equal(d->nics[0].mac, s.before.nics[0].mac, 6);
    assert_string_equal(d->nics[0].bridge, s.before.nics[0].bridge);
    assert_false(d->nics[0].is_up);
    assert_string_equal(d->guest.role, s.before.guest.role);
    assert_string_equal(d->guest.generation, s.before.guest.generation);
    assert_string_equal(d->guest.source, s.before.guest.source);
    assert_string_equal(d->guest.source_macs, s.before.guest.source_macs);
    assert_int_equal(d->guest.index, s.before.guest.index);
    assert_int_equal(d->guest.param_count, 2);
    assert_string_equal(d->guest.params[0], s.before.guest.params[0]);
    assert_string_equal(d->guest.params[1], s.before.guest.params[1]);
    /* Not ready yet: entropy, but never the same. */
    assert_int_equal(strlen(d->guest.entropy), strlen(s.before.guest.entropy));
    assert_string_not_equal(d->guest.entropy, s.before.guest.entropy);
}

/* Tell whether the clone is ready, and has reseeded; its error, or "". */
static void look(bool is_ready, bool is_reseeded, const char *error)
{
    xenfork_list *list;
    const xenfork_entry *entry;

    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    entry = xenfork_list_entry(list, 0);
    assert_int_equal(xenfork_entry_is_ready(entry), is_ready);
    assert_int_equal(xenfork_entry_is_reseeded(entry), is_reseeded);
    if (*error)
        assert_string_equal(xenfork_entry_error(entry), error);
    else
        assert_null(xenfork_entry_error(entry));
    xenfork_list_free(list);
}

/* It was given a NIC by hand, which is not in its configuration, and held it.
 */
static void test_nic_attached(void **state)
{
    struct fake_domain *d;
    struct fake_nic *nic;

    (void)state;
    d = fake_domain(starts()->domid);
    nic = &d->nics[d->nic_count++];
    *nic = d->nics[0];
    nic->devid = 7;
    nic->mac[5] ^= 0x40;
    fake_copy_string(nic->ifname, sizeof(nic->ifname), "hot0");
    assert_int_equal(xenfork_clone_set_nic_link(s.ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_HOLD),
                     0);
    end();
    d = fake_domain(starts()->domid);
    assert_int_equal(d->nic_count, 1);
    assert_false(d->nics[0].is_up);
}

/*
 * Its link is as the user left it; it had acknowledged, and is ready again when
 * it has adapted to this start.
 */
static void test_connected(void **state)
{
    cleanup_record struct xenfork__record *record = NULL;
    const struct fake_domain *d;

    (void)state;
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, s.before.uuid, &record),
        0);
    record->nics[0].link = XENFORK_LINK_CONNECT;
    record->is_ready = record->is_reseeded = true;
    assert_int_equal(xenfork__record_save(s.ctx, record), 0);
    d = starts();
    assert_true(d->nics[0].is_up);
    assert_string_not_equal(d->guest.entropy, "");
    assert_string_equal(d->guest.generation, s.before.guest.generation);
    look(false, false, "");
    fake_fault(d->domid, "40-network: no way");
    look(false, false, "40-network: no way");
    assert_true(d->nics[0].is_up);
    fake_reseeded(d->domid);
    fake_ack(d->domid, NULL);
    assert_int_equal(xenfork__ready_accept(s.ctx, d->domid), 0);
    look(true, true, "");
    assert_true(d->nics[0].is_up);
    assert_string_equal(d->guest.entropy, "");
}

/* And ended, and started, by its UUID, without its image. */
static void test_again(void **state)
{
    xenfork_list *list;
    char uuid[40];
    uint32_t domid;

    (void)state;
    starts();
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_int_equal(xenfork_list_entry_count(list), 1);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "running");
    assert_int_equal(xenfork_entry_hydrated(xenfork_list_entry(list, 0)), 100);
    snprintf(uuid, sizeof(uuid), "%s",
             xenfork_entry_uuid(xenfork_list_entry(list, 0)));
    xenfork_list_free(list);
    end();
    assert_int_equal(xenfork_clone_start(s.ctx, uuid, 0, &domid), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_null(fake_domain_named("src-1"));
}

static void test_runs(void **state)
{
    uint32_t domid;

    (void)state;
    starts();
    assert_refused(XENFORK_E_BUSY, "runs already");
    fake_domain_named("src-1")->is_paused = true;
    assert_refused(XENFORK_E_BUSY, "paused");
    fake_domain_named("src-1")->is_shutdown = true;
    assert_refused(XENFORK_E_BUSY, "has shut down");
    fake_copy_string(fake_domain_named("src-1")->name, 8, "other");
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid),
                     XENFORK_E_NOTFOUND);
}

static void test_name_taken(void **state)
{
    (void)state;
    fake_add_guest("src-1");
    assert_refused(XENFORK_E_NOTOURS, "src-1");
}

static void test_no_disk(void **state)
{
    (void)state;
    unlink(s.before.disks[0].path);
    assert_refused(XENFORK_E_DISK, s.before.disks[0].path);
}

static void write_at(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* By its user's leave it starts with what is there now. */
static void assert_asks(const char *text)
{
    assert_refused(XENFORK_E_INUSE, text);
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "--yes src-1"));
}

/* A read-only disk is not the clone's own: it may be anything by now. */
static void test_readonly_disk(void **state)
{
    struct fake_disk *disk = &fake_domain(s.src)->disks[0];
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
    char first[FAKE_PATH], other[FAKE_PATH];
    struct stat st;
    uint32_t domid;

    (void)state;
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    disk->is_readwrite = false;
    fork_with_params(s.src);
    end();
    snprintf(first, sizeof(first), "%.200s/first", fake->dir);
    snprintf(other, sizeof(other), "%.200s/other", fake->dir);
    write_at(other, "other");
    assert_int_equal(rename(disk->path, first), 0);
    assert_asks("is missing");
    assert_int_equal(symlink(other, disk->path), 0);
    assert_asks("is another one");
    assert_int_equal(unlink(disk->path), 0);
    assert_int_equal(rename(other, disk->path), 0);
    assert_asks("is another one");
    assert_int_equal(rename(first, disk->path), 0);
    assert_int_equal(stat(disk->path, &st), 0);
    times[1].tv_sec = st.st_mtim.tv_sec + 1;
    assert_int_equal(utimensat(AT_FDCWD, disk->path, times, 0), 0);
    assert_asks("was written to");
    times[1] = st.st_mtim;
    assert_int_equal(utimensat(AT_FDCWD, disk->path, times, 0), 0);
    starts();
    end();
    assert_int_equal(rename(disk->path, first), 0);
    write_at(disk->path, "another");
    assert_asks("is another one");
    assert_int_equal(xenfork_agree(s.ctx), 0);
    starts();
    end();
    assert_asks("is another one");
    assert_int_equal(
        xenfork_clone_start(s.ctx, "src-1", XENFORK_START_LEFT, &domid), 0);
}

static void test_no_memory(void **state)
{
    (void)state;
    fake->has_no_memory = true;
    assert_refused(XENFORK_E_HOSTMEM, "");
}

static void test_no_config(void **state)
{
    cleanup_free char *path = xenfork__record_path(
        s.ctx, XENFORK_KIND_CLONE, s.before.uuid, XENFORK__FILE_CONFIG);

    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_refused(XENFORK_E_STATE, "is lost");
}

/* The clone keeps what our verbs have changed since. */
static void test_changed(void **state)
{
    const struct fake_domain *d = starts();

    (void)state;
    assert_int_equal(xenfork_clone_set_nic_bridge(s.ctx, "src-1", 0, "xenbr1"),
                     0);
    assert_string_equal(d->nics[0].bridge, "xenbr1");
    end();
    assert_int_equal(xenfork_detach(s.ctx, "src-1", fake->dir, "raw", 0), 0);
    d = starts();
    assert_string_equal(d->nics[0].bridge, "xenbr1");
    assert_string_not_equal(d->disks[0].path, s.before.disks[0].path);
    assert_non_null(strstr(d->disks[0].path, "/src-1-xvda.raw"));
}

static void prepare(void)
{
    struct fake_domain *d;
    xenfork_ctx *ctx;

    fake_add_guest("src");
    fork_with_params(fake_domain_named("src")->domid);
    ctx = scene_open();
    d = fake_domain_named("src-1");
    s.before = *d;
    assert_int_equal(xenfork__xen_destroy(ctx, d->domid), 0);
    assert_int_equal(xenfork_recover(ctx), 0);
    xenfork_close(ctx);
}

static bool is_started(void)
{
    const struct fake_domain *d = fake_domain_named("src-1");

    return d && !d->is_paused && !d->nics[0].is_up &&
           !strcmp(d->guest.generation, s.before.guest.generation);
}

/* After it was killed the clone is stopped, or started, nothing between. */
static int run(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    uint32_t domid;

    (void)opaque;
    if (is_started()) {
        int rc = xenfork_recover(ctx);

        return sweep_end(ctx, is_started() ? rc : XENFORK_E_STATE);
    }
    return sweep_end(ctx, xenfork_clone_start(ctx, "src-1", 0, &domid));
}

static void prepare_left(void)
{
    xenfork_ctx *ctx;

    prepare();
    ctx = scene_open();
    assert_int_equal(xenfork_clone_leaves(ctx, "src-1", "saved in f", 0), 0);
    xenfork_close(ctx);
}

static bool is_here(void)
{
    cleanup_record struct xenfork__record *record = NULL;
    xenfork_ctx *ctx = scene_open();
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE, s.before.uuid,
                                  &record);

    xenfork_close(ctx);
    return rc == 0 && is_started() && (!record->left || !record->left[0]);
}

/* As long as it is not started, it has left: it is asked about. */
static int run_left(void *opaque)
{
    xenfork_ctx *ctx;
    uint32_t domid;
    int rc;

    if (is_started()) {
        rc = run(opaque);
        if (!is_here())
            fake_violation("it runs here, and counts as one that has left");
        return rc;
    }
    ctx = scene_open();
    rc = xenfork_clone_start(ctx, "src-1", 0, &domid);
    if (rc == XENFORK_E_INUSE)
        rc = xenfork_clone_start(ctx, "src-1", XENFORK_START_LEFT, &domid);
    else if (rc == 0)
        fake_violation("started without a question");
    return sweep_end(ctx, rc);
}

static const struct sweep sweeps[] = {
    {"start", SWEEP_REPEATS, prepare, run, is_started, 0},
    {"start left", SWEEP_REPEATS, prepare_left, run_left, is_started, 0},
};

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_same_machine),
        TEST(test_nic_attached),
        TEST(test_connected),
        TEST(test_again),
        TEST(test_runs),
        TEST(test_name_taken),
        TEST(test_no_disk),
        TEST(test_no_memory),
        TEST(test_no_config),
        TEST(test_changed),
        TEST(test_readonly_disk),
        SWEEPS(0),
        SWEEPS(1),
    };

    return cmocka_run_group_tests(tests, NULL, sweep_group_teardown);
}
