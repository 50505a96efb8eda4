/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* destroy.c, hydrate.c, list.c, recover.c: the sweeps. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/qcow2/header.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "../lib/scene.h"
#include "state/files.h"
#include "state/record.h"
#include "state/restart.h"
#include "../lib/sweep.h"

static uint32_t source(void)
{
    return fake_domain_named("src")->domid;
}

static uint32_t clone_domid(void)
{
    const struct fake_domain *d = fake_domain_named("src-1");

    return d ? d->domid : XENFORK_DOMID_NONE;
}

/* A source keeps what it is told of itself at its first fork. */
static void mark_source(void)
{
    struct fake_guest *guest = &fake_domain(fake_add_guest("src"))->guest;

    fake_copy_string(guest->role, sizeof(guest->role), "source");
    fake_copy_string(guest->generation, sizeof(guest->generation), "first");
    fake_mark();
}

/* To be undone to the last file: what was before the fork. */
static void prepare_clone(void)
{
    mark_source();
    assert_int_equal(scene_fork(source(), 1, 0), 0);
}

/* It has rebooted, and could not be made again yet. */
static void prepare_restarting(void)
{
    static const char *const files[] = {XENFORK__FILE_CONFIG,
                                        XENFORK__FILE_RECORD};
    uint8_t uuid[16];
    xenfork_ctx *ctx;
    char *dir;
    size_t i;

    prepare_clone();
    ctx = scene_open();
    memcpy(uuid, fake_domain(clone_domid())->uuid, 16);
    assert_int_equal(xenfork__xen_destroy(ctx, clone_domid()), 0);
    dir = xenfork__restart_path(ctx, uuid, NULL);
    assert_int_equal(xenfork__make_dir(ctx, dir), 0);
    free(dir);
    for (i = 0; i < ARRAY_SIZE(files); i++) {
        char *path = xenfork__restart_path(ctx, uuid, files[i]);

        assert_int_equal(xenfork__file_write(ctx, path, "x", 1), 0);
        free(path);
    }
    xenfork_close(ctx);
}

static void prepare_two(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 2, 0), 0);
}

static int destroy_clone(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_clone_destroy(ctx, "src-1", 0));
}

/* The other clone goes on, and so does its image. */
static bool is_other_left(void)
{
    const struct fake_domain *other = fake_domain_named("src-2");

    return clone_domid() == XENFORK_DOMID_NONE && other &&
           !other->is_shutdown && scene_image() != XENFORK_DOMID_NONE &&
           fake_same_memory(scene_image(), other->domid);
}

static int hydrate(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, scene_hydrate(ctx, clone_domid()));
}

static bool is_hydrated(void)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_list *list;
    bool ok;

    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    ok = xenfork_entry_hydrated(xenfork_list_entry(list, 1)) == 100 &&
         xenfork_entry_users(xenfork_list_entry(list, 0)) == 0;
    xenfork_list_free(list);
    xenfork_close(ctx);
    return ok && fake_domain(clone_domid())->page_count ==
                     fake_domain(scene_image())->page_count;
}

static bool is_image_gone(void)
{
    return scene_image() == XENFORK_DOMID_NONE &&
           !fake_domain(source())->claimed_pages;
}

static int detach(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_detach(ctx, "src-1", NULL, NULL, 0));
}

static int move(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_detach(ctx, "src-1", fake->dir, NULL, 0));
}

/* One file, and where it was asked for. */
static bool is_moved(void)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_list *list;
    const char *path;
    bool ok;

    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    path = xenfork_disk_path(xenfork_entry_disk(
        xenfork_list_entry(list, xenfork_list_entry_count(list) - 1), 0));
    ok = path && strstr(path, "/src-1-xvda.raw") && access(path, F_OK) == 0;
    xenfork_list_free(list);
    xenfork_close(ctx);
    return ok;
}

static bool is_detached(void)
{
    const struct fake_domain *clone = fake_domain(clone_domid());
    const struct fake_domain *image = fake_domain(scene_image());

    return fake_private_pages(clone) == clone->page_count &&
           fake_same_memory(source(), clone_domid()) &&
           (!image || image->is_dying);
}

static void image_name(char *name_out, size_t bytes)
{
    fake_copy_string(name_out, bytes, fake_domain(scene_image())->name);
}

/* An image whose clones are gone. */
static void prepare_kept(void)
{
    mark_source();
    assert_int_equal(scene_fork(source(), 1, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(destroy_clone(NULL), 0);
}

static void prepare_hydrated(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(hydrate(NULL), 0);
}

static void prepare_lazy(void)
{
    fake_add_guest("src");
    assert_int_equal(
        scene_fork(source(), 1,
                   XENFORK_FORK_KEEP_IMAGE | XENFORK_FORK_AUTO_HYDRATE),
        0);
}

static int destroy_image(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    char name[FAKE_NAME] = "src@fork-1";

    (void)opaque;
    if (scene_image() != XENFORK_DOMID_NONE &&
        !fake_domain(scene_image())->is_dying)
        image_name(name, sizeof(name));
    return sweep_end(ctx, xenfork_image_destroy(ctx, name));
}

static bool is_orphan_alive(void)
{
    const struct fake_domain *c = fake_domain(clone_domid());
    const struct fake_domain *i = fake_domain(scene_image());

    return c && !c->is_shutdown && (!i || i->is_dying) &&
           fake_same_memory(clone_domid(), source());
}

static int recover(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_recover(ctx));
}

/* Nothing may happen to a clone that is in use. */
static void prepare_use(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, 0), 0);
    fake_mark();
}

/* The user destroyed the clone with xl: its image is not needed. */
static void prepare_lost_clone(void)
{
    xenfork_ctx *ctx;

    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, 0), 0);
    ctx = scene_open();
    assert_int_equal(xenfork__xen_destroy(ctx, clone_domid()), 0);
    xenfork_close(ctx);
}

static int killed_fork(void *opaque)
{
    (void)opaque;
    return scene_fork(source(), 2, 0);
}

/* A fork killed when its first clone was under way, the second half-made. */
static void prepare_killed(void)
{
    uint32_t n, restores = 0;
    int rc;

    fake_add_guest("src");
    fake_domain(source())->is_paused = true;
    fake_mark();
    assert_int_equal(scene_fork(source(), 2, 0), 0);
    for (n = 0; restores < 2; n++)
        restores += !strcmp(fake->log[n], "xenfork__xen_restore_begin");
    fake_setup();
    fake_add_guest("src");
    fake_domain(source())->is_paused = true;
    fake_mark();
    fake_crash_at(n, FAKE_AFTER);
    assert_true(fake_crash(killed_fork, NULL, &rc));
}

static void prepare_qcow2_clone(void)
{
    fake_add_guest("src");
    fake_make_qcow2(source());
    assert_int_equal(scene_fork(source(), 1, 0), 0);
}

static bool is_flat(const char *path)
{
    xenfork_ctx *ctx = scene_open();
    char *parent = NULL;
    int rc = xenfork__qcow2_parent(ctx, path, &parent);
    bool ok = rc == 0 && !parent;

    free(parent);
    xenfork_close(ctx);
    return ok;
}

static bool is_qcow2_detached(void)
{
    const struct fake_domain *clone = fake_domain(clone_domid());

    return !clone->is_paused && is_flat(clone->disks[0].path);
}

/* Served from there, and so says libxl's record, too. */
static bool is_qcow2_moved(void)
{
    const struct fake_domain *clone = fake_domain(clone_domid());

    return is_moved() && !clone->is_paused &&
           strstr(clone->disks[0].path, "/src-1-xvda.raw") &&
           clone->disks[0].top.node[0] == 'd' && is_flat(clone->disks[0].path);
}

static void prepare_vhd_clone(void)
{
    fake_add_guest("src");
    fake_make_vhd(source());
    assert_int_equal(scene_fork(source(), 1, 0), 0);
}

/* It has no backing file, has what it lay on, and nothing is beside it. */
static bool is_vhd_detached(void)
{
    const struct fake_disk *disk = &fake_domain(clone_domid())->disks[0];
    xenfork_ctx *ctx = scene_open();
    struct xenfork__vhd vhd = {0};
    char file[FAKE_PATH + 8];
    int rc = xenfork__sys_vhd_query(ctx, fake_file(disk->path), &vhd);

    free(vhd.parent);
    xenfork_close(ctx);
    snprintf(file, sizeof(file), "%s.own", fake_file(disk->path));
    return rc == 0 && vhd.depth == 1 && vhd.allocated == 1 &&
           !disk->is_tap_paused && access(file, F_OK);
}

static const struct sweep sweeps[] = {
    {"destroy clone", SWEEP_REPEATS, prepare_clone, destroy_clone, NULL, 0},
    {"destroy one of two", SWEEP_REPEATS, prepare_two, destroy_clone,
     is_other_left, 0},
    {"hydrate", SWEEP_REPEATS, prepare_clone, hydrate, is_hydrated, 0},
    {"destroy image", SWEEP_REPEATS, prepare_kept, destroy_image, NULL, 0},
    {"destroy hydrated", SWEEP_REPEATS, prepare_hydrated, destroy_image,
     is_orphan_alive, 0},
    {"destroy needed", SWEEP_REPEATS, prepare_lazy, destroy_image,
     is_orphan_alive, 0},
    {"recover in use", SWEEP_REPEATS, prepare_use, recover, NULL, 0},
    {"recover lost clone", SWEEP_REPEATS, prepare_lost_clone, recover,
     is_image_gone, 0},
    {"recover killed", SWEEP_REPEATS, prepare_killed, recover, NULL,
     XENFORK_E_RESIDUE},
    {"detach", SWEEP_REPEATS, prepare_clone, detach, is_detached, 0},
    {"move", SWEEP_REPEATS, prepare_lost_clone, move, is_moved, 0},
    {"detach qcow2", SWEEP_REPEATS, prepare_qcow2_clone, detach,
     is_qcow2_detached, 0},
    {"move qcow2", SWEEP_REPEATS, prepare_qcow2_clone, move, is_qcow2_moved, 0},
    {"detach vhd", SWEEP_REPEATS, prepare_vhd_clone, detach, is_vhd_detached,
     0},
    {"destroy restarting", SWEEP_REPEATS, prepare_restarting, destroy_clone,
     NULL, 0},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEPS(0),  SWEEPS(1),  SWEEPS(2),  SWEEPS(3),  SWEEPS(4),
        SWEEPS(5),  SWEEPS(6),  SWEEPS(7),  SWEEPS(8),  SWEEPS(9),
        SWEEPS(10), SWEEPS(11), SWEEPS(12), SWEEPS(13), SWEEPS(14),
    };

    return cmocka_run_group_tests(tests, NULL, sweep_group_teardown);
}
