/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many clones at once: each further one takes as many calls to Xen and the
 * host as the one before, when they are made, reset and destroyed.
 */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"

#define FEW  2U
#define MORE 4U
#define MANY 32U

/* What is counted: so many clones, which there are. */
typedef void operate_fn(xenfork_ctx *ctx, uint32_t count);

static char *name_of(uint32_t clone)
{
    static char name[16];

    snprintf(name, sizeof(name), "src-%u", clone + 1);
    return name;
}

static void destroy_all(xenfork_ctx *ctx, uint32_t count)
{
    uint32_t i;

    xenfork_batch_begin(ctx);
    for (i = 0; i < count; i++)
        assert_int_equal(xenfork_clone_destroy(ctx, name_of(i), 0), 0);
    assert_int_not_equal(scene_image(), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_batch_end(ctx), 0);
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

static void reset_all(xenfork_ctx *ctx, uint32_t count)
{
    xenfork_result *result;
    uint32_t i;

    xenfork_batch_begin(ctx);
    for (i = 0; i < count; i++) {
        assert_int_equal(xenfork_clone_reset(ctx, name_of(i), 0, &result), 0);
        xenfork_result_free(result);
    }
    assert_int_equal(xenfork_batch_end(ctx), 0);
}

/* Return how many calls it takes with so many clones; NULL: to make them. */
static uint32_t calls_of(operate_fn *operate, uint32_t count)
{
    uint32_t src = scene_source(), calls;
    xenfork_ctx *ctx;

    fake_disarm();
    assert_int_equal(scene_fork(src, count, 0), 0);
    ctx = scene_open();
    if (operate) {
        fake_disarm();
        operate(ctx, count);
    }
    calls = fake_calls();
    scene_close(ctx);
    return calls;
}

static void assert_linear(operate_fn *operate)
{
    uint32_t few = calls_of(operate, FEW), more = calls_of(operate, MORE);
    uint32_t many = calls_of(operate, MANY), each = (more - few) / (MORE - FEW);

    print_message("# %u calls for each clone, %u for %u, %u for %u\n", each,
                  few, FEW, many, MANY);
    assert_int_equal(many, few + each * (MANY - FEW));
}

static void test_fork(void **state)
{
    (void)state;
    assert_linear(NULL);
}

static void test_destroy(void **state)
{
    (void)state;
    assert_linear(destroy_all);
}

static void test_reset(void **state)
{
    (void)state;
    assert_linear(reset_all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_destroy),
        cmocka_unit_test(test_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
