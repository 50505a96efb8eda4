/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/thin/: raw files by thin devices over them. */
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

#include "disk/thin/thin.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"
#include "op/named.h"
#include "../../lib/scene.h"
#include "state/record.h"

static struct fork_scene *s;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    fake->cannot_reflink = true;
    return 0;
}

static const char *image(void)
{
    return fake_domain(s->src)->disks[0].path;
}

static void forget_result(void)
{
    xenfork_result_free(s->result);
    s->result = NULL;
}

static int attach(const char *path, char mode)
{
    char *node = NULL;
    int rc = xenfork__thin_attach(s->ctx, path, mode == 'r', mode == '!',
                                  &node);

    if (rc == 0)
        assert_int_equal(strncmp(node, "/dev/mapper/xenfork-", 20), 0);
    free(node);
    return rc;
}

/* As blkback does. */
static struct fake_dm *use(const char *type)
{
    uint32_t i;

    for (i = 0; i < FAKE_DMS; i++)
        if (!strcmp(fake->dms[i].live.type, type) && !fake->dms[i].is_used)
            break;
    assert_true(i < FAKE_DMS);
    fake->dms[i].is_used = true;
    return &fake->dms[i];
}

static void assert_text(const char *part)
{
    if (!strstr(xenfork_error_text(s->ctx), part) &&
        !strstr(xenfork_error_remedy(s->ctx), part))
        fail_msg("\"%s\", \"%s\": no %s", xenfork_error_text(s->ctx),
                 xenfork_error_remedy(s->ctx), part);
}

static void test_running(void **state)
{
    char *before = fake_snapshot();

    (void)state;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_text("script=block-fork");
    assert_text("XFS");
    assert_text("xl fork-freeze");
    assert_true(fake_is_same(before, "refused"));
    free(before);
    fake_make_shimmed(s->src);
    fake->cannot_thin = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_text("dm-thin-pool");
}

static void test_attach(void **state)
{
    char *before = fake_snapshot();
    struct fake_dm *dm;

    (void)state;
    assert_int_equal(attach(image(), 'w'), 0);
    assert_int_equal(attach(image(), 'w'), 0);
    dm = use("linear");
    assert_false(dm->live.is_readonly);
    assert_int_equal(attach(image(), 'w'), XENFORK_E_INUSE);
    assert_int_equal(attach(image(), 'r'), XENFORK_E_INUSE);
    assert_int_equal(attach(image(), '!'), 0);
    dm->is_used = false;
    assert_int_equal(attach(image(), 'r'), 0);
    dm = use("linear");
    assert_true(dm->live.is_readonly);
    assert_int_equal(attach(image(), 'r'), 0);
    assert_int_equal(attach(image(), 'w'), XENFORK_E_INUSE);
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_true(dm->is_used); /* another reads it still */
    dm->is_used = false;
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_int_equal(attach(image(), 'w'), 0);
    dm = use("linear");
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL),
                     XENFORK_E_DISK);
    dm->is_used = false;
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_true(fake_is_same(before, "attached and detached"));
    free(before);
    assert_int_equal(attach("/nowhere", 'w'), XENFORK_E_DISK);
    assert_int_equal(attach("relative", 'w'), XENFORK_E_DISK);
}

static void destroy_clones(void)
{
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    forget_result();
}

/* Nothing written: back on the file, under the running source. */
static void test_back(void **state)
{
    char *before;

    (void)state;
    fake_make_shimmed(s->src);
    before = fake_snapshot();
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_is_protected(image()));
    destroy_clones();
    assert_false(fake_is_protected(image()));
    assert_false(fake_write_disk(s->src));
    assert_string_equal(fake->violation, "");
    free(before);
}

static void assert_file(const char *text)
{
    char line[64] = "";
    FILE *f = fopen(image(), "r");

    assert_non_null(f);
    assert_non_null(fgets(line, sizeof(line), f));
    fclose(f);
    assert_string_equal(line, text);
}

/* Written to: it stays, until the source has ended. */
static void test_write_back(void **state)
{
    char folder[FAKE_PATH + 16];

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_write_disk(s->src));
    destroy_clones();
    assert_true(fake_write_disk(s->src));
    assert_true(fake_is_protected(image()));
    assert_file("contents of xvda of src\n");
    fake_detach(image());
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_false(fake_is_protected(image()));
    assert_file("2 blocks, the last 3\n");
    snprintf(folder, sizeof(folder), "%s/.xenfork", fake->dir);
    assert_int_equal(access(folder, F_OK), -1);
    assert_string_equal(fake->violation, "");
}

/* More than is done while libxl waits: the head stays until it is asked for. */
static void test_much(void **state)
{
    uint32_t i;

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_write_disk(s->src));
    assert_int_equal(xenfork__thin_write_back(s->ctx, image()),
                     XENFORK_E_INUSE);
    destroy_clones();
    assert_int_equal(xenfork__thin_write_back(s->ctx, image()),
                     XENFORK_E_INUSE);
    for (i = 0; i < FAKE_THINS; i++)
        fake->thins[i].mapped *= 3U << 13;
    fake_detach(image());
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_file("contents of xvda of src\n");
    assert_true(fake_is_protected(image()));
    assert_int_equal(attach(image(), 'w'), 0);
    use("thin")->is_used = false;
    assert_int_equal(xenfork__thin_write_back(s->ctx, image()), 0);
    assert_file("250 blocks, the last 747\n");
    assert_false(fake_is_protected(image()));
    assert_int_equal(xenfork__thin_write_back(s->ctx, image()), 0);
}

/* As after a reboot. */
static void test_reattach(void **state)
{
    char clone[FAKE_PATH];

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(
        clone, sizeof(clone),
        fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, 0)))
            ->disks[0]
            .path);
    memset(fake->dms, 0, sizeof(fake->dms));
    assert_int_equal(attach(image(), 'w'), 0);
    use("thin");
    assert_int_equal(attach(clone, 'w'), 0);
    use("thin")->is_used = false;
    assert_int_equal(xenfork__thin_detach(s->ctx, clone, NULL), 0);
    assert_int_equal(attach(clone, 'r'), 0);
    assert_true(use("thin")->live.is_readonly);
    assert_string_equal(fake->violation, "");
}

static void test_frozen(void **state)
{
    char *before;

    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    before = fake_snapshot();
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_is_protected(image()));
    assert_int_equal(xenfork_thaw(s->ctx, s->src), XENFORK_E_INUSE);
    assert_text("disks of 2 clones are backed by");
    assert_int_equal(attach(image(), 'r'), 0);
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    destroy_clones();
    assert_true(fake_is_protected(image()));
    assert_int_equal(xenfork_thaw(s->ctx, s->src), 0);
    assert_false(fake_write_disk(s->src));
    assert_string_equal(fake->violation, "");
    free(before);
}

/* A file that is attached anew gets a head: it backs the clones' disks. */
static void test_frozen_and_gone(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(attach(image(), 'w'), 0);
    use("thin")->is_used = false;
    assert_int_equal(xenfork__thin_detach(s->ctx, image(), NULL), 0);
    assert_true(fake_is_protected(image()));
    assert_string_equal(fake->violation, "");
}

static void test_frozen_kept(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(xenfork_spec_set_flags(s->spec, XENFORK_FORK_KEEP_IMAGE),
                     0);
    assert_int_equal(fork_it(s, s->src), 0);
    destroy_clones();
    assert_int_equal(xenfork_thaw(s->ctx, s->src), XENFORK_E_INUSE);
    assert_text("xl fork-image-destroy src@fork-1");
    assert_true(fake_is_protected(image()));
}

static void test_full(void **state)
{
    char *before;

    (void)state;
    fake_make_shimmed(s->src);
    before = fake_snapshot();
    fake->has_no_space = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_NOSPC);
    assert_text("file system of the thin pool is full");
    assert_true(fake_is_same(before, "no space for a pool"));
    fake->has_no_space = false;
    assert_int_equal(fork_it(s, s->src), 0);
    forget_result();
    fake->has_no_space = fake->pool_is_full = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_NOSPC);
    assert_text("file system of the thin pool is full");
    fake->has_no_space = false;
    assert_int_equal(fork_it(s, s->src), 0);
    free(before);
}

static void test_usage(void **state)
{
    xenfork_list *list;
    uint64_t allocated = 1, own = 1;

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_write_disk(
        xenfork_clone_domid(xenfork_result_clone(s->result, 0))));
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_int_equal(
        xenfork_disk_usage(s->ctx,
                           xenfork_entry_disk(xenfork_list_entry(list, 0), 0),
                           &allocated, &own),
        0);
    assert_true(allocated == 0 && own == XENFORK_NOT_KNOWN);
    assert_int_equal(
        xenfork_disk_usage(s->ctx,
                           xenfork_entry_disk(xenfork_list_entry(list, 1), 0),
                           &allocated, &own),
        0);
    assert_int_equal(allocated, 64);
    xenfork_list_free(list);
}

static uint32_t count(const char *type)
{
    uint32_t i, n = 0;

    for (i = 0; i < FAKE_DMS; i++)
        n += fake->dms[i].name[0] && !strcmp(fake->dms[i].live.type, type);
    return n;
}

static struct fake_disk *clone_disk(uint32_t i)
{
    return &fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, i)))
                ->disks[0];
}

/* While a domain uses it: its thin device goes, a file has it from then on. */
static void test_detach(void **state)
{
    char old[FAKE_PATH];
    uint32_t thins;

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    snprintf(old, sizeof(old), "%s", clone_disk(0)->path);
    assert_true(fake_write_disk(
        xenfork_clone_domid(xenfork_result_clone(s->result, 0))));
    thins = count("thin");
    fake->mirror_is_broken = true;
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0),
                     XENFORK_E_DISK);
    fake->mirror_is_broken = false;
    assert_string_equal(clone_disk(0)->path, old);
    assert_int_equal(count("thin"), thins);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "qcow2", 0),
                     XENFORK_E_DISK);
    assert_text("raw");
    assert_int_equal(xenfork_detach(s->ctx, "src-1", NULL, NULL, 0), 0);
    assert_int_equal(count("thin"), thins - 1);
    assert_int_equal(count("mirror"), 0);
    assert_string_equal(strrchr(clone_disk(0)->path, '.'), ".raw");
    assert_int_equal(access(clone_disk(0)->path, F_OK), 0);
    assert_int_equal(access(old, F_OK), -1);
    /* Its domain ends: the device has the old name. */
    fake_detach(old);
    assert_int_equal(xenfork__thin_detach(s->ctx, old, NULL), 0);
    destroy_clones();
    assert_false(fake_is_protected(image()));
}

static int detach_it(void *opaque)
{
    (void)opaque;
    return xenfork_detach(s->ctx, "src-1", NULL, NULL, 0);
}

/* libxl's record and ours lead to one file, which is there. */
static void assert_agree(void)
{
    cleanup_record struct xenfork__record *clone = NULL;
    const char *path = fake_domain_named("src-1")->disks[0].path;

    assert_int_equal(
        xenfork__named(s->ctx, XENFORK_KIND_CLONE, "src-1", &clone), 0);
    assert_string_equal(clone->disks[0].path, path);
    assert_int_equal(access(path, F_OK), 0);
}

/* Killed at every call; then the domain may start again by libxl's record. */
static void test_detach_killed(void **state)
{
    bool is_killed = true;
    uint32_t n;
    int rc;

    for (n = 1; is_killed; n++) {
        fake_make_shimmed(s->src);
        assert_int_equal(fork_it(s, s->src), 0);
        fake_crash_at(n, FAKE_AFTER);
        is_killed = fake_crash(detach_it, NULL, &rc);
        fake_disarm();
        if (is_killed)
            assert_int_equal(xenfork_recover(s->ctx), 0);
        assert_agree();
        assert_int_equal(detach_it(NULL), 0);
        assert_agree();
        assert_string_equal(strrchr(clone_disk(0)->path, '.'), ".raw");
        fork_teardown(state);
        setup(state);
    }
    assert_int_equal(rc, 0);
    assert_true(n > 100);
}

/* Its path has come to lead elsewhere: what was attached goes. */
static void test_detach_elsewhere(void **state)
{
    char *before = fake_snapshot();
    char file[FAKE_PATH], node[FAKE_PATH];
    struct fake_dm *dm;

    (void)state;
    fake_copy_string(file, sizeof(file), image());
    assert_int_equal(attach(file, 'w'), 0);
    dm = use("linear");
    dm->is_used = false;
    snprintf(node, sizeof(node), XENFORK__DM_DIR "%s", dm->name);
    assert_int_equal(xenfork__thin_detach(s->ctx, "/nowhere", node), 0);
    assert_true(fake_is_same(before, "attached and detached"));
    assert_int_equal(xenfork__thin_detach(s->ctx, "/nowhere", node), 0);
    free(before);
}

/* The clone has shut down. */
static void test_detach_gone(void **state)
{
    char path[FAKE_PATH + 32];
    uint32_t domid;

    (void)state;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    domid = xenfork_clone_domid(xenfork_result_clone(s->result, 0));
    snprintf(path, sizeof(path), "%s", clone_disk(0)->path);
    fake_detach(path);
    assert_int_equal(xenfork__xen_destroy(s->ctx, domid), 0);
    assert_int_equal(xenfork__thin_detach(s->ctx, path, NULL), 0);
    assert_int_equal(xenfork_detach(s->ctx, "src-1", fake->dir, "qcow2", 0), 0);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof(path), "%s/src-1-xvda.qcow2", fake->dir);
    assert_int_equal(access(path, F_OK), 0);
    destroy_clones();
    assert_int_equal(access(path, F_OK), -1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_running),
        TEST(test_attach),
        TEST(test_back),
        TEST(test_write_back),
        TEST(test_reattach),
        TEST(test_frozen),
        TEST(test_frozen_and_gone),
        TEST(test_frozen_kept),
        TEST(test_full),
        TEST(test_usage),
        TEST(test_much),
        TEST(test_detach),
        TEST(test_detach_elsewhere),
        TEST(test_detach_gone),
        TEST(test_detach_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
