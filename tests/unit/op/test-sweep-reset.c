/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reset that fails or is killed: src-1 is as before, stopped, or reset. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/reset-scene.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"
#include "host/host.h"

/* The clone as it was before the reset. */
static bool is_untouched(const struct fake_domain *d)
{
    uint64_t content;

    return d->domid == reset_scene.before.domid && !d->is_paused &&
           !strcmp(d->guest.generation, reset_scene.before.guest.generation) &&
           !strcmp(d->disks[0].path, reset_scene.before.disks[0].path) &&
           !access(fake_file(d->disks[0].path), F_OK) &&
           fake_read(d->domid, RESET_GFN, &content) && content == RESET_WROTE;
}

static bool is_reset(void)
{
    const struct fake_domain *d = reset_clone();

    return d && d->domid != reset_scene.before.domid && !d->is_paused &&
           !d->is_unfinished && d->guest.role[0] &&
           strcmp(d->guest.generation, reset_scene.before.guest.generation) &&
           !d->nics[0].is_up &&
           fake_memory_hash(d->domid) == reset_scene.memory &&
           access(fake_file(reset_scene.before.disks[0].path), F_OK) &&
           !access(fake_file(d->disks[0].path), F_OK) &&
           reset_count_files(d->disks[0].path) == reset_scene.files &&
           !fake_domain(scene_image())->claimed_pages;
}

/* It has no domain, and its disk is what it was. */
static bool is_stopped(void)
{
    return !reset_clone() &&
           !access(fake_file(reset_scene.before.disks[0].path), F_OK) &&
           reset_count_files(reset_scene.before.disks[0].path) ==
               reset_scene.files &&
           !fake_domain(scene_image())->claimed_pages;
}

/* Wherever it was interrupted, it is one of these. */
static int run(void *opaque)
{
    if (!is_stopped() && !is_reset() &&
        !(reset_clone() && is_untouched(reset_clone())))
        fake_violation("src-1 is neither as before, nor stopped, nor reset");
    return reset_run(opaque);
}

static void prepare_libxl(void)
{
    fake_add_guest("src");
    reset_prepare();
}

static void prepare_fast(void)
{
    fake->is_fast = true;
    prepare_libxl();
}

/* With a QEMU, which ends with its domain. */
static void prepare_fast_hvm(void)
{
    fake->is_fast = true;
    fake_domain(fake_add_guest("src"))->type = XENFORK__TYPE_HVM;
    reset_prepare();
}

static void prepare_stopped(void)
{
    xenfork_ctx *ctx;

    prepare_libxl();
    ctx = scene_open();
    assert_int_equal(xenfork__xen_destroy(ctx, reset_clone()->domid), 0);
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
    reset_prepare();
}

static void prepare_qcow2(void)
{
    fake_make_qcow2(fake_add_guest("src"));
    reset_prepare();
}

static void prepare_vhd(void)
{
    fake_make_vhd(fake_add_guest("src"));
    reset_prepare();
}

static const struct sweep sweeps[] = {
    {"reset", SWEEP_REPEATS, prepare_libxl, run, is_reset, 0},
    {"reset fast", SWEEP_REPEATS, prepare_fast, run, is_reset, 0},
    {"reset stopped", SWEEP_REPEATS, prepare_stopped, run, is_reset, 0},
    {"reset uncovered", SWEEP_REPEATS, prepare_uncovered, run, is_reset, 0},
    {"reset thin", SWEEP_REPEATS, prepare_thin, run, is_reset, 0},
    {"reset qcow2", SWEEP_REPEATS, prepare_qcow2, run, is_reset, 0},
    {"reset vhd", SWEEP_REPEATS, prepare_vhd, run, is_reset, 0},
    {"reset fast, hvm", SWEEP_REPEATS, prepare_fast_hvm, run, is_reset, 0},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEPS(0), SWEEPS(1), SWEEPS(2), SWEEPS(3),
        SWEEPS(4), SWEEPS(5), SWEEPS(6), SWEEPS(7),
    };

    return cmocka_run_group_tests(tests, NULL, sweep_group_teardown);
}
