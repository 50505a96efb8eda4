/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many clones at once: each further one takes as many calls to Xen and the
 * host as the one before, when they are made, hydrated, reset and destroyed.
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
#include "base/internal.h"
#include "state/keyfile.h"
#include "xen/xen.h"

#define FEW  2U
#define MORE 4U
#define MANY 32U
/* Those of a clone that is hydrated: far less than its image has gfns for. */
#define HYDRATION 64U

int __real_xenfork__keyfile_read(xenfork_ctx *ctx, const char *path,
                                 struct xenfork__keyfile **keyfile_out);
int __wrap_xenfork__keyfile_read(xenfork_ctx *ctx, const char *path,
                                 struct xenfork__keyfile **keyfile_out);

static uint32_t reads; /* of files of the state directory */

int __wrap_xenfork__keyfile_read(xenfork_ctx *ctx, const char *path,
                                 struct xenfork__keyfile **keyfile_out)
{
    reads++;
    return __real_xenfork__keyfile_read(ctx, path, keyfile_out);
}

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

/* An image that is to go: all are hydrated first. */
static void hydrate_all(xenfork_ctx *ctx, uint32_t count)
{
    cleanup_free char *name = NULL;

    (void)count;
    assert_int_equal(xenfork__xen_name(ctx, scene_image(), &name), 0);
    assert_int_equal(xenfork_image_destroy(ctx, name), 0);
}

/* Return how many calls it takes with so many clones; NULL: to make them. */
static uint32_t calls_of(operate_fn *operate, uint32_t count)
{
    uint32_t src = scene_source(), calls;
    xenfork_ctx *ctx;

    fake_disarm();
    reads = 0;
    assert_int_equal(scene_fork(src, count, 0), 0);
    ctx = scene_open();
    if (operate) {
        fake_disarm();
        reads = 0;
        operate(ctx, count);
    }
    calls = fake_calls();
    scene_close(ctx);
    return calls;
}

/* What so many clones took. */
struct taken {
    uint32_t calls, reads;
};

static struct taken taken_by(operate_fn *operate, uint32_t count)
{
    struct taken taken = {.calls = calls_of(operate, count)};

    taken.reads = reads;
    return taken;
}

/* Return how many calls each clone takes. */
static uint32_t assert_linear(operate_fn *operate, bool is_reading)
{
    struct taken few = taken_by(operate, FEW), more = taken_by(operate, MORE);
    struct taken many = taken_by(operate, MANY);
    uint32_t each = (more.calls - few.calls) / (MORE - FEW);

    print_message("# %u calls for each clone, %u for %u, %u for %u; files "
                  "read: %u, %u\n",
                  each, few.calls, FEW, many.calls, MANY, few.reads,
                  many.reads);
    assert_int_equal(many.calls, few.calls + each * (MANY - FEW));
    each = (more.reads - few.reads) / (MORE - FEW);
    if (is_reading)
        assert_int_equal(many.reads, few.reads + each * (MANY - FEW));
    return (more.calls - few.calls) / (MORE - FEW);
}

static void test_fork(void **state)
{
    (void)state;
    assert_linear(NULL, true);
}

/*
 * What the image has is looked at once.  The records of all tell whether a
 * clone is a source: they are read for each.
 */
static void test_hydrate(void **state)
{
    (void)state;
    assert_in_range(assert_linear(hydrate_all, false), 1, HYDRATION);
}

static void test_destroy(void **state)
{
    (void)state;
    assert_linear(destroy_all, true);
}

static void test_reset(void **state)
{
    (void)state;
    assert_linear(reset_all, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_hydrate),
        cmocka_unit_test(test_destroy),
        cmocka_unit_test(test_reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
