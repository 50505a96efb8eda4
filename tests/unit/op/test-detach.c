/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detach.c: memory of its own, and disks of their own. */
#include "config.h"

#include <fcntl.h>
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
#include "disk/qcow2/header.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/named.h"
#include "../lib/scene.h"
#include "state/lock.h"
#include "state/record.h"

struct scene {
    uint32_t src, clone, image;
    xenfork_ctx *ctx;
    bool is_asked;
};

static int setup(void **state)
{
    static struct scene s;

    s.src = scene_source();
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    s.clone = fake_domain_named("src-1")->domid;
    s.image = scene_image();
    s.ctx = scene_open();
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    xenfork_close(s->ctx);
    if (fake->violation[0])
        print_error("%s\n", fake->violation);
    assert_string_equal(fake->violation, "");
    fake_teardown();
    return 0;
}

static uint32_t detached(const struct scene *s)
{
    xenfork_list *list;
    uint32_t i, percent = 0;

    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        if (xenfork_entry_kind(xenfork_list_entry(list, i)) ==
            XENFORK_KIND_CLONE)
            percent = xenfork_entry_detached(xenfork_list_entry(list, i));
    xenfork_list_free(list);
    return percent;
}

static void test_memory(void **state)
{
    struct scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);

    assert_int_equal(detached(s), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(fake_private_pages(clone), clone->page_count);
    assert_true(fake_same_memory(s->clone, s->src));
    assert_int_equal(clone->claimed_pages, 0);
    assert_int_equal(detached(s), 100);
    /* The last one that shared with the image. */
    assert_true(fake_domain(s->image)->is_dying);
    /* Once more: there is nothing to do. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    /* Its own, and still ours to end. */
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
}

static void test_too_little(void **state)
{
    struct scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);
    uint64_t claimed;

    assert_int_equal(scene_hydrate(s->ctx, s->clone), 0);
    fake_write(s->clone, 1, 4711);
    claimed = clone->claimed_pages;
    fake->free_pages = fake_claimed() + 1;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_HOSTMEM);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(clone->claimed_pages, claimed);
    assert_true(detached(s) < 100);
}

static void stop_it(void *opaque, int stage, uint32_t index, uint64_t done,
                    uint64_t total)
{
    const struct scene *s = opaque;
    xenfork_ctx *other;

    (void)index;
    (void)done;
    (void)total;
    if (stage != XENFORK_STAGE_DETACH)
        return;
    other = scene_open();
    assert_int_equal(xenfork_detach_stop(other, "src-1"), 0);
    assert_int_equal(xenfork_detach(other, "src-1", NULL, NULL, 0),
                     XENFORK_E_BUSY);
    xenfork_close(other);
    xenfork_set_progress(s->ctx, NULL, NULL);
}

static void test_stopped(void **state)
{
    struct scene *s = *state;

    xenfork_set_progress(s->ctx, stop_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_CANCELLED);
    assert_true(detached(s) < 100);
    assert_true(fake_same_memory(s->clone, s->src));
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(detached(s), 100);
}

/* So slow that it would sleep for minutes: it is stopped at once. */
static void test_slow(void **state)
{
    struct scene *s = *state;
    uint64_t start = xenfork__now_ns();

    xenfork_set_progress(s->ctx, stop_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 1),
                     XENFORK_E_CANCELLED);
    assert_true(xenfork__now_ns() - start < 4000000000U);
}

/* What is its own already does not count for the limit of speed. */
static void test_speed(void **state)
{
    struct scene *s = *state;
    struct fake_domain *clone = fake_domain(s->clone);
    uint64_t gfn, start;

    for (gfn = 1; gfn < clone->page_count; gfn++)
        assert_int_equal(xenfork__xen_unshare(s->ctx, s->clone, &gfn, 1), 0);
    start = xenfork__now_ns();
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 16), 0);
    assert_true(xenfork__now_ns() - start < 4000000000U);
    assert_int_equal(detached(s), 100);
}

static void cancel_it(void *opaque, int stage, uint32_t index, uint64_t done,
                      uint64_t total)
{
    const struct scene *s = opaque;

    (void)index;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_DETACH)
        xenfork_cancel(s->ctx);
}

static void test_cancelled(void **state)
{
    struct scene *s = *state;

    xenfork_set_progress(s->ctx, cancel_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_CANCELLED);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_true(detached(s) < 100);
}

/* Its domain is gone: it is about its disks. */
static void test_gone(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(detached(s), 100);
}

static const char *disk_path(const struct scene *s, xenfork_list **list)
{
    assert_int_equal(xenfork_list_open(s->ctx, 0, list), 0);
    return xenfork_disk_path(xenfork_entry_disk(
        xenfork_list_entry(*list, xenfork_list_entry_count(*list) - 1), 0));
}

/* Its disks elsewhere: only while it does not run. */
static void test_moved(void **state)
{
    struct scene *s = *state;
    char dir[FAKE_PATH], to[FAKE_PATH + 32], old[FAKE_PATH];
    xenfork_list *list;

    snprintf(dir, sizeof(dir), "%s", fake->dir);
    snprintf(to, sizeof(to), "%s/src-1-xvda.qcow2", dir);
    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, "vhd", 0),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", "/none", NULL, 0),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, "raw", 0),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, "qcow2", 0),
                     XENFORK_E_DISK);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    fake_fail_function("xenfork__sys_reflink", XENFORK_E_DISK, 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, "qcow2", 0),
                     XENFORK_E_DISK);
    fake_disarm();
    assert_string_equal(disk_path(s, &list), old);
    xenfork_list_free(list);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, "qcow2", 0), 0);
    assert_string_equal(disk_path(s, &list), to);
    assert_string_equal(
        xenfork_disk_driver(xenfork_entry_disk(
            xenfork_list_entry(list, xenfork_list_entry_count(list) - 1), 0)),
        "qcow2");
    xenfork_list_free(list);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(to, F_OK), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(access(to, F_OK), -1);
}

/* Neither of its source's nor of its own is anything shown to others. */
static void test_mode(void **state)
{
    struct scene *s = *state;
    char to[FAKE_PATH + 32];
    mode_t mask = umask(0);
    struct stat st;

    snprintf(to, sizeof(to), "%s/src-1-xvda.raw", fake->dir);
    assert_int_equal(chmod(fake_domain(s->clone)->disks[0].path, 0640), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0), 0);
    umask(mask);
    assert_int_equal(stat(to, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

/* A name is no path; for one that is odd the UUID stands. */
static void test_odd_name(void **state)
{
    struct scene *s = *state;
    char uuid[XENFORK__UUID_CHARS], to[2 * FAKE_PATH];
    struct xenfork__record *clone;

    assert_int_equal(
        xenfork__named(s->ctx, XENFORK_KIND_CLONE, "src-1", &clone), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    free(clone->name);
    clone->name = strdup("../x");
    assert_int_equal(xenfork__record_save(s->ctx, clone), 0);
    xenfork__uuid_print(clone->uuid, uuid);
    xenfork__record_free(clone);
    snprintf(to, sizeof(to), "%s/%s-xvda.raw", fake->dir, uuid);
    assert_int_equal(xenfork_detach(s->ctx, "../x", fake->dir, NULL, 0), 0);
    assert_int_equal(access(to, F_OK), 0);
}

/* Others than root can write there. */
static void test_folder(void **state)
{
    struct scene *s = *state;
    char dir[FAKE_PATH + 32];

    snprintf(dir, sizeof(dir), "%s/open", fake->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(chmod(dir, 01777), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, NULL, 0),
                     XENFORK_E_DISK);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", dir, NULL, 0), 0);
}

/* Nor is where a link leads that leads to nothing. */
static void test_link_in_the_way(void **state)
{
    struct scene *s = *state;
    char to[FAKE_PATH + 32], target[FAKE_PATH + 32];

    snprintf(to, sizeof(to), "%s/src-1-xvda.raw", fake->dir);
    snprintf(target, sizeof(target), "%s/target", fake->dir);
    assert_int_equal(symlink(target, to), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_EXISTS);
    assert_int_equal(access(target, F_OK), -1);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(unlink(to), 0);
}

struct heard {
    uint64_t last;
    bool went_back;
    uint32_t steps;
};

static void hear(void *opaque, int stage, uint32_t one, uint64_t done,
                 uint64_t total)
{
    struct heard *heard = opaque;

    (void)one;
    if (stage != XENFORK_STAGE_DETACH || total != 100)
        return;
    heard->went_back |= done < heard->last;
    heard->last = done;
    heard->steps++;
}

/* A copy that says nothing for a while has done nothing meanwhile. */
static void test_progress(void **state)
{
    struct scene *s = *state;
    struct heard heard = {0};

    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    xenfork_set_progress(s->ctx, hear, &heard);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "qcow2", 0), 0);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_true(heard.steps > 0);
    assert_false(heard.went_back);
    assert_int_equal(heard.last, 75); /* half of the second of two parts */
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
}

/* What has been there is nobody's to write over. */
static void test_in_the_way(void **state)
{
    struct scene *s = *state;
    char to[FAKE_PATH + 32];

    snprintf(to, sizeof(to), "%s/src-1-xvda.raw", fake->dir);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(close(open(to, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_EXISTS);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(access(to, F_OK), 0);
    unlink(to);
}

/* A scene whose disk is a qcow2 file. */
static int setup_qcow2(void **state)
{
    static struct scene s;

    s.src = scene_source();
    fake_make_qcow2(s.src);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    s.clone = fake_domain_named("src-1")->domid;
    s.image = scene_image();
    s.ctx = scene_open();
    *state = &s;
    return 0;
}

static void assert_flat(const struct scene *s, const char *path)
{
    char *parent = NULL;

    assert_int_equal(xenfork__qcow2_parent(s->ctx, path, &parent), 0);
    assert_null(parent);
}

/* While it runs, and in place. */
static void test_qcow2_flat(void **state)
{
    struct scene *s = *state;
    const struct fake_disk *disk = &fake_domain(s->clone)->disks[0];
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", disk->path);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 4096), 0);
    assert_string_equal(disk->path, old);
    assert_flat(s, disk->path);
    assert_string_equal(disk->job.node, "");
    assert_int_equal(detached(s), 100);
    /* Once more: there is nothing to do. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

static void fork_it(void *opaque, int stage, uint32_t index, uint64_t done,
                    uint64_t total)
{
    struct scene *s = opaque;

    (void)index;
    (void)done;
    (void)total;
    if (stage != XENFORK_STAGE_DETACH ||
        !fake_domain(s->clone)->disks[0].job.node[0])
        return;
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_int_equal(scene_fork(s->clone, 1, 0), XENFORK_E_BUSY);
    s->is_asked = true;
}

/* What is copied is not cut meanwhile. */
static void test_qcow2_forked(void **state)
{
    struct scene *s = *state;

    s->is_asked = false;
    xenfork_set_progress(s->ctx, fork_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 256), 0);
    assert_true(s->is_asked);
    assert_flat(s, fake_domain(s->clone)->disks[0].path);
}

static void test_qcow2_gone(void **state)
{
    struct scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_flat(s, old);
}

/* While it runs, to another place: both records say so, the old file goes. */
static void test_qcow2_moved(void **state)
{
    struct scene *s = *state;
    const struct fake_disk *disk = &fake_domain(s->clone)->disks[0];
    char to[FAKE_PATH + 32], old[FAKE_PATH];
    xenfork_list *list;

    snprintf(to, sizeof(to), "%s/src-1-xvda.raw", fake->dir);
    snprintf(old, sizeof(old), "%s", disk->path);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0), 0);
    assert_string_equal(disk->path, to);
    assert_string_equal(disk_path(s, &list), to);
    xenfork_list_free(list);
    assert_int_equal(access(old, F_OK), -1);
    assert_int_equal(access(to, F_OK), 0);
    assert_false(fake_domain(s->clone)->is_paused);
    assert_int_equal(detached(s), 100);
}

static int detach_it(void *opaque)
{
    return xenfork_detach(((struct scene *)opaque)->ctx, "src-1", NULL, NULL,
                          0);
}

/* Killed at every call: nothing stays set aside for it. */
static void test_killed(void **state)
{
    struct scene *s = *state;
    bool is_killed = true;
    uint64_t claimed, most = 0;
    uint32_t n;
    int rc;

    for (n = 1; is_killed; n++) {
        assert_int_equal(scene_hydrate(s->ctx, s->clone), 0);
        claimed = fake_domain(s->clone)->claimed_pages;
        fake_crash_at(n, FAKE_AFTER);
        is_killed = fake_crash(detach_it, s, &rc);
        fake_disarm();
        if (fake_domain(s->clone)->claimed_pages > most)
            most = fake_domain(s->clone)->claimed_pages;
        if (is_killed)
            assert_int_equal(xenfork_recover(s->ctx), 0);
        /* Of it some may have been used. */
        assert_in_range(fake_domain(s->clone)->claimed_pages, 0, claimed);
        teardown(state);
        setup(state);
        s = *state;
    }
    assert_int_equal(rc, 0);
    assert_true(most > claimed);
}

/* Saved, it has the old paths in that file: nothing is moved or removed. */
static void test_saved(void **state)
{
    struct scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork_clone_leaves(s->ctx, "src-1", "saved in f", 0), 0);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "saved in f"));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(access(old, F_OK), 0);
}

/* As xl save does it before it begins. */
static void save_in_the_middle(void *opaque, int stage, uint32_t clone,
                               uint64_t done, uint64_t total)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    (void)clone;
    if (stage == XENFORK_STAGE_DETACH && total && done * 2 > total)
        assert_int_equal(xenfork_clone_leaves(ctx, "src-1", "saved in f", 0),
                         0);
    xenfork_close(ctx);
}

static void test_saved_meanwhile(void **state)
{
    struct scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    xenfork_set_progress(s->ctx, save_in_the_middle, NULL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_INUSE);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_int_equal(access(old, F_OK), 0);
}

/* xl save to the file of an earlier xl save -c has not suspended it yet. */
static void test_saved_again(void **state)
{
    struct scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    fake->process = 4711;
    assert_int_equal(xenfork_clone_leaves(s->ctx, "src-1", "saved in f", 4711),
                     0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_INUSE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "saved in f"));
    assert_string_equal(fake_domain(s->clone)->disks[0].path, old);
    fake->process = 0; /* it was xl save -c, and has ended */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

/* Another xl save -c to the same file comes and goes in the middle. */
static void save_again(void *opaque, int stage, uint32_t clone, uint64_t done,
                       uint64_t total)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    (void)clone;
    fake->process = 4712;
    if (stage == XENFORK_STAGE_DETACH && total && done)
        assert_int_equal(xenfork_clone_leaves(ctx, "src-1", "saved in f", 4712),
                         0);
    fake->process = 0;
    xenfork_close(ctx);
}

static void test_saved_again_meanwhile(void **state)
{
    struct scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    fake->process = 4711;
    assert_int_equal(xenfork_clone_leaves(s->ctx, "src-1", "saved in f", 4711),
                     0);
    fake->process = 0;
    xenfork_set_progress(s->ctx, save_again, NULL);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0),
                     XENFORK_E_INUSE);
    xenfork_set_progress(s->ctx, NULL, NULL);
    assert_string_equal(fake_domain(s->clone)->disks[0].path, old);
    assert_int_equal(access(old, F_OK), 0);
}

static void test_names(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork_detach(s->ctx, NULL, NULL, NULL, 0),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_detach(s->ctx, "nobody", NULL, NULL, 0),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_detach(s->ctx, "src", NULL, NULL, 0),
                     XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_detach_stop(s->ctx, "src"), XENFORK_E_NOTOURS);
    assert_int_equal(xenfork_detach_stop(s->ctx, "src-1"), 0);
    /* Of before it began: it goes on. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_little, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow, setup, teardown),
        cmocka_unit_test_setup_teardown(test_speed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_odd_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link_in_the_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_saved_again_meanwhile, setup_qcow2,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_qcow2_flat, setup_qcow2, teardown),
        cmocka_unit_test_setup_teardown(test_qcow2_forked, setup_qcow2,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_qcow2_gone, setup_qcow2, teardown),
        cmocka_unit_test_setup_teardown(test_qcow2_moved, setup_qcow2,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
