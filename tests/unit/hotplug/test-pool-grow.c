/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hotplug/pool-grow.c: a pool is watched whatever fails; pools are looked after. */
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

#include "disk/thin/pool.h"
#include "disk/thin/thin.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "hotplug/target.h"
#include "../lib/scene.h"

static int answer;
static bool has_waited;

/* There is no kernel to wait for. */
int xenfork__sys_dm_wait(xenfork_ctx *ctx, const char *name,
                         const uint32_t *after, uint32_t *now_out)
{
    has_waited = after != NULL;
    *now_out = 7;
    return answer
               ? xenfork__fail(ctx, answer, EINTR, "cannot wait for %s", name)
               : 0;
}

/* EINTR, ENOMEM: whatever it is, guests wait for more space meanwhile. */
static void test_goes_on(void **state)
{
    struct fork_scene *s = *state;
    struct watch watch = {.is_troubled = false};
    char dir[FAKE_PATH + 16];

    snprintf(dir, sizeof(dir), "%s/.xenfork", fake->dir);
    answer = XENFORK_E_DISK;
    assert_true(watch_turn(s->ctx, dir, &watch));
    assert_true(watch.is_troubled);
    answer = XENFORK_E_NOMEM;
    assert_true(watch_turn(s->ctx, dir, &watch));
    assert_true(watch.is_troubled);
    answer = 0;
    assert_true(watch_turn(s->ctx, dir, &watch));
    assert_false(watch.is_troubled || has_waited);
    assert_true(watch_turn(s->ctx, dir, &watch));
    assert_true(has_waited);
    answer = XENFORK_E_NOTFOUND;
    assert_false(watch_turn(s->ctx, dir, &watch));
}

/* Recovery, and each disk that is attached, see that somebody watches. */
static void test_looked_after(void **state)
{
    struct fork_scene *s = *state;
    const char *path = fake_domain(s->src)->disks[0].path;
    char *node = NULL;
    uint32_t before;

    fake->cannot_reflink = true;
    fake_make_shimmed(s->src);
    assert_int_equal(fork_it(s, s->src), 0);
    before = fake->pools_watched;
    assert_int_equal(xenfork_recover(s->ctx), 0);
    assert_int_equal(fake->pools_watched, before + 1);
    assert_int_equal(xenfork__thin_attach(s->ctx, path, false, true, &node), 0);
    assert_int_equal(fake->pools_watched, before + 2);
    free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_on, fork_setup,
                                        fork_teardown),
        cmocka_unit_test_setup_teardown(test_looked_after, fork_setup,
                                        fork_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
