/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ready.c, wait.c: what clones answer, and what comes of it. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "host/host.h"
#include "op/ready.h"
#include "../lib/scene.h"
#include "state/files.h"
#include "state/record.h"

#define SOON_MS 20U

static struct fork_scene *s;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    return 0;
}

static void test_wait(void **state)
{
    struct xenfork__record *n;
    uint32_t i;

    (void)state;
    fork_two(s);
    assert_false(xenfork_clone_is_ready(xenfork_result_clone(s->result, 0)));
    fake->on_wait = fork_acknowledge;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    for (i = 0; i < 2; i++) {
        assert_true(xenfork_clone_is_ready(xenfork_result_clone(s->result, i)));
        assert_true(xenfork_clone_ns(xenfork_result_clone(s->result, i),
                                     XENFORK_STAGE_READY) > 0);
        assert_string_equal(fork_clone(s, i)->guest.entropy, "");
        assert_true(fork_clone(s, i)->nics[0].is_up);
        assert_string_equal(fork_clone(s, i)->nics[0].on, "xenbr0");
        assert_false(xenfork_nic_link(xenfork_clone_nic(
                         xenfork_result_clone(s->result, i), 0)) !=
                     XENFORK_LINK_CONNECT);
        assert_false(fork_clone(s, i)->guest.is_watched);
        n = fork_record(s, i);
        assert_true(n->is_ready);
        assert_int_equal(n->nics[0].link, XENFORK_LINK_CONNECT);
        xenfork__record_free(n);
    }
    /* Once is enough. */
    fake->on_wait = NULL;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_false(xenfork_clone_is_ready(xenfork_result_clone(s->result, 2)));
}

static void test_ack_before_wait(void **state)
{
    (void)state;
    fork_two(s);
    fork_acknowledge();
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
}

/* A NIC that was taken away before holds nobody up. */
static void test_nic_detached(void **state)
{
    (void)state;
    fork_two(s);
    fork_clone(s, 0)->nic_count = 0;
    fork_acknowledge();
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_true(fork_clone(s, 1)->nics[0].is_up);
}

static void test_wait_in_vain(void **state)
{
    (void)state;
    fork_two(s);
    fake->on_wait = fork_acknowledge_second;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, SOON_MS),
                     XENFORK_E_TIMEOUT);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "src-1"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "src-1"));
    assert_int_equal(xenfork_error_stage(s->ctx), XENFORK_STAGE_READY);
    assert_false(xenfork_clone_is_ready(xenfork_result_clone(s->result, 0)));
    assert_true(xenfork_clone_is_ready(xenfork_result_clone(s->result, 1)));
    assert_true(xenfork_nic_link(
                    xenfork_clone_nic(xenfork_result_clone(s->result, 0), 0)) !=
                XENFORK_LINK_CONNECT);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_int_equal(strlen(fork_clone(s, 0)->guest.entropy), 128);
    assert_false(fork_clone(s, 0)->guest.is_watched);
}

static uint32_t turns;

/* Everything but the truth: another's generation, a part of it, more. */
static void ack_wrongly(void)
{
    char text[64];

    switch (turns++ % 4) {
    case 0:
        fake_ack(fork_clone(s, 0)->domid, fork_clone(s, 1)->guest.generation);
        break;
    case 1:
        snprintf(text, sizeof(text), "%.35s",
                 fork_clone(s, 0)->guest.generation);
        fake_ack(fork_clone(s, 0)->domid, text);
        break;
    case 2:
        snprintf(text, sizeof(text), "%s ", fork_clone(s, 0)->guest.generation);
        fake_ack(fork_clone(s, 0)->domid, text);
        break;
    default:
        fake_ack(fork_clone(s, 0)->domid, "1");
    }
    fake_ack(fork_clone(s, 1)->domid, fork_clone(s, 0)->guest.generation);
}

/* Such guests are not listened to for ever. */
static void test_wrong_acks(void **state)
{
    uint64_t start_ns = xenfork__now_ns();

    (void)state;
    turns = 0;
    fork_two(s);
    fake->on_wait = ack_wrongly;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 1500),
                     XENFORK_E_TIMEOUT);
    assert_in_range(xenfork__now_ns() - start_ns, 1500000000, UINT64_MAX);
    assert_in_range(turns, 128, 600);
    assert_false(fork_clone(s, 0)->guest.is_watched);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_false(fork_clone(s, 1)->nics[0].is_up);
}

static void ack_rightly_at_last(void)
{
    if (fork_clone(s, 0)->guest.is_watched ||
        fork_clone(s, 1)->guest.is_watched)
        ack_wrongly();
    else
        fork_acknowledge();
}

/* They are still heard, a second later. */
static void test_wrong_acks_then_right(void **state)
{
    (void)state;
    turns = 0;
    fork_two(s);
    fake->on_wait = ack_rightly_at_last;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
    assert_true(fork_clone(s, 1)->nics[0].is_up);
}

static void destroy_first(void)
{
    xenfork_ctx *ctx = scene_open();

    fake->on_wait = fork_acknowledge_second;
    assert_int_equal(xenfork_clone_destroy(ctx, "src-1", 0), 0);
    xenfork_close(ctx);
}

static void test_clone_goes_meanwhile(void **state)
{
    (void)state;
    fork_two(s);
    fake->on_wait = destroy_first;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 60000),
                     XENFORK_E_TIMEOUT);
    assert_false(xenfork_clone_is_ready(xenfork_result_clone(s->result, 0)));
    assert_true(xenfork_clone_is_ready(xenfork_result_clone(s->result, 1)));
}

static void cancel(void)
{
    xenfork_cancel(s->ctx);
}

static void test_cancel(void **state)
{
    (void)state;
    fork_two(s);
    fake->on_wait = cancel;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 60000),
                     XENFORK_E_CANCELLED);
    assert_false(fork_clone(s, 0)->is_dying);
    assert_false(fork_clone(s, 0)->guest.is_watched);
}

static void test_inval(void **state)
{
    (void)state;
    fork_two(s);
    assert_int_equal(xenfork_wait_ready(s->ctx, NULL, 1), XENFORK_E_INVAL);
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 0), XENFORK_E_INVAL);
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 3600001),
                     XENFORK_E_INVAL);
}

/* The user's wishes count. */
static void test_links(void **state)
{
    (void)state;
    assert_int_equal(
        xenfork_spec_set_nic_link(s->spec, 0, XENFORK_ALL, XENFORK_LINK_HOLD),
        0);
    fork_two(s);
    assert_int_equal(xenfork_clone_set_nic_link(s->ctx, "src-2", XENFORK_ALL,
                                                XENFORK_LINK_HOLD),
                     0);
    fake->on_wait = fork_acknowledge;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_true(xenfork_nic_link(
                    xenfork_clone_nic(xenfork_result_clone(s->result, 0), 0)) !=
                XENFORK_LINK_CONNECT);
    assert_false(fork_clone(s, 1)->nics[0].is_up);
    assert_true(xenfork_clone_is_ready(xenfork_result_clone(s->result, 1)));
}

/* As the keeper does it. */
static void test_turns(void **state)
{
    const struct xenfork__ready_clone *one;
    struct xenfork__ready ready = {0};
    struct xenfork__record *n;

    (void)state;
    fork_two(s);
    n = fork_record(s, 0);
    assert_int_equal(xenfork__ready_add_all(s->ctx, &ready, n->journal), 0);
    xenfork__record_free(n);
    assert_int_equal(ready.waiting, 2);
    /* The first events of the watches. */
    assert_int_equal(xenfork__ready_turn(s->ctx, &ready, -1, 0, &one), 0);
    assert_null(one);
    assert_int_equal(xenfork__ready_turn(s->ctx, &ready, -1, 0, &one), 0);
    assert_false(ready.is_released);
    fake_ack(fork_clone(s, 1)->domid, NULL);
    assert_int_equal(xenfork__ready_turn(s->ctx, &ready, -1, 0, &one), 0);
    assert_int_equal(one->domid, fork_clone(s, 1)->domid);
    assert_int_equal(ready.waiting, 1);
    assert_true(fork_clone(s, 1)->nics[0].is_up);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_int_equal(xenfork__ready_turn(s->ctx, &ready, -1, 0, &one), 0);
    assert_true(ready.is_released);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork__ready_sweep(s->ctx, &ready), 0);
    assert_int_equal(ready.waiting, 0);
    xenfork__ready_free(s->ctx, &ready);
}

/* The bridge is gone: said, and recorded as it is. */
static void test_cannot_connect(void **state)
{
    struct xenfork__record *n;

    (void)state;
    fork_two(s);
    fork_acknowledge();
    fake_fail_function("xenfork__sys_connect", XENFORK_E_XEN, 0);
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000),
                     XENFORK_E_XEN);
    fake_disarm();
    n = fork_record(s, 0);
    assert_int_equal(n->nics[0].link, XENFORK_LINK_AUTO);
    xenfork__record_free(n);
    assert_true(xenfork_nic_link(
                    xenfork_clone_nic(xenfork_result_clone(s->result, 0), 0)) !=
                XENFORK_LINK_CONNECT);
    assert_int_equal(
        xenfork_clone_set_nic_link(s->ctx, "src-1", 0, XENFORK_LINK_CONNECT),
        0);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
}

/* As xenforkd does it, when the keeper was killed. */
static void test_due(void **state)
{
    struct xenfork__record *n;
    char *journal;
    bool due;

    (void)state;
    fork_two(s);
    assert_int_equal(
        xenfork__ready_is_due(s->ctx, fork_clone(s, 0)->domid, &due), 0);
    assert_false(due);
    fork_acknowledge();
    assert_int_equal(
        xenfork__ready_is_due(s->ctx, fork_clone(s, 0)->domid, &due), 0);
    assert_true(due);
    /* Not while the fork may yet be undone. */
    n = fork_record(s, 0);
    journal = xenfork__state_path(s->ctx, "journals", n->journal, NULL);
    assert_int_equal(xenfork__make_dir(s->ctx, journal), 0);
    assert_int_equal(
        xenfork__ready_is_due(s->ctx, fork_clone(s, 0)->domid, &due),
        XENFORK_E_BUSY);
    assert_int_equal(xenfork__ready_accept(s->ctx, fork_clone(s, 0)->domid),
                     XENFORK_E_BUSY);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_int_equal(xenfork__dir_remove(s->ctx, journal), 0);
    free(journal);
    xenfork__record_free(n);
    assert_int_equal(xenfork__ready_accept(s->ctx, fork_clone(s, 0)->domid), 0);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
    assert_false(fork_clone(s, 1)->nics[0].is_up);
    assert_int_equal(
        xenfork__ready_is_due(s->ctx, fork_clone(s, 0)->domid, &due), 0);
    assert_false(due);
    /* No clone; no domain. */
    assert_int_equal(xenfork__ready_is_due(s->ctx, s->src, &due), 0);
    assert_false(due);
    assert_int_equal(xenfork__ready_accept(s->ctx, 12345), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_wait),
        TEST(test_ack_before_wait),
        TEST(test_nic_detached),
        TEST(test_wait_in_vain),
        TEST(test_wrong_acks),
        TEST(test_wrong_acks_then_right),
        TEST(test_clone_goes_meanwhile),
        TEST(test_cancel),
        TEST(test_inval),
        TEST(test_links),
        TEST(test_turns),
        TEST(test_cannot_connect),
        TEST(test_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
