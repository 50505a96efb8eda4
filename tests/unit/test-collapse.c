/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk-qcow2.c, qcow2-join.c, collapse.c, sealed.c: chains of qcow2 files. */
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

#include "collapse.h"
#include "disk.h"
#include "fake-xen.h"
#include "fork-scene.h"
#include "qcow2.h"
#include "txn.h"

static struct fork_scene *s;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    fake_make_qcow2(s->src);
    return 0;
}

static struct fake_domain *src(void)
{
    return fake_domain(s->src);
}

static struct fake_disk *disk(void)
{
    return &src()->disks[0];
}

/* In one fork's clones: "src-1" and on. */
static uint32_t fork_once(void)
{
    uint32_t domid;

    xenfork_result_free(s->result);
    s->result = NULL;
    fake->keeper_count = 0;
    assert_int_equal(fork_it(s, s->src), 0);
    domid = xenfork_result_clone_domid(s->result, 0);
    return domid;
}

static void destroy_clones(void)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_domain *d = &fake->domains[i];
        char name[FAKE_NAME];

        if (!d->domid || !d->parent)
            continue;
        fake_copy_string(name, sizeof(name), d->name);
        assert_int_equal(xenfork_clone_destroy(s->ctx, name), 0);
    }
}

/* Files of the source's chain, its own included. */
static uint32_t depth(void)
{
    char *path = strdup(disk()->path);
    uint32_t n = 0;

    while (path) {
        char *parent = NULL;

        assert_int_equal(xenfork__qcow2_parent(s->ctx, path, &parent), 0);
        free(path);
        path = parent;
        n++;
    }
    return n;
}

/* Steps until there are no more. */
static uint32_t collapse(void)
{
    uint32_t n = 0;
    bool again = true;

    for (; again && n < 100; n++)
        assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again), 0);
    return n;
}

static uint32_t sealed_disks(void)
{
    xenfork_list *list;
    uint32_t i, n = 0;

    assert_int_equal(xenfork_list_disks(s->ctx, &list), 0);
    for (i = 0; i < xenfork_list_count(list); i++)
        if (xenfork_list_kind(list, i) == XENFORK_KIND_SEALED) {
            n++;
            assert_null(xenfork_list_name(list, i));
            assert_string_equal(xenfork_list_disk_vdev(list, i, 0), "xvda");
            assert_string_equal(xenfork_list_disk_driver(list, i, 0), "qcow2");
            assert_int_equal(xenfork_list_domid(list, i), XENFORK_DOMID_NONE);
        }
    xenfork_list_free(list);
    return n;
}

static void assert_refused(const char *what)
{
    xenfork_check *check;

    xenfork_spec_set_disk(s->spec, "xvda", "qcow2");
    assert_int_equal(xenfork_check_domain(s->ctx, s->src, s->spec, &check), 0);
    assert_int_equal(xenfork_check_count(check), 1);
    assert_int_equal(xenfork_check_code(check, 0), XENFORK_E_DISK);
    if (!strstr(xenfork_check_text(check, 0), what))
        print_error("%s\n", xenfork_check_text(check, 0));
    assert_non_null(strstr(xenfork_check_text(check, 0), what));
    assert_true(strlen(xenfork_check_remedy(check, 0)) > 0);
    xenfork_check_free(check);
}

static void test_refused(void **state)
{
    (void)state;
    disk()->has_no_qemu = true;
    assert_refused("cannot be asked");
    disk()->has_no_qemu = false;
    fake->has_no_qemu_img = true;
    assert_refused("no qemu-img");
    fake->has_no_qemu_img = false;
    fake_copy_string(disk()->backend, sizeof(disk()->backend), "phy");
    assert_refused("not served by QEMU");
    fake_copy_string(disk()->backend, sizeof(disk()->backend), "qdisk");
    fake_copy_string(disk()->format, sizeof(disk()->format), "vhd");
    assert_refused("wrong data");
    fake_copy_string(disk()->format, sizeof(disk()->format), "raw");
    assert_refused("its format is not qcow2");
    fake_copy_string(disk()->format, sizeof(disk()->format), "qcow2");
    disk()->is_foreign = true;
    assert_refused("in another domain");
    disk()->is_foreign = false;
    assert_int_equal(truncate(disk()->path, 10), 0);
    assert_refused("not in the qcow2 format");
    unlink(disk()->path);
    assert_refused("cannot be found");
}

static void test_auto(void **state)
{
    xenfork_check *check;

    (void)state;
    assert_int_equal(xenfork_check_domain(s->ctx, s->src, s->spec, &check), 0);
    assert_string_equal(xenfork_check_disk_driver(check, 0), "qcow2");
    assert_string_equal(xenfork_check_disk_why(check, 0), "a qcow2 file");
    xenfork_check_free(check);
}

static void test_fork(void **state)
{
    xenfork_list *list;
    struct stat st;
    const char *sealed;
    char path[FAKE_PATH];

    (void)state;
    chmod(disk()->path, 0640);
    fork_once();
    assert_int_equal(depth(), 2);
    assert_int_equal(xenfork_list_all(s->ctx, &list), 0);
    sealed = xenfork_list_disk_path(list, 0, 0);
    assert_int_equal(stat(sealed, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(stat(disk()->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(xenfork_list_disk_depth(list, 0, 0), 1);
    assert_int_equal(xenfork_list_disk_depth(list, 1, 0), 2);
    assert_int_equal(xenfork_list_disk_users(list, 0, 0), 2);
    fake_copy_string(path, sizeof(path), sealed);
    xenfork_list_free(list);
    /* Its clones gone, the source lies on it alone, and takes it back. */
    destroy_clones();
    assert_int_equal(sealed_disks(), 1);
    assert_int_equal(access(path, F_OK), 0);
    /* That is begun by who destroys the last of them. */
    assert_int_equal(fake->keeper_count, 2);
    assert_string_equal(fake->keepers[1].txn_id, XENFORK__KEEPER_COLLAPSE);
    assert_int_equal(collapse(), 3);
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(stat(disk()->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_false(src()->is_paused);
    /* And again. */
    fork_once();
    assert_int_equal(depth(), 2);
}

/* Its clones are gone before it runs on: its image was the last. */
static void test_thawed(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    fork_once();
    destroy_clones();
    assert_int_equal(depth(), 2);
    fake->keeper_count = 0;
    assert_int_equal(xenfork_thaw(s->ctx, s->src), 0);
    assert_int_equal(fake->keeper_count, 1);
    assert_string_equal(fake->keepers[0].txn_id, XENFORK__KEEPER_COLLAPSE);
    collapse();
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* Clones of the second fork hold what is below; not those of the first. */
static void test_partial(void **state)
{
    uint32_t kept;
    bool again;
    char name[FAKE_NAME];

    (void)state;
    fork_once();
    destroy_clones();
    kept = fork_once();
    fake_copy_string(name, sizeof(name), fake_domain(kept)->name);
    fork_once();
    assert_int_equal(depth(), 4);
    assert_int_equal(
        xenfork_clone_destroy(s->ctx, xenfork_result_clone_name(s->result, 0)),
        0);
    assert_int_equal(
        xenfork_clone_destroy(s->ctx, xenfork_result_clone_name(s->result, 1)),
        0);
    collapse();
    assert_int_equal(depth(), 3);
    assert_int_equal(disk()->streams, 0);
    /* Nothing to do is no work. */
    assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again), 0);
    assert_false(again);
    destroy_clones();
    collapse();
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* A long chain that clones need: the source has copies of its own. */
static void test_long(void **state)
{
    uint32_t i;

    (void)state;
    xenfork_spec_free(s->spec);
    assert_int_equal(xenfork_spec_new(1, &s->spec), 0);
    for (i = 0; i < 6; i++)
        fork_once();
    assert_int_equal(depth(), 7);
    collapse();
    assert_int_equal(depth(), 7);
    fork_once();
    collapse();
    assert_int_equal(depth(), 2);
    assert_int_equal(disk()->streams, 1);
    destroy_clones();
    collapse();
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* A fork that comes meanwhile has precedence. */
static void test_busy(void **state)
{
    bool again = false;

    (void)state;
    fork_once();
    destroy_clones();
    assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again), 0);
    assert_true(again);
    assert_true(disk()->job.node[0]);
    fork_once();
    assert_false(disk()->job.node[0]);
    assert_int_equal(depth(), 3);
    destroy_clones();
    collapse();
    assert_int_equal(depth(), 1);
}

static int collapse_once(void *opaque)
{
    bool again;

    return xenfork__collapse(opaque, src()->uuid, &again);
}

/* As far as before the first or the last step of a collapse. */
static void begin_collapse(bool is_last)
{
    fork_once();
    destroy_clones();
    if (is_last)
        assert_int_equal(collapse_once(s->ctx), 0);
    fake_disarm();
}

static uint32_t calls_of_step(bool is_last)
{
    uint32_t calls;

    begin_collapse(is_last);
    assert_int_equal(collapse_once(s->ctx), 0);
    calls = fake_calls();
    collapse();
    assert_int_equal(depth(), 1);
    return calls;
}

static void kill_step(bool is_last, uint32_t n, int when)
{
    int rc;

    begin_collapse(is_last);
    fake_crash_at(n, when);
    fake_crash(collapse_once, s->ctx, &rc);
    fake_disarm();
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_false(src()->is_paused);
    collapse();
    assert_string_equal(fake->violation, "");
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* Killed at each instant of a step: whoever comes next does the rest. */
static void test_killed(void **state)
{
    uint32_t n, calls;
    int is_last;

    (void)state;
    for (is_last = 0; is_last < 2; is_last++) {
        calls = calls_of_step(is_last);
        for (n = 1; n <= calls; n++) {
            kill_step(is_last, n, FAKE_BEFORE);
            kill_step(is_last, n, FAKE_AFTER);
        }
    }
}

static void fail_step(bool is_last, uint32_t n)
{
    begin_collapse(is_last);
    fake_fail_at(n);
    collapse_once(s->ctx);
    fake_disarm();
    assert_false(src()->is_paused);
    collapse();
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* Failed: the source runs on, and the next time it works. */
static void test_fails(void **state)
{
    uint32_t n, calls;
    int is_last;

    (void)state;
    for (is_last = 0; is_last < 2; is_last++) {
        calls = calls_of_step(is_last);
        for (n = 1; n <= calls; n++)
            fail_step(is_last, n);
    }
}

/* Its user unpauses it while QEMU begins: that is begun once more. */
static void test_unpaused(void **state)
{
    bool again;

    (void)state;
    fork_once();
    destroy_clones();
    src()->is_paused = true;
    src()->unpausings = 1;
    assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again), 0);
    assert_true(again);
    assert_true(disk()->job.node[0]);
    assert_false(src()->is_paused);
    xenfork__sys_qemu_cancel(s->ctx, s->src, "xvda");
    src()->unpausings = 100;
    assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again), 0);
    assert_true(again);
    assert_false(disk()->job.node[0]);
    assert_false(src()->is_paused);
    src()->unpausings = 0;
    collapse();
    assert_int_equal(depth(), 1);
}

/* By a journal of one that was paused, when it had run for 5 ns. */
static void undo_stop(uint64_t cpu_ns)
{
    const struct xenfork__dominfo info = {.is_paused = true, .cpu_ns = 5};
    struct xenfork__txn *txn;

    src()->is_paused = true;
    src()->cpu_ns = cpu_ns;
    assert_int_equal(xenfork__txn_begin(s->ctx, &txn), 0);
    assert_int_equal(
        xenfork__txn_source(s->ctx, txn, src()->uuid, s->src, true), 0);
    assert_int_equal(xenfork__txn_stopping(s->ctx, txn, &info), 0);
    assert_int_equal(xenfork__txn_rollback(s->ctx, txn), 0);
}

/* Killed: was it paused by its user, or by us? */
static void test_who_paused(void **state)
{
    (void)state;
    undo_stop(5);
    assert_true(src()->is_paused);
    undo_stop(6);
    assert_false(src()->is_paused);
}

/* Somebody has removed what it lies on: QEMU must not copy it to itself. */
static void test_removed(void **state)
{
    xenfork_list *list;
    bool again;

    (void)state;
    fork_once();
    assert_int_equal(xenfork_list_all(s->ctx, &list), 0);
    unlink(xenfork_list_disk_path(list, 0, 0));
    xenfork_list_free(list);
    destroy_clones();
    assert_int_equal(xenfork__collapse(s->ctx, src()->uuid, &again),
                     XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "is gone"));
    assert_false(src()->is_paused);
    assert_false(disk()->job.node[0]);
}

/* A source that is gone, or has no QEMU any more. */
static void test_gone(void **state)
{
    struct xenfork__cut cut = {.domid = XENFORK_DOMID_NONE, .vdev = "xvda"};
    char from[FAKE_PATH], to[FAKE_PATH];
    uint8_t uuid[16];
    xenfork_list *list;
    bool again = true;

    (void)state;
    fork_once();
    assert_int_equal(xenfork_list_all(s->ctx, &list), 0);
    fake_copy_string(to, sizeof(to), xenfork_list_disk_path(list, 0, 0));
    xenfork_list_free(list);
    fake_copy_string(from, sizeof(from), disk()->path);
    memcpy(uuid, src()->uuid, sizeof(uuid));
    cut.from = from;
    cut.to = to;
    destroy_clones();
    src()->domid = 0;
    assert_int_equal(xenfork__collapse(s->ctx, uuid, &again), 0);
    assert_false(again);
    /* Undone by qemu-img, and twice. */
    assert_int_equal(xenfork__disk_abort(s->ctx, "qcow2", &cut), 0);
    assert_int_equal(fake->commits, 1);
    assert_int_equal(access(to, F_OK), -1);
    assert_int_equal(access(from, F_OK), 0);
    assert_int_equal(xenfork__disk_abort(s->ctx, "qcow2", &cut), 0);
    assert_int_equal(fake->commits, 1);
}

/* Started anew since the cut: QEMU knows the file by another name. */
static void test_abort_anew(void **state)
{
    struct xenfork__cut cut = {.domid = s->src, .vdev = "xvda"};
    char to[FAKE_PATH];
    xenfork_list *list;

    (void)state;
    fork_once();
    assert_int_equal(xenfork_list_all(s->ctx, &list), 0);
    fake_copy_string(to, sizeof(to), xenfork_list_disk_path(list, 0, 0));
    xenfork_list_free(list);
    cut.from = disk()->path;
    cut.to = to;
    memset(&disk()->top, 0, sizeof(disk()->top));
    assert_int_equal(xenfork__disk_abort(s->ctx, "qcow2", &cut), 0);
    assert_int_equal(depth(), 1);
    assert_int_equal(access(to, F_OK), -1);
    assert_false(src()->is_paused);
}

/* Started anew since then it is another domain, of the same name. */
static void test_started_anew(void **state)
{
    bool again = true;
    uint32_t n;

    (void)state;
    fork_once();
    memset(&disk()->top, 0, sizeof(disk()->top));
    src()->uuid[0] ^= 1;
    fork_once();
    assert_int_equal(depth(), 3);
    destroy_clones();
    for (n = 0; again && n < 20; n++)
        assert_int_equal(xenfork__collapse_all(s->ctx, &again), 0);
    assert_int_equal(depth(), 1);
    assert_int_equal(sealed_disks(), 0);
}

/* An image destroyed while clones live: what was sealed goes with the last. */
static void test_outlives_image(void **state)
{
    uint32_t i;
    char name[FAKE_NAME];

    (void)state;
    fork_once();
    for (i = 0; i < 2; i++)
        assert_int_equal(
            xenfork_hydrate(s->ctx, xenfork_result_clone_domid(s->result, i),
                            0),
            0);
    fake_copy_string(name, sizeof(name), xenfork_result_image_name(s->result));
    assert_int_equal(xenfork_image_destroy(s->ctx, name), 0);
    assert_int_equal(sealed_disks(), 1);
    /* The source's file is gone: only the clones are left. */
    src()->disk_count = 0;
    unlink(disk()->path);
    destroy_clones();
    assert_int_equal(sealed_disks(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused),    TEST(test_auto),
        TEST(test_fork),       TEST(test_partial),
        TEST(test_thawed),     TEST(test_long),
        TEST(test_busy),       TEST(test_killed),
        TEST(test_fails),      TEST(test_removed),
        TEST(test_unpaused),   TEST(test_who_paused),
        TEST(test_gone),       TEST(test_started_anew),
        TEST(test_abort_anew), TEST(test_outlives_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
