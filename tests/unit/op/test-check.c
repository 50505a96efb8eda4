/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* check.c: why a domain cannot be forked. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"

static uint32_t source;
static xenfork_ctx *ctx;

/* A source that has an image and a clone. */
static int setup(void **state)
{
    (void)state;
    source = scene_source();
    assert_int_equal(scene_fork(source, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(ctx);
    return 0;
}

static bool has_code(const xenfork_check *check, int code)
{
    uint32_t i;

    for (i = 0; i < xenfork_check_finding_count(check); i++)
        if (xenfork_finding_code(xenfork_check_finding(check, i)) == code)
            return xenfork_finding_text(xenfork_check_finding(check, i))[0] &&
                   xenfork_finding_remedy(xenfork_check_finding(check, i))[0];
    return false;
}

/* All reasons at once, and nothing is touched. */
static void test_finds_all(void **state)
{
    struct fake_domain *d = fake_domain(source);
    xenfork_check *check;
    char *before;

    (void)state;
    d->can_suspend = false;
    d->passthrough_count = 1;
    fake_copy_string(d->unsupported, sizeof(d->unsupported), "vtpm");
    fake->cannot_reflink = fake->cannot_share = true;
    fake->free_pages = fake_claimed() + 10;
    before = fake_snapshot();
    assert_int_equal(xenfork_check_open(ctx, source, NULL, &check), 0);
    assert_true(has_code(check, XENFORK_E_NOSUSPEND));
    assert_true(has_code(check, XENFORK_E_PASSTHROUGH));
    assert_true(has_code(check, XENFORK_E_DEVICE));
    assert_true(has_code(check, XENFORK_E_DISK));
    assert_true(has_code(check, XENFORK_E_HYPERVISOR));
    assert_true(has_code(check, XENFORK_E_HOSTMEM));
    assert_int_equal(xenfork_check_finding_count(check), 6);
    assert_null(xenfork_finding_text(xenfork_check_finding(check, 6)));
    assert_int_equal(xenfork_finding_code(xenfork_check_finding(check, 6)), 0);
    xenfork_check_free(check);
    xenfork_check_free(NULL);
    assert_true(fake_is_same(before, "check"));
    free(before);
}

static void test_finds_nothing(void **state)
{
    xenfork_check *check = NULL;

    (void)state;
    assert_int_equal(xenfork_check_open(ctx, source, NULL, &check), 0);
    assert_int_equal(xenfork_check_finding_count(check), 0);
    xenfork_check_free(check);
    check = NULL;
    assert_int_equal(xenfork_check_open(ctx, 4711, NULL, &check),
                     XENFORK_E_NOTFOUND);
    assert_null(check);
}

/* What is shared counts for nothing, and could not be written any more. */
static void test_past_its_limit(void **state)
{
    xenfork_check *check;

    (void)state;
    fake_domain(source)->max_pages = 10;
    assert_int_equal(xenfork_check_open(ctx, source, NULL, &check), 0);
    assert_true(has_code(check, XENFORK_E_HYPERVISOR));
    xenfork_check_free(check);
    assert_int_equal(scene_fork(source, 1, 0), XENFORK_E_HYPERVISOR);
}

/* An image has no configuration with libxl, and can be forked. */
static void assert_image_checked(uint32_t domid)
{
    uint64_t free_pages = fake->free_pages;
    xenfork_check *check;

    assert_int_equal(xenfork_check_open(ctx, domid, NULL, &check), 0);
    assert_int_equal(xenfork_check_finding_count(check), 0);
    xenfork_check_free(check);
    fake->free_pages = fake_claimed() + 10;
    assert_int_equal(xenfork_check_open(ctx, domid, NULL, &check), 0);
    assert_true(has_code(check, XENFORK_E_HOSTMEM));
    assert_int_equal(xenfork_check_finding_count(check), 1);
    xenfork_check_free(check);
    fake->free_pages = free_pages;
}

static void test_image(void **state)
{
    xenfork_check *check;

    (void)state;
    assert_image_checked(scene_image());
    fake_domain(scene_image())->cpu_ns = 1;
    assert_int_equal(xenfork_check_open(ctx, scene_image(), NULL, &check),
                     XENFORK_E_STATE);
}

/* A bridge that is not there, of the source and of its image. */
static void test_no_bridge(void **state)
{
    const uint32_t domids[] = {source, scene_image()};
    xenfork_check *check;
    xenfork_spec *spec;
    size_t i;

    (void)state;
    assert_int_equal(xenfork_spec_new(2, &spec), 0);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, "nosuch0"), 0);
    for (i = 0; i < 2; i++) {
        assert_int_equal(xenfork_check_open(ctx, domids[i], spec, &check), 0);
        assert_int_equal(xenfork_check_finding_count(check), 1);
        assert_true(has_code(check, XENFORK_E_DEVICE));
        xenfork_check_free(check);
    }
    xenfork_spec_free(spec);
}

/* Its image is forked in its place, whatever is the matter with its disk. */
static void test_frozen(void **state)
{
    (void)state;
    assert_int_equal(xenfork_freeze(ctx, source, 1000), 0);
    assert_int_equal(scene_fork(source, 1, 0), 0);
    fake->cannot_reflink = fake->cannot_share = true;
    assert_image_checked(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_finds_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_finds_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_past_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_image, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_bridge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frozen, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
