/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/vhd/driver.c, snapshot.c: a snapshot, undone from wherever it has come to.
 */
#include "config.h"

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

#include "disk/base.h"
#include "disk/disk.h"
#include "disk/vhd/vhd.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"
#include "host/host.h"
#include "../../lib/scene.h"
#include "../../lib/vhd-scene.h"

static struct fork_scene *s;
static const struct xenfork__disk_driver *const vhd = &xenfork__disk_vhd;

static int setup(void **state)
{
    vhd_setup(state);
    s = *state;
    return 0;
}

/* A snapshot of the source; to: freed by the caller. */
static struct xenfork__snapshot make_snapshot(char **to)
{
    static const uint8_t uuid[16] = {7};
    struct xenfork__disk d = {.vdev = vhd_disk()->vdev,
                              .path = vhd_disk()->path};

    assert_int_equal(vhd->path(s->ctx, &d, uuid, to), 0);
    return (struct xenfork__snapshot){
        .domid = s->src, .vdev = d.vdev, .from = d.path, .to = *to};
}

static void assert_text(const char *file, const char *text)
{
    char buffer[1024] = "";
    FILE *f = fopen(file, "r");

    assert_non_null(f);
    assert_true(fread(buffer, 1, sizeof(buffer) - 1, f) > 0);
    fclose(f);
    assert_string_equal(buffer, text);
}

static void assert_gone(const char *file)
{
    char next[FAKE_PATH];

    snprintf(next, sizeof(next), "%s.new", file);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(access(next, F_OK), -1);
}

/* The text of the refusal has this; NULL: it is not refused. */
static void test_fork_tap(void **state)
{
    const struct fake_domain *clone;

    (void)state;
    vhd_make_tap();
    assert_int_equal(fork_it(s, s->src), 0);
    clone = fake_domain_named("src-1");
    assert_string_equal(clone->disks[0].backend, "tap");
    assert_string_equal(clone->disks[0].format, "vhd");
    assert_string_equal(clone->disks[0].script, "block-fork");
    assert_int_equal(strncmp(clone->disks[0].path, "vhd:/", 5), 0);
    assert_false(vhd_disk()->is_tap_paused);
    assert_string_equal(vhd_disk()->script, "");
}

/* libxl runs no script for a disk whose tapback does not answer. */
static void test_release(void **state)
{
    const struct fake_domain *clone;
    uint32_t domid;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    clone = fake_domain_named("src-1");
    fake_copy_string(fake->tap_left, FAKE_PATH,
                     fake_file(clone->disks[0].path));
    fake->tap_left_of = clone->domid;
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_true(fake->tap_left[0]);
    domid = clone->domid;
    assert_int_equal(xenfork__xen_destroy(s->ctx, domid), 0);
    fake_fail_function("xenfork__sys_tap_release", XENFORK_E_DISK, 0);
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_true(fake->tap_left[0]);
    fake_fail_function(NULL, 0, 0);
    /* Another domain has it by now. */
    fake->tap_left_of = s->src;
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_true(fake->tap_left[0]);
    fake->tap_left_of = domid;
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_false(fake->tap_left[0]);
}

static void test_names(void **state)
{
    char other[FAKE_PATH];

    (void)state;
    snprintf(other, sizeof(other), "%.200s.other", vhd_user());
    assert_int_equal(link(vhd_user(), other), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "has 2 names"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "-samefile"));
    unlink(other);
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_full(void **state)
{
    (void)state;
    fake->is_full = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_NOSPC);
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "make room"));
    fake->is_full = false;
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_fork(void **state)
{
    const struct fake_domain *clone;
    char text[FAKE_PATH];
    char *base;
    struct stat st;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    clone = fake_domain(
        xenfork_clone_domid(xenfork_result_clone(s->result, 0)));
    assert_int_equal(vhd->parent(s->ctx, clone->disks[0].path, &base), 0);
    assert_non_null(strstr(base, "/.xenfork-"));
    assert_int_equal(stat(fake_file(base), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_text(fake_file(base), "vhd -\nbase of src\n");
    snprintf(text, sizeof(text), "vhd %s\n", fake_file(base));
    assert_text(vhd_user(), text);
    assert_text(fake_file(clone->disks[0].path), text);
    assert_false(vhd_disk()->is_tap_paused);
    free(base);
}

/* Without a snapshot, and before it: only what was made goes. */
static void test_abort_early(void **state)
{
    char *to;
    struct xenfork__snapshot snap = make_snapshot(&to);

    (void)state;
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_int_equal(vhd->prepare(s->ctx, &snap), 0);
    vhd_add_line(vhd_user(), "written meanwhile");
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_text(vhd_user(), "vhd -\nbase of src\nwritten meanwhile\n");
    assert_gone(fake_file(to));
    free(to);
}

static void snap_and_write(const struct xenfork__snapshot *snap)
{
    assert_int_equal(vhd->prepare(s->ctx, snap), 0);
    assert_int_equal(vhd->snapshot(s->ctx, snap), 0);
    vhd_add_line(vhd_user(), "written since");
}

static void assert_whole(const char *to)
{
    struct stat st;

    assert_text(vhd_user(), "vhd -\nbase of src\nwritten since\n");
    assert_int_equal(stat(vhd_user(), &st), 0);
    assert_true(st.st_mode & S_IWUSR);
    assert_gone(fake_file(to));
    assert_false(vhd_disk()->is_tap_paused);
}

static void test_abort_late(void **state)
{
    char *to;
    struct xenfork__snapshot snap = make_snapshot(&to);

    (void)state;
    snap_and_write(&snap);
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_whole(to);
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_whole(to);
    free(to);
}

/* Killed while its tapdisk was paused, or the coalesce half done. */
static void test_abort_paused(void **state)
{
    char *to;
    struct xenfork__snapshot snap = make_snapshot(&to);

    (void)state;
    snap_and_write(&snap);
    assert_int_equal(xenfork__vhd_pause(s->ctx, vhd_user()), 0);
    assert_int_equal(xenfork__sys_vhd_coalesce(s->ctx, vhd_user()), 0);
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_whole(to);
    free(to);
}

static void test_abort_offline(void **state)
{
    char *to;
    struct xenfork__snapshot snap = make_snapshot(&to);

    (void)state;
    snap_and_write(&snap);
    vhd_disk()->is_tap_gone = true;
    snap.domid = XENFORK_DOMID_NONE;
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_whole(to);
    free(to);
}

/* A base stays when it cannot be put back. */
static void test_abort_fails(void **state)
{
    char *to;
    struct xenfork__snapshot snap = make_snapshot(&to);

    (void)state;
    snap_and_write(&snap);
    fake_fail_function("xenfork__sys_vhd_coalesce", XENFORK_E_DISK, 0);
    assert_int_equal(vhd->abort(s->ctx, &snap), XENFORK_E_DISK);
    assert_int_equal(access(fake_file(to), F_OK), 0);
    assert_false(vhd_disk()->is_tap_paused);
    fake_disarm();
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
    assert_whole(to);
    free(to);
}

/* Another file has been moved over the one that its tapdisk has open. */
static void test_elsewhere(void **state)
{
    struct xenfork__disk d = {.vdev = vhd_disk()->vdev,
                              .path = vhd_disk()->path,
                              .format = vhd_disk()->format,
                              .backend = vhd_disk()->backend,
                              .script = vhd_disk()->script,
                              .is_readwrite = true};
    cleanup_free char *to = NULL;
    struct xenfork__snapshot snap = make_snapshot(&to);
    struct stat before, after;

    (void)state;
    vhd_disk()->in_use = 1;
    assert_int_equal(vhd->probe(s->ctx, &d, false), XENFORK_E_DISK);
    assert_true(s->ctx->error.remedy[0]);
    vhd_disk()->in_use = 0;
    assert_int_equal(vhd->prepare(s->ctx, &snap), 0);
    vhd_disk()->in_use = 1;
    assert_int_equal(vhd->snapshot(s->ctx, &snap), XENFORK_E_DISK);
    vhd_disk()->in_use = 0;
    assert_int_equal(vhd->snapshot(s->ctx, &snap), 0);
    vhd_disk()->in_use = 1;
    assert_int_equal(stat(vhd_user(), &before), 0);
    assert_int_equal(vhd->abort(s->ctx, &snap), XENFORK_E_DISK);
    assert_int_equal(stat(vhd_user(), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    vhd_disk()->in_use = 0;
    assert_int_equal(vhd->abort(s->ctx, &snap), 0);
}

static void test_lists(void **state)
{
    xenfork_list *list;
    uint64_t all, own;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_int_equal(
        xenfork_disk_usage(s->ctx,
                           xenfork_entry_disk(xenfork_list_entry(list, 0), 0),
                           &all, &own),
        0);
    assert_true(all == 8 && own == 8);
    assert_int_equal(
        xenfork_disk_usage(s->ctx,
                           xenfork_entry_disk(xenfork_list_entry(list, 1), 0),
                           &all, &own),
        0);
    assert_true(all == 16 && own == 8);
    xenfork_list_free(list);
}

static void test_removed(void **state)
{
    char path[FAKE_PATH];
    char *parent = (char *)path;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(
        path, sizeof(path),
        fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, 0)))
            ->disks[0]
            .path);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_gone(fake_file(path));
    assert_int_equal(vhd->remove(s->ctx, path), 0);
    assert_int_equal(vhd->parent(s->ctx, path, &parent), XENFORK_E_NOTFOUND);
}

/* A clone with an unreadable record may need any base: all stay. */
static void test_unreadable(void **state)
{
    char path[3 * FAKE_PATH], base[FAKE_PATH];
    xenfork_list *list;
    FILE *f;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    fake_copy_string(
        base, sizeof(base),
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)));
    xenfork_list_free(list);
    snprintf(path, sizeof(path), "%s/state/clones/%s/record", fake->dir,
             xenfork_clone_uuid(xenfork_result_clone(s->result, 0)));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("nonsense\n", f);
    fclose(f);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_int_equal(access(fake_file(base), F_OK), 0);
    assert_true(scene_image() != XENFORK_DOMID_NONE);
    assert_false(fake_domain(scene_image())->is_dying);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fork_tap),     TEST(test_release),
        TEST(test_names),        TEST(test_fork),
        TEST(test_abort_early),  TEST(test_abort_late),
        TEST(test_abort_paused), TEST(test_abort_offline),
        TEST(test_abort_fails),  TEST(test_lists),
        TEST(test_removed),      TEST(test_unreadable),
        TEST(test_full),         TEST(test_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
