/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stateful fake of xen/events.h, beside that of Xen: it stands in place of
 * xen/events.c.  Its state lies in a shared mapping, as the other's.
 */
#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake-xen.h"
#include "xen/events.h"

#define FAKE_REQUEST_BYTES 4096U

struct fake_host_domain {
    uint32_t domid; /* 0: unused */
    bool is_watched;
    uint32_t events;                  /* XENFORK__EVENT_* */
    uint32_t told;                    /* events that were taken */
    char request[FAKE_REQUEST_BYTES]; /* data/fork/freeze; "": none */
    int asked;                        /* XENFORK__ASKED_*: control/shutdown */
    uint32_t reads;                   /* of it */
    int actions[XENFORK__SHUTDOWNS];
    char mark[16];
    bool is_foreign;
    uint32_t dumps, soft_resets;
};

struct fake_host {
    bool has_domain_event;
    bool watcher_survives;
    char system_state[32]; /* what systemctl says; "": it fails */
    uint32_t listings; /* of all domains */
    uint32_t listeners;    /* to rings, that there have been */
    bool is_low;           /* Xen says that memory is low */
    struct fake_host_domain domains[FAKE_DOMAINS];
};

extern struct fake_host *fake_host;

/* After fake_setup(), scene_source() and the like. */
void fake_host_setup(void);
void fake_host_teardown(void);
/* Made when first asked for, with the actions of xl's manual. */
struct fake_host_domain *fake_host_domain(uint32_t domid);
/* The guest writes data/fork/freeze. */
void fake_request(uint32_t domid, const char *text);
/* The guest writes data/fork/ack; NULL: the generation that it was given. */
void fake_host_ack(uint32_t domid, const char *text);
/* control/shutdown is written: XENFORK__ASKED_* */
void fake_asked(uint32_t domid, int asked);
/* It shuts down by itself; XENFORK__SHUTDOWN_* */
void fake_shut_down(uint32_t domid, int reason);

#endif
