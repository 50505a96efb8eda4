/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fork.c, image.c, clone.c, txn.c, recover.c: the sweeps. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "sweep.h"

/* Fork a domain; the result is looked at by other tests. */
static int fork_domain(uint32_t domid, uint32_t count, uint32_t flags)
{
    xenfork_ctx *ctx = sweep_open();
    xenfork_result *result = NULL;
    xenfork_spec *spec;
    int rc;

    assert_int_equal(xenfork_spec_new(count, &spec), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, flags), 0);
    rc = sweep_end(ctx, xenfork_fork(ctx, domid, spec, &result));
    xenfork_spec_free(spec);
    xenfork_result_free(result);
    return rc;
}

static void prepare_running(void)
{
    fake_add_guest("src");
}

static void prepare_paused(void)
{
    fake_domain(fake_add_guest("src"))->is_paused = true;
}

static uint32_t source(void)
{
    return fake_domain_named("src")->domid;
}

static uint32_t image(void)
{
    uint32_t i, domid = XENFORK_DOMID_NONE;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && fake->domains[i].is_image)
            domid = fake->domains[i].domid;
    return domid;
}

/* An image that stays, made before by a fork with one clone. */
static void prepare_image(void)
{
    fake_add_guest("src");
    assert_int_equal(fork_domain(source(), 1, XENFORK_FORK_KEEP_IMAGE), 0);
}

static int fork_one(void *opaque)
{
    (void)opaque;
    return fork_domain(source(), 1, 0);
}

static int fork_three(void *opaque)
{
    (void)opaque;
    return fork_domain(source(), 3, 0);
}

static int fork_kept(void *opaque)
{
    (void)opaque;
    return fork_domain(source(), 1, XENFORK_FORK_KEEP_IMAGE);
}

static int fork_image(void *opaque)
{
    (void)opaque;
    return fork_domain(image(), 2, 0);
}

static const struct sweep sweeps[] = {
    { "running", SWEEP_UNDOES, prepare_running, fork_one },
    { "paused", SWEEP_UNDOES, prepare_paused, fork_one },
    { "three", SWEEP_UNDOES, prepare_running, fork_three },
    { "kept", SWEEP_UNDOES, prepare_running, fork_kept },
    { "image", SWEEP_UNDOES, prepare_image, fork_image },
    { "again", SWEEP_UNDOES, prepare_image, fork_one },
};

static void test_failures(void **state)
{
    sweep_failures(*state);
}

static void test_residues(void **state)
{
    sweep_residues(*state);
}

static void test_crashes(void **state)
{
    sweep_crashes(*state);
}

#define SWEEP(n, kind)                                                         \
    {                                                                          \
        "sweep_" #n "_" #kind, test_##kind, NULL, NULL, (void *)&sweeps[n]     \
    }

static int group_teardown(void **state)
{
    (void)state;
    fake_teardown();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEP(0, failures), SWEEP(1, failures), SWEEP(2, failures),
        SWEEP(3, failures), SWEEP(4, failures), SWEEP(5, failures),
        SWEEP(0, residues), SWEEP(1, residues), SWEEP(2, residues),
        SWEEP(4, residues), SWEEP(5, residues), SWEEP(0, crashes),
        SWEEP(1, crashes),  SWEEP(2, crashes),  SWEEP(4, crashes),
        SWEEP(5, crashes),
    };

    return cmocka_run_group_tests(tests, NULL, group_teardown);
}
