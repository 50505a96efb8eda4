/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ready.c, nic.c: the sweeps. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "op/ready.h"
#include "../lib/scene.h"
#include "../lib/sweep.h"

static uint32_t source(void)
{
    return fake_domain_named("src")->domid;
}

static uint32_t clone_domid(void)
{
    return fake_domain_named("src-1")->domid;
}

/* A clone that has acknowledged; its keeper comes to see. */
static void prepare_acked(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, 0), 0);
    fake_ack(clone_domid(), NULL);
}

static int accept_ack(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    const struct xenfork__ready_clone *clone;
    struct xenfork__ready ready = {0};
    struct xenfork__record *record;
    int rc = xenfork__record_load(ctx, XENFORK_KIND_CLONE,
                                  fake_domain(clone_domid())->uuid, &record);

    (void)opaque;
    assert_int_equal(rc, 0);
    rc = xenfork__ready_add_all(ctx, &ready, record->journal);
    if (rc == 0 && ready.waiting)
        rc = xenfork__ready_turn(ctx, &ready, -1, 0, &clone);
    xenfork__ready_free(ctx, &ready);
    xenfork__record_free(record);
    return sweep_end(ctx, rc);
}

/* As xenforkd does it, when the keeper was killed. */
static int accept_due(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork__ready_accept(ctx, clone_domid()));
}

static bool is_accepted(void)
{
    const struct fake_domain *d = fake_domain(clone_domid());
    xenfork_ctx *ctx = scene_open();
    xenfork_list *list;
    bool ok;

    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    ok = xenfork_entry_is_ready(xenfork_list_entry(list, 1)) &&
         xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, 1), 0)) ==
             XENFORK_LINK_CONNECT;
    xenfork_list_free(list);
    xenfork_close(ctx);
    return ok && d->nics[0].is_up && !d->guest.entropy[0];
}

static void prepare_clone(void)
{
    fake_add_guest("src");
    assert_int_equal(scene_fork(source(), 1, 0), 0);
}

static int connect_nic(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(
        ctx, xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_CONNECT));
}

static bool is_connected(void)
{
    return fake_domain(clone_domid())->nics[0].is_up;
}

static int move_nic(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx,
                     xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"));
}

static bool is_moved(void)
{
    const struct fake_nic *nic = &fake_domain(clone_domid())->nics[0];

    return !strcmp(nic->bridge, "xenbr1") && !nic->is_up;
}

static const struct sweep sweeps[] = {
    {"ack", SWEEP_REPEATS, prepare_acked, accept_ack, is_accepted, 0},
    {"connect", SWEEP_REPEATS, prepare_clone, connect_nic, is_connected, 0},
    {"move", SWEEP_REPEATS, prepare_clone, move_nic, is_moved, 0},
    {"due", SWEEP_REPEATS, prepare_acked, accept_due, is_accepted, 0},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        SWEEPS(0),
        SWEEPS(1),
        SWEEPS(2),
        SWEEPS(3),
    };

    return cmocka_run_group_tests(tests, NULL, sweep_group_teardown);
}
