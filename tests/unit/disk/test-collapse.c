/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/qcow2/: chains of qcow2 files, and how they become shorter. */
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

#include "../lib/chain-scene.h"
#include "disk/disk.h"
#include "disk/qcow2/header.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/collapse.h"
#include "../lib/scene.h"
#include "state/lock.h"

static void assert_refused(const char *what)
{
    xenfork_check *check;

    xenfork_spec_set_disk(chain->spec, "xvda", "qcow2");
    assert_int_equal(
        xenfork_check_open(chain->ctx, chain->src, chain->spec, &check), 0);
    assert_int_equal(xenfork_check_finding_count(check), 1);
    assert_int_equal(xenfork_finding_code(xenfork_check_finding(check, 0)),
                     XENFORK_E_DISK);
    if (!strstr(xenfork_finding_text(xenfork_check_finding(check, 0)), what))
        print_error("%s\n",
                    xenfork_finding_text(xenfork_check_finding(check, 0)));
    assert_non_null(
        strstr(xenfork_finding_text(xenfork_check_finding(check, 0)), what));
    assert_true(
        strlen(xenfork_finding_remedy(xenfork_check_finding(check, 0))) > 0);
    xenfork_check_free(check);
}

static void test_refused(void **state)
{
    (void)state;
    chain_disk()->has_no_qemu = true;
    assert_refused("cannot be reached");
    chain_disk()->has_no_qemu = false;
    fake->has_no_qemu_img = true;
    assert_refused("qemu-img, which undoes a fork, is not");
    fake->has_no_qemu_img = false;
    fake_copy_string(chain_disk()->backend, sizeof(chain_disk()->backend),
                     "phy");
    assert_refused("not served by QEMU");
    fake_copy_string(chain_disk()->backend, sizeof(chain_disk()->backend),
                     "qdisk");
    fake_copy_string(chain_disk()->format, sizeof(chain_disk()->format), "vhd");
    assert_refused("wrong data");
    fake_copy_string(chain_disk()->format, sizeof(chain_disk()->format), "raw");
    assert_refused("its format is not qcow2");
    fake_copy_string(chain_disk()->format, sizeof(chain_disk()->format),
                     "qcow2");
    chain_disk()->is_foreign = true;
    assert_refused("in another domain");
    chain_disk()->is_foreign = false;
    assert_int_equal(truncate(chain_disk()->path, 10), 0);
    assert_refused("not in the qcow2 format");
    unlink(chain_disk()->path);
    assert_refused("cannot be found");
}

/* By another name of its file it could be written while clones are backed by
 * it. */
static void test_names(void **state)
{
    char other[FAKE_PATH + 8];

    (void)state;
    snprintf(other, sizeof(other), "%s.other", chain_disk()->path);
    assert_int_equal(link(chain_disk()->path, other), 0);
    assert_refused("has 2 names");
    unlink(other);
    chain_fork();
    /* The source's file has one name again. */
    xenfork_result_free(chain->result);
    chain->result = NULL;
    chain_fork();
}

/* An emulated disk would go on with the file that is taken away. */
static void test_emulated(void **state)
{
    (void)state;
    chain_src()->type = XENFORK__TYPE_HVM;
    chain_fork();
    chain_destroy_clones();
    chain_disk()->is_plugged = true;
    chain_collapse();
    assert_int_equal(chain_depth(), 2);
    chain_disk()->is_plugged = false;
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
}

/* A link stays; the file that it leads to is what is snap. */
static void test_link(void **state)
{
    char file[FAKE_PATH], dir[FAKE_PATH + 8], to[FAKE_PATH] = "";
    struct stat before, after;

    (void)state;
    fake_copy_string(file, sizeof(file), chain_disk()->path);
    snprintf(chain_disk()->path, FAKE_PATH, "%.200s/link", fake->dir);
    assert_int_equal(symlink(strrchr(file, '/') + 1, chain_disk()->path), 0);
    assert_int_equal(stat(file, &before), 0);
    chain_fork();
    assert_true(readlink(chain_disk()->path, to, sizeof(to) - 1) > 0);
    assert_string_equal(to, strrchr(file, '/') + 1);
    assert_int_equal(stat(file, &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(chain_depth(), 2);
    chain_destroy_clones();
    chain_collapse();
    assert_int_equal(stat(file, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(chain_depth(), 1);
    snprintf(dir, sizeof(dir), "%s/below", fake->dir);
    assert_int_equal(mkdir(dir, 0700), 0);
    unlink(chain_disk()->path);
    snprintf(chain_disk()->path, FAKE_PATH, "%.200s/link", dir);
    assert_int_equal(symlink(file, chain_disk()->path), 0);
    assert_refused("into another folder");
    unlink(chain_disk()->path);
    rmdir(dir);
    fake_copy_string(chain_disk()->path, FAKE_PATH, file);
}

static void test_auto(void **state)
{
    xenfork_check *check;

    (void)state;
    assert_int_equal(
        xenfork_check_open(chain->ctx, chain->src, chain->spec, &check), 0);
    assert_string_equal(xenfork_disk_driver(xenfork_check_disk(check, 0)),
                        "qcow2");
    assert_string_equal(xenfork_disk_why(xenfork_check_disk(check, 0)),
                        "a qcow2 file");
    xenfork_check_free(check);
}

static void test_fork(void **state)
{
    xenfork_list *list;
    struct stat st;
    const char *base;
    char path[FAKE_PATH];

    (void)state;
    chmod(chain_disk()->path, 0640);
    chain_fork();
    assert_int_equal(chain_depth(), 2);
    assert_int_equal(xenfork_list_open(chain->ctx, 0, &list), 0);
    base = xenfork_disk_path(
        xenfork_entry_disk(xenfork_list_entry(list, 0), 0));
    assert_int_equal(stat(base, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    assert_int_equal(stat(chain_disk()->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(
        xenfork_disk_depth(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)),
        1);
    assert_int_equal(
        xenfork_disk_depth(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        2);
    assert_int_equal(
        xenfork_disk_users(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)),
        2);
    fake_copy_string(path, sizeof(path), base);
    xenfork_list_free(list);
    /* Its clones gone, the source is backed by it alone, and takes it back. */
    chain_destroy_clones();
    assert_int_equal(chain_bases(), 1);
    assert_int_equal(access(path, F_OK), 0);
    /* The process that destroys the last of them begins that. */
    assert_int_equal(fake->keeper_count, 2);
    assert_string_equal(fake->keepers[1].journal_id, XENFORK__KEEPER_COLLAPSE);
    assert_int_equal(chain_collapse(), 3);
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(stat(chain_disk()->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_false(chain_src()->is_paused);
    /* And again. */
    chain_fork();
    assert_int_equal(chain_depth(), 2);
}

/* Its clones are gone before it runs on: its image was the last. */
static void test_thawed(void **state)
{
    struct xenfork__lock *lock;

    (void)state;
    assert_int_equal(xenfork_freeze(chain->ctx, chain->src, 1000), 0);
    chain_fork();
    chain_destroy_clones();
    assert_int_equal(chain_depth(), 2);
    fake->keeper_count = 0;
    assert_int_equal(xenfork_thaw(chain->ctx, chain->src), 0);
    assert_int_equal(fake->keeper_count, 1);
    /* While one is at work no other is started, and one is when it is not. */
    assert_int_equal(
        xenfork__lock_take(chain->ctx, XENFORK__COLLAPSE_LOCK, false, &lock),
        0);
    xenfork__collapse_begin(chain->ctx);
    assert_int_equal(fake->keeper_count, 1);
    xenfork__lock_drop(lock);
    xenfork__collapse_begin(chain->ctx);
    assert_int_equal(fake->keeper_count, 2);
    assert_string_equal(fake->keepers[0].journal_id, XENFORK__KEEPER_COLLAPSE);
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
}

static void put_copy_over(const char *path)
{
    char other[FAKE_PATH + 8];
    char command[5 * FAKE_PATH];

    snprintf(other, sizeof(other), "%s.other", path);
    snprintf(command, sizeof(command), "cp %s %s && mv %s %s", path, other,
             other, path);
    assert_int_equal(system(command), 0);
}

/*
 * A copy of the source's file is put in place of it: it says that it is backed
 * by the base as well as the file does that QEMU has open.
 */
static void test_elsewhere(void **state)
{
    struct stat before, after;
    const char *path = chain_disk()->path;

    (void)state;
    chain_fork();
    chain_destroy_clones();
    put_copy_over(path);
    assert_int_equal(stat(path, &before), 0);
    chain_collapse();
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(chain_bases(), 1);
    assert_int_equal(chain_depth(), 2);
    assert_refused("leads elsewhere");
}

/* It is put there while QEMU has begun already. */
static void test_elsewhere_late(void **state)
{
    struct stat before, after;
    const char *path = chain_disk()->path;
    bool again;

    (void)state;
    chain_fork();
    chain_destroy_clones();
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     0);
    assert_true(chain_disk()->job.node[0]);
    put_copy_over(path);
    assert_int_equal(stat(path, &before), 0);
    chain_collapse();
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(chain_bases(), 1);
}

/* Clones of the second fork hold what is below; not those of the first. */
static void test_partial(void **state)
{
    uint32_t kept;
    bool again;
    char name[FAKE_NAME];

    (void)state;
    chain_fork();
    chain_destroy_clones();
    kept = chain_fork();
    fake_copy_string(name, sizeof(name), fake_domain(kept)->name);
    chain_fork();
    assert_int_equal(chain_depth(), 4);
    assert_int_equal(
        xenfork_clone_destroy(
            chain->ctx,
            xenfork_clone_name(xenfork_result_clone(chain->result, 0)), 0),
        0);
    assert_int_equal(
        xenfork_clone_destroy(
            chain->ctx,
            xenfork_clone_name(xenfork_result_clone(chain->result, 1)), 0),
        0);
    chain_collapse();
    assert_int_equal(chain_depth(), 3);
    assert_int_equal(chain_disk()->streams, 0);
    /* Nothing to do is no work. */
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     0);
    assert_false(again);
    chain_destroy_clones();
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
}

/* A long chain that clones need: the source has copies of its own. */
static void test_long(void **state)
{
    uint32_t i;

    (void)state;
    xenfork_spec_free(chain->spec);
    assert_int_equal(xenfork_spec_new(1, &chain->spec), 0);
    for (i = 0; i < 6; i++)
        chain_fork();
    assert_int_equal(chain_depth(), 7);
    chain_collapse();
    assert_int_equal(chain_depth(), 7);
    chain_fork();
    chain_collapse();
    assert_int_equal(chain_depth(), 2);
    assert_int_equal(chain_disk()->streams, 1);
    chain_destroy_clones();
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
}

/* A fork that comes meanwhile has precedence. */
static void test_busy(void **state)
{
    bool again = false;

    (void)state;
    chain_fork();
    chain_destroy_clones();
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     0);
    assert_true(again);
    assert_true(chain_disk()->job.node[0]);
    chain_fork();
    assert_false(chain_disk()->job.node[0]);
    assert_int_equal(chain_depth(), 3);
    chain_destroy_clones();
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
}

/* A source is a clone, which another host runs on the same files. */
static void test_away(void **state)
{
    char name[] = "src", none[] = "", left[] = "migrated to host7";
    struct xenfork__record clone = {.kind = XENFORK_KIND_CLONE,
                                    .name = name,
                                    .parent_name = none,
                                    .left = left};

    (void)state;
    chain_fork();
    chain_destroy_clones();
    memcpy(clone.uuid, chain_src()->uuid, 16);
    xenfork__record_set_domid(chain->ctx, &clone, chain->src);
    assert_int_equal(xenfork__record_save(chain->ctx, &clone), 0);
    chain_src()->is_shutdown = true;
    chain_src()->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    chain_collapse();
    assert_int_equal(chain_depth(), 2);
    chain_src()->is_shutdown = false;
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
}

/* A source that is gone, or has no QEMU any more. */
static void test_gone(void **state)
{
    struct xenfork__snapshot snap = {.domid = XENFORK_DOMID_NONE,
                                     .vdev = "xvda"};
    char from[FAKE_PATH], to[FAKE_PATH];
    uint8_t uuid[16];
    xenfork_list *list;
    bool again = true;

    (void)state;
    chain_fork();
    assert_int_equal(xenfork_list_open(chain->ctx, 0, &list), 0);
    fake_copy_string(
        to, sizeof(to),
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)));
    xenfork_list_free(list);
    fake_copy_string(from, sizeof(from), chain_disk()->path);
    memcpy(uuid, chain_src()->uuid, sizeof(uuid));
    snap.from = from;
    snap.to = to;
    chain_destroy_clones();
    chain_src()->domid = 0;
    assert_int_equal(xenfork__collapse(chain->ctx, uuid, &again), 0);
    assert_false(again);
    /* Undone by qemu-img, and twice. */
    assert_int_equal(xenfork__disk_abort(chain->ctx, "qcow2", &snap), 0);
    assert_int_equal(fake->commits, 1);
    assert_int_equal(access(to, F_OK), -1);
    assert_int_equal(access(from, F_OK), 0);
    assert_int_equal(xenfork__disk_abort(chain->ctx, "qcow2", &snap), 0);
    assert_int_equal(fake->commits, 1);
}

/* Started anew since the snapshot: QEMU knows the file by another name. */
static void test_abort_anew(void **state)
{
    struct xenfork__snapshot snap = {.domid = chain->src, .vdev = "xvda"};
    char to[FAKE_PATH];
    xenfork_list *list;

    (void)state;
    chain_fork();
    assert_int_equal(xenfork_list_open(chain->ctx, 0, &list), 0);
    fake_copy_string(
        to, sizeof(to),
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)));
    xenfork_list_free(list);
    snap.from = chain_disk()->path;
    snap.to = to;
    memset(&chain_disk()->top, 0, sizeof(chain_disk()->top));
    assert_int_equal(xenfork__disk_abort(chain->ctx, "qcow2", &snap), 0);
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(access(to, F_OK), -1);
    assert_false(chain_src()->is_paused);
}

/* Started anew since then it is another domain, of the same name. */
static void test_started_anew(void **state)
{
    bool again = true;
    uint32_t n;

    (void)state;
    chain_fork();
    memset(&chain_disk()->top, 0, sizeof(chain_disk()->top));
    chain_src()->uuid[0] ^= 1;
    chain_fork();
    assert_int_equal(chain_depth(), 3);
    chain_destroy_clones();
    for (n = 0; again && n < 20; n++)
        assert_int_equal(xenfork__collapse_all(chain->ctx, &again), 0);
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
}

/* An image destroyed while clones live: the base goes with the last. */
static void test_outlives_image(void **state)
{
    uint32_t i;
    char name[FAKE_NAME];

    (void)state;
    chain_fork();
    for (i = 0; i < 2; i++)
        assert_int_equal(
            scene_hydrate(chain->ctx, xenfork_clone_domid(xenfork_result_clone(
                                          chain->result, i))),
            0);
    fake_copy_string(name, sizeof(name),
                     xenfork_result_image_name(chain->result));
    assert_int_equal(xenfork_image_destroy(chain->ctx, name), 0);
    assert_int_equal(chain_bases(), 1);
    /* The source's file is gone: only the clones are left. */
    chain_src()->disk_count = 0;
    unlink(chain_disk()->path);
    chain_destroy_clones();
    assert_int_equal(chain_bases(), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, chain_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refused),    TEST(test_names),
        TEST(test_emulated),   TEST(test_link),
        TEST(test_auto),       TEST(test_fork),
        TEST(test_partial),    TEST(test_thawed),
        TEST(test_long),       TEST(test_busy),
        TEST(test_gone),       TEST(test_started_anew),
        TEST(test_abort_anew), TEST(test_outlives_image),
        TEST(test_elsewhere),  TEST(test_elsewhere_late),
        TEST(test_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
