/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ack.h"

#include "op/ready.h"

#define GRACE_MS 2000U  /* for the keeper, who is quicker */
#define RETRY_MS 60000U /* after a worker failed */
#define LOOKS    64U    /* then a guest is not listened to, as in ready.c */
#define ATTEMPTS 5U

/* Plan one look for all that comes until then, and at most LOOKS looks. */
static void expect_at(struct guest *guest, uint64_t ms)
{
    if (guest->is_acking || guest->ack_looks >= LOOKS ||
        guest->ack_attempts >= ATTEMPTS)
        return;
    guest->is_acking = true;
    guest->ack_ms = ms;
}

void ack_expect(struct guest *guest, uint64_t now_ms)
{
    expect_at(guest, now_ms + GRACE_MS);
}

static void start_connect(struct daemon *daemon, struct guest *guest,
                          uint64_t now_ms)
{
    if (workers_start_domain(&daemon->workers, WORKER_ACK, guest->domid,
                             now_ms) == 0)
        guest->is_connecting = true;
    else
        expect_at(guest, now_ms + RETRY_MS);
}

void ack_look(struct daemon *daemon, struct guest *guest, uint64_t now_ms)
{
    bool is_due = false;
    int rc;

    if (!guest->is_acking || guest->is_connecting || guest->ack_ms > now_ms ||
        !workers_has_room(&daemon->workers, WORKER_ACK))
        return;
    guest->is_acking = false;
    rc = xenfork__ready_is_due(daemon->ctx, guest->domid, &is_due);
    if (is_due) {
        start_connect(daemon, guest, now_ms);
        return;
    }
    /* The fork is still under way: that is not the guest's fault. */
    guest->ack_looks += rc != XENFORK_E_BUSY;
    if (rc < 0)
        expect_at(guest, now_ms + GRACE_MS);
}

void ack_ended(struct guest *guest, int status, uint64_t now_ms)
{
    guest->is_connecting = false;
    if (!status)
        return;
    guest->ack_attempts++;
    /* Sooner, if it has written meanwhile. */
    expect_at(guest, now_ms + RETRY_MS);
}

uint64_t ack_wake_ms(const struct guests *guests)
{
    uint64_t wake_ms = SERVE_NEVER;
    size_t i;

    for (i = 0; i < guests->count; i++) {
        const struct guest *guest = guests->all[i];

        if (guest->is_acking && !guest->is_connecting &&
            guest->ack_ms < wake_ms)
            wake_ms = guest->ack_ms;
    }
    return wake_ms;
}
