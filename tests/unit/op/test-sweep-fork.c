/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork.c, image.c, clone.c, state/journal.c, recover.c: the sweeps. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"

static void prepare_running(void)
{
    fake_add_guest("src");
}

static void prepare_paused(void)
{
    fake_domain(fake_add_guest("src"))->is_paused = true;
}

/* It cannot suspend, and uses nothing of Xen's. */
static void prepare_plain(void)
{
    struct fake_domain *d = fake_domain(fake_add_guest("src"));

    d->uses[0] = '\0';
    d->can_suspend = false;
}

static void prepare_plain_paused(void)
{
    prepare_plain();
    fake_domain_named("src")->is_paused = true;
}

/* It writes while its memory is shared, and once more each time. */
static void prepare_busy(void)
{
    fake->is_impatient = true;
    fake->busy_pages = 6;
    fake_add_guest("src");
}

static void prepare_hvm(void)
{
    fake_domain(fake_add_guest("src"))->type = XENFORK__TYPE_HVM;
}

static void prepare_hvm_plain(void)
{
    prepare_plain();
    fake_domain_named("src")->type = XENFORK__TYPE_HVM;
}

static void prepare_thin(void)
{
    fake_make_thin(fake_add_guest("src"));
}

static void prepare_shimmed(void)
{
    fake->cannot_reflink = true;
    fake_make_shimmed(fake_add_guest("src"));
}

/* It has been forked before, and has written since. */
static void prepare_switched(void)
{
    uint32_t src = fake_add_guest("src");

    fake->cannot_reflink = true;
    fake_make_shimmed(src);
    assert_int_equal(scene_fork(src, 1, 0), 0);
    assert_true(fake_write_disk(src));
}

static void prepare_vhd(void)
{
    fake_make_vhd(fake_add_guest("src"));
}

static void prepare_qcow2(void)
{
    fake_make_qcow2(fake_add_guest("src"));
}

static void prepare_hvm_qcow2(void)
{
    prepare_qcow2();
    fake_domain_named("src")->type = XENFORK__TYPE_HVM;
}

/* Forked before: a chain, and QEMU has other names for it. */
static void prepare_chain(void)
{
    prepare_qcow2();
    assert_int_equal(
        scene_fork(fake_domain_named("src")->domid, 1, XENFORK_FORK_KEEP_IMAGE),
        0);
}

/* Clones without libxl's restore. */
static void prepare_fast(void)
{
    fake->is_fast = true;
    prepare_running();
}

static void prepare_fast_thin(void)
{
    fake->is_fast = true;
    prepare_switched();
}

static void prepare_fast_hvm(void)
{
    fake->is_fast = true;
    prepare_hvm();
}

static uint32_t source(void)
{
    return fake_domain_named("src")->domid;
}

/* An image that stays, made before by a fork with one clone. */
static void prepare_image(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, XENFORK_FORK_KEEP_IMAGE), 0);
}

static int fork_one(void *opaque)
{
    (void)opaque;
    return scene_fork(source(), 1, 0);
}

/* Reserve a quarter of what a source shares that waits for memory. */
static int fork_heard(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result = NULL;
    xenfork_spec *spec;
    int rc;

    (void)opaque;
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_source_reserve(spec, 25), 0);
    rc = xenfork_fork(ctx, source(), spec, &result);
    xenfork_spec_free(spec);
    xenfork_result_free(result);
    xenfork_close(ctx);
    return rc;
}

/* It has been forked before: its reservation stays as it is. */
static void prepare_heard(void)
{
    fake_domain(fake_add_guest("src"))->has_ring = true;
    assert_int_equal(fork_heard(NULL), 0);
}

static int fork_three(void *opaque)
{
    (void)opaque;
    return scene_fork(source(), 3, 0);
}

static int fork_kept(void *opaque)
{
    (void)opaque;
    return scene_fork(source(), 1, XENFORK_FORK_KEEP_IMAGE);
}

static int fork_image(void *opaque)
{
    (void)opaque;
    return scene_fork(scene_image(), 2, 0);
}

/* Clones run last of all: then only the journal is left to remove. */
static uint32_t running_clones(void)
{
    uint32_t i, n = 0;

    for (i = 0; i < FAKE_DOMAINS; i++)
        n += fake->domains[i].domid && fake->domains[i].parent &&
             fake->domains[i].has_run;
    return n;
}

static bool is_one(void)
{
    return running_clones() == 1;
}

static bool is_two(void)
{
    return running_clones() == 2;
}

static bool is_three(void)
{
    return running_clones() == 3;
}

static const struct sweep sweeps[] = {
    {"running", SWEEP_UNDOES, prepare_running, fork_one, is_one, 0},
    {"paused", SWEEP_UNDOES, prepare_paused, fork_one, is_one, 0},
    {"three", SWEEP_UNDOES, prepare_running, fork_three, is_three, 0},
    {"kept", SWEEP_UNDOES, prepare_running, fork_kept, is_one, 0},
    {"image", SWEEP_UNDOES, prepare_image, fork_image, is_three, 0},
    {"again", SWEEP_UNDOES, prepare_image, fork_one, is_two, 0},
    {"lvthin", SWEEP_UNDOES, prepare_thin, fork_three, is_three, 0},
    {"thin, first", SWEEP_UNDOES, prepare_shimmed, fork_three, is_three, 0},
    {"thin", SWEEP_UNDOES, prepare_switched, fork_one, is_two, 0},
    {"vhd", SWEEP_UNDOES, prepare_vhd, fork_one, is_one, 0},
    {"qcow2", SWEEP_UNDOES, prepare_qcow2, fork_one, is_one, 0},
    {"chain", SWEEP_UNDOES, prepare_chain, fork_one, is_two, 0},
    {"fast", SWEEP_UNDOES, prepare_fast, fork_three, is_three, 0},
    {"fast, thin", SWEEP_UNDOES, prepare_fast_thin, fork_one, is_two, 0},
    {"plain", SWEEP_UNDOES, prepare_plain, fork_one, is_one, 0},
    {"hvm", SWEEP_UNDOES, prepare_hvm, fork_three, is_three, 0},
    {"plain, paused", SWEEP_UNDOES, prepare_plain_paused, fork_one, is_one, 0},
    {"busy", SWEEP_UNDOES, prepare_busy, fork_one, is_one, 0},
    {"heard", SWEEP_UNDOES, prepare_heard, fork_heard, is_two, 0},
    {"hvm, plain", SWEEP_UNDOES, prepare_hvm_plain, fork_one, is_one, 0},
    {"fast, hvm", SWEEP_UNDOES, prepare_fast_hvm, fork_three, is_three, 0},
    {"hvm, qcow2", SWEEP_UNDOES, prepare_hvm_qcow2, fork_one, is_one, 0},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEP(0, failures),  SWEEP(1, failures), SWEEP(2, failures),
        SWEEP(3, failures),  SWEEP(4, failures), SWEEP(5, failures),
        SWEEP(0, residues),  SWEEP(1, residues), SWEEP(2, residues),
        SWEEP(4, residues),  SWEEP(5, residues), SWEEP(0, crashes),
        SWEEP(1, crashes),   SWEEP(2, crashes),  SWEEP(4, crashes),
        SWEEP(5, crashes),   SWEEP(6, failures), SWEEP(7, failures),
        SWEEP(7, residues),  SWEEP(7, crashes),  SWEEP(8, failures),
        SWEEP(8, residues),  SWEEP(8, crashes),  SWEEP(9, failures),
        SWEEP(9, residues),  SWEEP(9, crashes),  SWEEP(10, failures),
        SWEEP(10, residues), SWEEP(10, crashes), SWEEP(11, failures),
        SWEEP(11, residues), SWEEP(11, crashes), SWEEP(12, failures),
        SWEEP(12, residues), SWEEP(12, crashes), SWEEP(13, failures),
        SWEEP(13, residues), SWEEP(13, crashes), SWEEP(14, failures),
        SWEEP(14, residues), SWEEP(14, crashes), SWEEP(15, failures),
        SWEEP(15, residues), SWEEP(15, crashes), SWEEP(16, failures),
        SWEEP(16, residues), SWEEP(16, crashes), SWEEP(17, failures),
        SWEEP(17, residues), SWEEP(17, crashes), SWEEP(18, failures),
        SWEEP(18, residues), SWEEP(18, crashes), SWEEP(19, failures),
        SWEEP(19, residues), SWEEP(19, crashes), SWEEP(20, failures),
        SWEEP(20, residues), SWEEP(20, crashes), SWEEP(21, failures),
        SWEEP(21, residues), SWEEP(21, crashes),
    };

    return cmocka_run_group_tests(tests, NULL, sweep_group_teardown);
}
