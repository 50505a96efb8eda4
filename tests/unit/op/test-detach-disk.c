/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* detach-disk.c, detach-switch.c: disks of its own. */
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
#include "../lib/clone-scene.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/named.h"
#include "../lib/scene.h"
#include "state/record.h"

static const char *disk_path(const struct clone_scene *s, xenfork_list **list)
{
    assert_int_equal(xenfork_list_open(s->ctx, 0, list), 0);
    return xenfork_disk_path(xenfork_entry_disk(
        xenfork_list_entry(*list, xenfork_list_entry_count(*list) - 1), 0));
}

/* Its disks elsewhere: only while it does not run. */
static void test_moved(void **state)
{
    struct clone_scene *s = *state;
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
    struct clone_scene *s = *state;
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
    struct clone_scene *s = *state;
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
    struct clone_scene *s = *state;
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
    struct clone_scene *s = *state;
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
    struct clone_scene *s = *state;
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

/* An existing file is not written over. */
static void test_in_the_way(void **state)
{
    struct clone_scene *s = *state;
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

static void assert_flat(const struct clone_scene *s, const char *path)
{
    char *parent = NULL;

    assert_int_equal(xenfork__qcow2_parent(s->ctx, path, &parent), 0);
    assert_null(parent);
}

/* While it runs, and in place. */
static void test_qcow2_flat(void **state)
{
    struct clone_scene *s = *state;
    const struct fake_disk *disk = &fake_domain(s->clone)->disks[0];
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", disk->path);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 4096), 0);
    assert_string_equal(disk->path, old);
    assert_flat(s, disk->path);
    assert_string_equal(disk->job.node, "");
    assert_int_equal(clone_detached(s), 100);
    /* Once more: there is nothing to do. */
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
}

static void fork_it(void *opaque, int stage, uint32_t index, uint64_t done,
                    uint64_t total)
{
    struct clone_scene *s = opaque;

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

/* A disk that is being copied has no snapshot meanwhile. */
static void test_qcow2_forked(void **state)
{
    struct clone_scene *s = *state;

    s->is_asked = false;
    xenfork_set_progress(s->ctx, fork_it, s);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 256), 0);
    assert_true(s->is_asked);
    assert_flat(s, fake_domain(s->clone)->disks[0].path);
}

/* An emulated disk would go on with the old file. */
static void test_qcow2_plugged(void **state)
{
    struct clone_scene *s = *state;
    struct fake_domain *d = fake_domain(s->clone);

    d->type = XENFORK__TYPE_HVM;
    d->disks[0].is_plugged = true;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "an emulated disk"));
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "raw", 0),
                     XENFORK_E_DISK);
    d->disks[0].is_plugged = false;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_flat(s, d->disks[0].path);
}

static void test_qcow2_gone(void **state)
{
    struct clone_scene *s = *state;
    char old[FAKE_PATH];

    snprintf(old, sizeof(old), "%s", fake_domain(s->clone)->disks[0].path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, s->clone), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_flat(s, old);
}

/* While it runs, to another place: both records say so, the old file goes. */
static void test_qcow2_moved(void **state)
{
    struct clone_scene *s = *state;
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
    assert_int_equal(clone_detached(s), 100);
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
    struct clone_scene *s = *state;
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

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, clone_setup, clone_teardown)
#define QCOW2(name) \
    cmocka_unit_test_setup_teardown(name, clone_setup_qcow2, clone_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_moved),           TEST(test_progress),
        TEST(test_in_the_way),      TEST(test_mode),
        TEST(test_odd_name),        TEST(test_folder),
        TEST(test_link_in_the_way), QCOW2(test_saved_again_meanwhile),
        QCOW2(test_qcow2_flat),     QCOW2(test_qcow2_forked),
        QCOW2(test_qcow2_plugged),  QCOW2(test_qcow2_gone),
        QCOW2(test_qcow2_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
