/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * State that the daemon keeps of each domain.  A guest can set one flag.  The
 * daemon decides when, and how often, it looks: in turn, and by tokens that
 * come back slowly.
 */
#ifndef DAEMON_GUESTS_H
#define DAEMON_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUESTS_NEVER UINT64_MAX

struct guest {
    uint32_t domid;
    bool is_present;    /* in the last list of domains */
    bool is_requesting; /* its key may have changed */
    bool is_looked;     /* at, at looked_ms */
    uint64_t looked_ms;
    uint32_t events; /* of it, since events_ms */
    uint64_t events_ms;
    bool is_muted; /* not watched, until muted_ms */
    uint64_t muted_ms;
    bool is_freezing; /* a worker is at it */
    bool has_failed;  /* its last freeze did */
    uint32_t tokens;
    uint64_t refilled_ms; /* when the last token came */
    bool is_noted;        /* a line was logged at noted_ms */
    uint64_t noted_ms;
    bool is_acking; /* may have acknowledged; looked at at ack_ms */
    uint64_t ack_ms;
    uint32_t ack_looks;    /* that were in vain */
    uint32_t ack_attempts; /* to see to it, that failed */
    bool is_connecting;    /* a worker is at it */
    bool is_holding;       /* its NICs may have to be held, at hold_ms */
    uint64_t hold_ms, hold_end_ms;
    bool is_shutdown; /* and not merely suspended, or paused */
    bool is_suspended;
    int reason;          /* of that */
    bool is_heard;       /* what it is asked is known from here on */
    bool has_spoken;     /* the watch of its control/shutdown, at first */
    bool has_key;        /* there is one */
    uint64_t made_ms;    /* it has been made by then */
    bool is_running;     /* it was seen so since */
    uint64_t leaving_ms; /* it may be on its way to elsewhere, until then */
    bool is_applied;     /* its policy was, since it shut down */
    bool is_applying;    /* a worker is at it */
    bool is_repeating;   /* it was tried, and is to be tried again */
    uint32_t attempts;   /* to apply it, that failed */
    uint64_t retry_ms;   /* not before */
    bool is_clone;       /* and is described below */
    bool is_hydrated;
    uint32_t priority;
    uint64_t pages;
    bool is_paused;      /* by us, as the host has little memory */
    bool is_asked;       /* to give memory back */
    bool is_spared;      /* its user has unpaused it then */
    const char *unnoted; /* XENFORK__SHORT_*, of that; NULL: it is noted */
    bool is_locked;      /* another operation is on it, in this look */
    bool is_known;   /* it was looked at for what the last daemon has done */
    bool is_unheard; /* it could not be given a ring, which was logged */
    bool is_waiting; /* it finds no memory, since ... */
    uint64_t waiting_ms;
};

struct guests {
    struct guest **all;
    size_t count;
    size_t turn; /* who is served next */
    uint32_t burst;
    uint64_t interval_ms; /* for a token to come back */
};

void guests_init(struct guests *guests, uint32_t burst, uint64_t interval_ms);
void guests_free(struct guests *guests);
struct guest *guests_find(const struct guests *guests, uint32_t domid);
/* Add a guest.  NULL: out of memory. */
struct guest *guests_add(struct guests *guests, uint32_t domid,
                         uint64_t now_ms);
void guests_remove(struct guests *guests, uint32_t domid);

/*
 * Return the next guest in turn that asks and may be served; NULL: none.
 * may_failed: guests whose last attempt failed may be served, too.
 */
struct guest *guests_next(struct guests *guests, uint64_t now_ms,
                          bool may_failed);
/*
 * Charge a guest for a look at its key.  A request, or a value without meaning,
 * costs a token; a failed freeze costs all of them.
 */
void guests_charge(struct guests *guests, struct guest *guest, uint64_t now_ms);
void guests_result(struct guest *guest, bool is_failed, uint64_t now_ms);
/* Return when guests_next() may find a guest that it does not find now. */
uint64_t guests_wake_ms(const struct guests *guests, uint64_t now_ms);
/*
 * Count a write of the guest.  True: it writes too often; the caller mutes it,
 * because each event from xenstored costs everybody.
 */
bool guests_is_noisy(struct guest *guest, uint64_t now_ms);
/* Tell whether a line may be logged about the guest: once a minute. */
bool guests_may_note(struct guest *guest, uint64_t now_ms);

#endif
