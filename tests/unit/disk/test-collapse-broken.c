/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/qcow2/commit.c, disk/qcow2/quiesce.c, collapse.c: what comes between. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/chain-scene.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/collapse.h"
#include "op/rollback.h"
#include "state/journal.h"

static int collapse_once(void *opaque)
{
    bool again;

    return xenfork__collapse(opaque, chain_src()->uuid, &again);
}

/* As far as before the first or the last step of a collapse. */
static void begin_collapse(bool is_last)
{
    chain_fork();
    chain_destroy_clones();
    if (is_last)
        assert_int_equal(collapse_once(chain->ctx), 0);
    fake_disarm();
}

static uint32_t calls_of_step(bool is_last)
{
    uint32_t calls;

    begin_collapse(is_last);
    assert_int_equal(collapse_once(chain->ctx), 0);
    calls = fake_calls();
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
    return calls;
}

static void kill_step(bool is_last, uint32_t n, int when)
{
    int rc;

    begin_collapse(is_last);
    fake_crash_at(n, when);
    fake_crash(collapse_once, chain->ctx, &rc);
    fake_disarm();
    assert_int_equal(xenfork_recover(chain->ctx), 0);
    assert_false(chain_src()->is_paused);
    chain_collapse();
    assert_string_equal(fake->violation, "");
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
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
    collapse_once(chain->ctx);
    fake_disarm();
    assert_false(chain_src()->is_paused);
    chain_collapse();
    assert_int_equal(xenfork_recover(chain->ctx), 0);
    assert_int_equal(chain_depth(), 1);
    assert_int_equal(chain_bases(), 0);
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
    chain_fork();
    chain_destroy_clones();
    chain_src()->is_paused = true;
    chain_src()->unpausings = 1;
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     0);
    assert_true(again);
    assert_true(chain_disk()->job.node[0]);
    assert_false(chain_src()->is_paused);
    xenfork__sys_qemu_cancel(chain->ctx, chain->src, "xvda");
    chain_src()->unpausings = 100;
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     0);
    assert_true(again);
    assert_false(chain_disk()->job.node[0]);
    assert_false(chain_src()->is_paused);
    chain_src()->unpausings = 0;
    chain_collapse();
    assert_int_equal(chain_depth(), 1);
}

/* By a journal of one that was paused, when it had run for 5 ns. */
static void undo_stop(uint64_t cpu_ns)
{
    const struct xenfork__dominfo info = {.is_paused = true, .cpu_ns = 5};
    struct xenfork__journal *journal;

    chain_src()->is_paused = true;
    chain_src()->cpu_ns = cpu_ns;
    assert_int_equal(xenfork__journal_begin(chain->ctx, &journal), 0);
    assert_int_equal(xenfork__journal_source(chain->ctx, journal,
                                             chain_src()->uuid, chain->src,
                                             true),
                     0);
    assert_int_equal(xenfork__journal_stopping(chain->ctx, journal,
                                               info.is_paused, info.cpu_ns),
                     0);
    assert_int_equal(xenfork__journal_rollback(chain->ctx, journal), 0);
}

/* Killed: was it paused by its user, or by us? */
static void test_who_paused(void **state)
{
    (void)state;
    undo_stop(5);
    assert_true(chain_src()->is_paused);
    undo_stop(6);
    assert_false(chain_src()->is_paused);
}

/* Somebody has removed its backing file: QEMU must not copy it to itself. */
static void test_removed(void **state)
{
    xenfork_list *list;
    bool again;

    (void)state;
    chain_fork();
    assert_int_equal(xenfork_list_open(chain->ctx, 0, &list), 0);
    unlink(
        xenfork_disk_path(xenfork_entry_disk(xenfork_list_entry(list, 0), 0)));
    xenfork_list_free(list);
    chain_destroy_clones();
    assert_int_equal(xenfork__collapse(chain->ctx, chain_src()->uuid, &again),
                     XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(chain->ctx), "is gone"));
    assert_false(chain_src()->is_paused);
    assert_false(chain_disk()->job.node[0]);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, chain_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_killed),     TEST(test_fails),   TEST(test_unpaused),
        TEST(test_who_paused), TEST(test_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
