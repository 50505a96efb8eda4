/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk.c and the drivers: which driver a disk gets, and what clones have of it. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"
#include "state/record.h"

static struct fork_scene *s;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    return 0;
}

static struct fake_domain *src(void)
{
    return fake_domain(s->src);
}

static struct fake_domain *clone(uint32_t i)
{
    return fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, i)));
}

static int want(const char *vdev, const char *how)
{
    return xenfork_spec_set_disk(s->spec, vdev, how);
}

/* The one disk's driver and nothing else; NULL: @code is why not. */
static void assert_check_of(uint32_t domid, const char *driver, int code)
{
    xenfork_check *check;

    assert_int_equal(xenfork_check_open(s->ctx, domid, s->spec, &check), 0);
    if (driver) {
        assert_int_equal(xenfork_check_finding_count(check), 0);
        assert_int_equal(xenfork_check_disk_count(check), 1);
        assert_string_equal(xenfork_disk_vdev(xenfork_check_disk(check, 0)),
                            "xvda");
        assert_string_equal(xenfork_disk_driver(xenfork_check_disk(check, 0)),
                            driver);
        assert_true(strlen(xenfork_disk_why(xenfork_check_disk(check, 0))) > 0);
        assert_null(xenfork_disk_driver(xenfork_check_disk(check, 1)));
    } else {
        assert_int_equal(xenfork_check_finding_count(check), 1);
        assert_int_equal(xenfork_finding_code(xenfork_check_finding(check, 0)),
                         code);
    }
    xenfork_check_free(check);
}

static void assert_check(const char *driver, int code)
{
    assert_check_of(s->src, driver, code);
}

static void test_auto(void **state)
{
    (void)state;
    assert_check("reflink", 0);
    src()->disks[0].is_readwrite = false;
    assert_check("share", 0);
    src()->disks[0].is_readwrite = true;
    fake_make_thin(s->src);
    assert_check("lvthin", 0);
    fake->cannot_reflink = true;
    assert_check("lvthin", 0);
}

/* In many pieces, and frozen: thin, where that can be had, unless asked for. */
static void test_yields(void **state)
{
    (void)state;
    fake->extents = 2001;
    assert_check("reflink", 0);
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_check("thin", 0);
    assert_int_equal(want("xvda", "reflink"), 0);
    assert_check("reflink", 0);
    assert_int_equal(want("xvda", "auto"), 0);
    fake->extents = 2000;
    assert_check("reflink", 0);
    fake->extents = 2001;
    fake->cannot_thin = true;
    assert_check("reflink", 0);
}

static void test_wishes(void **state)
{
    (void)state;
    assert_int_equal(want("xvda", "reflink"), 0);
    assert_check("reflink", 0);
    assert_int_equal(want("xvda", "lvthin"), 0);
    assert_check(NULL, XENFORK_E_DISK);
    assert_int_equal(want("xvda", "share"), 0);
    assert_check(NULL, XENFORK_E_DISK);
    assert_int_equal(want("xvda", "nonsense"), 0);
    assert_check(NULL, XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "none"), 0);
    assert_check("none", 0);
    assert_int_equal(want("xvda", "auto"), 0);
    assert_check("reflink", 0);
    assert_int_equal(want("xvdb", "none"), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
}

static void test_malformed(void **state)
{
    char many[16];
    int i;

    (void)state;
    assert_int_equal(want("", "auto"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", ""), XENFORK_E_INVAL);
    assert_int_equal(want(NULL, "auto"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "a b"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "sixteenletters16"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "vhd:"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", ":a=b"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "vhd:a b"), XENFORK_E_INVAL);
    assert_int_equal(want("xvda", "vhd:a=b:c"), XENFORK_E_INVAL);
    for (i = 0; i < 64; i++) {
        snprintf(many, sizeof(many), "d%d", i);
        assert_int_equal(want(many, "auto"), 0);
    }
    assert_int_equal(want("xvda", "auto"), XENFORK_E_INVAL);
    assert_int_equal(want("d0", "none"), 0);
}

static void test_none(void **state)
{
    (void)state;
    assert_int_equal(want("xvda", "none"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(clone(0)->disk_count, 0);
    assert_int_equal(clone(1)->disk_count, 0);
}

/* Later clones of an image lack the disks that the image was made without. */
static void test_none_of_frozen(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(want("xvda", "none"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    xenfork_result_free(s->result);
    s->result = NULL;
    assert_int_equal(want("xvda", "auto"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(clone(0)->disk_count, 0);
}

/* Nor can it be had by another driver. */
static void test_other_driver(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    xenfork_result_free(s->result);
    s->result = NULL;
    assert_int_equal(want("xvda", "lvthin"), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_int_equal(want("xvda", "none"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(clone(0)->disk_count, 0);
}

static void assert_usage(xenfork_list *list, uint32_t index, uint64_t allocated,
                         uint64_t own)
{
    uint64_t a = 0, o = 0;

    assert_int_equal(xenfork_disk_usage(
                         s->ctx,
                         xenfork_entry_disk(xenfork_list_entry(list, index), 0),
                         &a, &o),
                     0);
    assert_true(a == allocated && o == own);
}

static void test_usage(void **state)
{
    xenfork_list *list;
    uint64_t a = 1, o = 2;

    (void)state;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_usage(list, 0, 64, 4);
    assert_usage(list, 2, 64, 4);
    assert_int_equal(
        xenfork_disk_usage(
            s->ctx, xenfork_entry_disk(xenfork_list_entry(list, 0), 1), &a, &o),
        XENFORK_E_INVAL);
    assert_int_equal(
        xenfork_disk_usage(
            s->ctx, xenfork_entry_disk(xenfork_list_entry(list, 9), 0), &a, &o),
        XENFORK_E_INVAL);
    unlink(clone(0)->disks[0].path);
    assert_int_equal(
        xenfork_disk_usage(
            s->ctx, xenfork_entry_disk(xenfork_list_entry(list, 1), 0), &a, &o),
        XENFORK_E_DISK);
    assert_true(a == 1 && o == 2);
    xenfork_list_free(list);
}

/* Why not, its own driver says, and no other stands in. */
static void test_lvthin_full(void **state)
{
    (void)state;
    fake_make_thin(s->src);
    fake->is_full = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_NOSPC);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "the pool of"));
    assert_string_equal(xenfork_error_remedy(s->ctx), "lvextend");
    fake->is_full = false;
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_lvthin(void **state)
{
    xenfork_list *list;
    char path[FAKE_PATH];

    (void)state;
    fake_make_thin(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_not_equal(clone(0)->disks[0].path, src()->disks[0].path);
    assert_string_not_equal(clone(0)->disks[0].path, clone(1)->disks[0].path);
    assert_non_null(strstr(clone(0)->disks[0].path, "/vg0/xenfork-"));
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_string_equal(
        xenfork_disk_driver(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)),
        "lvthin");
    assert_string_equal(
        xenfork_disk_driver(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        "lvthin");
    assert_null(xenfork_disk_driver(
        xenfork_entry_disk(xenfork_list_entry(list, 1), 1)));
    assert_int_equal(
        xenfork_disk_users(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)),
        2);
    assert_int_equal(
        xenfork_disk_users(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        0);
    assert_int_equal(
        xenfork_disk_depth(xenfork_entry_disk(xenfork_list_entry(list, 1), 0)),
        1);
    assert_int_equal(
        xenfork_disk_depth(xenfork_entry_disk(xenfork_list_entry(list, 1), 1)),
        0);
    assert_usage(list, 1, 32, XENFORK_NOT_KNOWN);
    xenfork_list_free(list);
    fake_copy_string(path, sizeof(path), clone(0)->disks[0].path);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(access(path, F_OK), -1);
    fake_copy_string(path, sizeof(path), clone(1)->disks[0].path);
    assert_int_equal(access(path, F_OK), 0);
}

static void make_shimmed(uint32_t domid)
{
    fake->cannot_reflink = true;
    fake_make_shimmed(domid);
}

/* A clone was forgotten, or its record cannot be read: its disk is there. */
static void assert_kept(void (*prepare)(uint32_t domid))
{
    static const uint8_t uuid[16] = {9};
    char path[FAKE_PATH], name[16];
    uint32_t i, suspensions;

    if (prepare)
        prepare(s->src);
    assert_int_equal(xenfork_spec_set_uuid(s->spec, 1, uuid), 0);
    assert_int_equal(xenfork_spec_set_flags(s->spec, XENFORK_FORK_KEEP_IMAGE),
                     0);
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(path, sizeof(path), clone(1)->disks[0].path);
    for (i = 1; i <= 2; i++) {
        snprintf(name, sizeof(name), "src-%u", i);
        assert_int_equal(
            xenfork__xen_destroy(s->ctx, fake_domain_named(name)->domid), 0);
    }
    assert_int_equal(xenfork__record_remove(s->ctx, XENFORK_KIND_CLONE, uuid),
                     0);
    xenfork_result_free(s->result);
    s->result = NULL;
    suspensions = fake_domain(s->src)->suspensions;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_EXISTS);
    assert_non_null(strstr(xenfork_error_text(s->ctx), strchr(path, '/')));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    assert_int_equal(fake_domain(s->src)->suspensions, suspensions);
    assert_check(NULL, XENFORK_E_EXISTS);
    assert_check_of(fake_domain_named("src@fork-1")->domid, NULL,
                    XENFORK_E_EXISTS);
    assert_int_equal(access(strchr(path, '/'), F_OK), 0);
    assert_int_equal(unlink(strchr(path, '/')), 0);
}

static void test_kept(void **state)
{
    static void (*const prepare[])(uint32_t) = {
        NULL, fake_make_thin, fake_make_qcow2, fake_make_vhd, make_shimmed};
    size_t i;

    for (i = 0; i < sizeof(prepare) / sizeof(prepare[0]); i++) {
        assert_kept(prepare[i]);
        assert_int_equal(fork_teardown(state), 0);
        setup(state);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_auto),           TEST(test_wishes),
        TEST(test_malformed),      TEST(test_none),
        TEST(test_none_of_frozen), TEST(test_other_driver),
        TEST(test_kept),           TEST(test_usage),
        TEST(test_lvthin),         TEST(test_lvthin_full),
        TEST(test_yields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
