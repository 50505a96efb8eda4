/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host loses power in the middle of every verb. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/cuts.h"
#include "../lib/fake-xen.h"
#include "../lib/scene.h"

static void prepare_raw(void)
{
    fake_add_guest("src");
    cuts_note_source("reflink");
}

static void prepare_lvthin(void)
{
    fake_make_thin(fake_add_guest("src"));
    cuts_note_source("lvthin");
}

static void prepare_qcow2(void)
{
    fake_make_qcow2(fake_add_guest("src"));
    cuts_note_source("qcow2");
}

static void prepare_vhd(void)
{
    fake_make_vhd(fake_add_guest("src"));
    cuts_note_source("vhd");
}

static void prepare_thin(void)
{
    uint32_t src = fake_add_guest("src");

    fake->cannot_reflink = true;
    fake_make_shimmed(src);
    cuts_note_source("");
}

static void fork_kept(void)
{
    assert_int_equal(scene_fork(cuts_source(), 1, XENFORK_FORK_KEEP_IMAGE), 0);
}

static void prepare_raw_clone(void)
{
    prepare_raw();
    assert_int_equal(scene_fork(cuts_source(), 1, 0), 0);
}

static void prepare_qcow2_clone(void)
{
    prepare_qcow2();
    assert_int_equal(scene_fork(cuts_source(), 1, 0), 0);
}

static void prepare_vhd_clone(void)
{
    prepare_vhd();
    assert_int_equal(scene_fork(cuts_source(), 1, 0), 0);
}

static void prepare_thin_clone(void)
{
    prepare_thin();
    assert_int_equal(scene_fork(cuts_source(), 1, 0), 0);
}

static void prepare_image(void)
{
    xenfork_ctx *ctx;

    prepare_raw();
    fork_kept();
    ctx = scene_open();
    assert_int_equal(scene_hydrate(ctx, fake_domain_named("src-1")->domid), 0);
    xenfork_close(ctx);
}

static void prepare_gone_clone(void)
{
    xenfork_ctx *ctx;

    prepare_raw_clone();
    ctx = scene_open();
    assert_int_equal(
        xenfork__xen_destroy(ctx, fake_domain_named("src-1")->domid), 0);
    xenfork_close(ctx);
}

static int fork_one(void)
{
    return scene_fork(cuts_source(), 1, 0);
}

static int run(int (*verb)(xenfork_ctx *ctx))
{
    xenfork_ctx *ctx = scene_open();
    int rc = verb(ctx);

    xenfork_close(ctx);
    return rc;
}

static int do_freeze(xenfork_ctx *ctx)
{
    return xenfork_freeze(ctx, cuts_source(), 1000);
}

static int freeze(void)
{
    return run(do_freeze);
}

static void prepare_frozen(void)
{
    prepare_raw();
    assert_int_equal(freeze(), 0);
}

static int do_thaw(xenfork_ctx *ctx)
{
    return xenfork_thaw(ctx, cuts_source());
}

static int thaw(void)
{
    return run(do_thaw);
}

static int do_detach(xenfork_ctx *ctx)
{
    return xenfork_detach(ctx, "src-1", NULL, NULL, 0);
}

static int detach(void)
{
    return run(do_detach);
}

static int do_move(xenfork_ctx *ctx)
{
    return xenfork_detach(ctx, "src-1", fake->dir, NULL, 0);
}

static int move(void)
{
    return run(do_move);
}

static int do_destroy(xenfork_ctx *ctx)
{
    return xenfork_clone_destroy(ctx, "src-1", 0);
}

static int destroy(void)
{
    return run(do_destroy);
}

static int do_start(xenfork_ctx *ctx)
{
    uint32_t domid;

    return xenfork_clone_start(ctx, "src-1", 0, &domid);
}

static int start(void)
{
    return run(do_start);
}

static int do_forget(xenfork_ctx *ctx)
{
    return xenfork_clone_forget(ctx, "src-1");
}

static int forget(void)
{
    return run(do_forget);
}

static int do_image_destroy(xenfork_ctx *ctx)
{
    return xenfork_image_destroy(ctx, "src@fork-1");
}

static int image_destroy(void)
{
    return run(do_image_destroy);
}

static const struct cut cuts[] = {
    {"fork raw", prepare_raw, fork_one, 0, 1, NULL, false},
    {"fork lvthin", prepare_lvthin, fork_one, 0, 1, NULL, false},
    {"fork qcow2", prepare_qcow2, fork_one, 0, 1, NULL, false},
    {"fork vhd", prepare_vhd, fork_one, 0, 1, NULL, false},
    {"fork thin", prepare_thin, fork_one, 0, 1, NULL, false},
    {"freeze", prepare_raw, freeze, 0, 0, NULL, false},
    {"thaw", prepare_frozen, thaw, 0, 0, NULL, false},
    {"detach raw", prepare_raw_clone, detach, 1, 1, NULL, false},
    {"move raw", prepare_gone_clone, move, 1, 1, NULL, false},
    {"detach qcow2", prepare_qcow2_clone, detach, 1, 1, NULL, false},
    {"move qcow2", prepare_qcow2_clone, move, 1, 1, NULL, false},
    {"detach vhd", prepare_vhd_clone, detach, 1, 1, NULL, false},
    {"detach thin", prepare_thin_clone, detach, 1, 1, NULL, false},
    {"destroy raw", prepare_raw_clone, destroy, 1, 0, do_destroy, false},
    {"destroy qcow2", prepare_qcow2_clone, destroy, 1, 0, do_destroy, false},
    {"destroy vhd", prepare_vhd_clone, destroy, 1, 0, do_destroy, false},
    {"destroy thin", prepare_thin_clone, destroy, 1, 0, do_destroy, false},
    {"start", prepare_gone_clone, start, 1, 1, NULL, false},
    {"forget", prepare_gone_clone, forget, 1, 0, do_forget, true},
    {"destroy image", prepare_image, image_destroy, 1, 1, do_image_destroy,
     false},
};

int main(int argc, char **argv)
{
    return cuts_main(cuts, sizeof(cuts) / sizeof(cuts[0]), argc, argv);
}
