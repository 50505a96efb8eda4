/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/away.c: a file system that is not mounted was not emptied. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/chain-scene.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "disk/disk.h"
#include "state/record.h"

static char away[FAKE_PATH + 64];

static void name_away(const char *path)
{
    snprintf(away, sizeof(away), "%s.away", path);
}

/* All that tests make lies on one file system, mounted on the fake's folder. */
static int setup(void **state)
{
    fork_setup(state);
    fake_copy_string(fake->mount, sizeof(fake->mount), fake->dir);
    return 0;
}

static int setup_chain(void **state)
{
    chain_setup(state);
    fake_copy_string(fake->mount, sizeof(fake->mount), fake->dir);
    return 0;
}

/* Take a file away, as an umount would. */
static void take_away(const char *path)
{
    name_away(path);
    assert_int_equal(rename(path, away), 0);
    fake->is_unmounted = true;
}

static void bring_back(const char *path)
{
    name_away(path);
    assert_int_equal(rename(away, path), 0);
    fake->is_unmounted = false;
}

static void test_destroy(void **state)
{
    struct fork_scene *s = *state;
    struct xenfork__record *record;
    char name[FAKE_NAME], path[FAKE_PATH];

    assert_int_equal(fork_it(s, s->src), 0);
    record = fork_record(s, 0);
    snprintf(name, sizeof(name), "%s", record->name);
    snprintf(path, sizeof(path), "%s", record->disks[0].path);
    xenfork__record_free(record);
    take_away(path);
    assert_int_equal(xenfork_clone_destroy(s->ctx, name, 0), XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), fake->dir));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_non_null(fork_clone(s, 0)); /* all is as it was */
    record = fork_record(s, 0);
    assert_non_null(record);
    xenfork__record_free(record);
    bring_back(path);
    assert_int_equal(xenfork_clone_destroy(s->ctx, name, 0), 0);
    assert_int_not_equal(access(path, F_OK), 0);
}

/* Files that a journal has made, and files on another file system. */
static void test_remove(void **state)
{
    struct fork_scene *s = *state;
    char path[FAKE_PATH + 16];

    snprintf(path, sizeof(path), "%s/.xenfork/x.raw", fake->dir);
    assert_int_equal(xenfork__disk_remove(s->ctx, "reflink", path), 0);
    assert_int_equal(xenfork__disk_note_place(s->ctx, path), 0);
    assert_int_equal(xenfork__disk_remove(s->ctx, "reflink", path), 0);
    fake->is_unmounted = true;
    assert_int_equal(xenfork__disk_remove(s->ctx, "reflink", path),
                     XENFORK_E_DISK);
    assert_int_equal(
        xenfork__disk_remove(s->ctx, "reflink", "/nowhere/.xenfork/x.raw"), 0);
}

/* A link leads to the mount point. */
static void test_link(void **state)
{
    struct fork_scene *s = *state;
    char link[FAKE_PATH + 16], path[FAKE_PATH + 32];

    snprintf(link, sizeof(link), "%s-link", fake->dir);
    snprintf(path, sizeof(path), "%s/x.raw", link);
    assert_int_equal(symlink(fake->dir, link), 0);
    assert_int_equal(xenfork__disk_note_place(s->ctx, path), 0);
    unlink(link);
    fake->is_unmounted = true;
    assert_int_equal(xenfork__disk_remove(s->ctx, "reflink", path),
                     XENFORK_E_DISK);
}

/* A base stays while an overlay that may need it is away. */
static void test_base(void **state)
{
    struct xenfork__record *record;
    char path[FAKE_PATH];
    uint32_t bases;

    (void)state;
    chain_fork();
    record = fork_record(chain, 0);
    snprintf(path, sizeof(path), "%s", record->disks[0].path);
    xenfork__record_free(record);
    bases = chain_bases();
    take_away(path);
    xenfork_recover(chain->ctx);
    assert_int_equal(chain_bases(), bases);
    bring_back(path);
    assert_int_equal(xenfork_recover(chain->ctx), 0);
    assert_int_equal(chain_bases(), bases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_destroy, setup, fork_teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, fork_teardown),
        cmocka_unit_test_setup_teardown(test_link, setup, fork_teardown),
        cmocka_unit_test_setup_teardown(test_base, setup_chain, fork_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
