/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of one fork while it is made: passed from fork to image to clone.
 */
#ifndef LIBFORK_OP_JOB_H
#define LIBFORK_OP_JOB_H

#include "base/internal.h"
#include "base/spec.h"
#include "op/identity.h"
#include "op/mute.h"
#include "op/pages.h"
#include "op/reserve.h"
#include "op/result.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"

struct xenfork__job {
    xenfork_ctx *ctx;
    const xenfork_spec *spec;
    struct xenfork__dominfo info; /* of what is forked, before the fork */
    struct xenfork__config *config;
    struct xenfork__lock *lock;       /* of what is forked */
    struct xenfork__record *frozen;   /* its record; NULL: it runs */
    struct xenfork__lock *image_lock; /* of a frozen source's image */
    struct xenfork__journal *journal;
    struct xenfork__record *image;
    struct xenfork__identity *ids; /* one for each clone */
    /* A reset: the one clone as it was.  NULL: a fork */
    const struct xenfork__record *before;
    uint32_t retired; /* its old domain; NONE: it had none */
    /* All is ready for its new domain: let the old one go. */
    int (*retire)(struct xenfork__job *job);
    struct xenfork__reservation reservation;
    struct xenfork__pages pages;
    struct xenfork__mute mute;
    uint64_t asked_ns; /* when the source was asked to suspend */
    uint64_t page_ns;  /* what one takes to share */
    struct xenfork__capture *capture;
    uint64_t max_pages;         /* that the guest may own */
    struct xenfork__fast *fast; /* NULL: libxl's restore makes all clones */
    struct xenfork__making *makings; /* one for each clone: clone.h */
    const char *slow; /* why; NULL: it does not, or is not known */
    int keeper_fd;
    xenfork_result *result;
    uint64_t *ns; /* where the time goes that now passes */
    uint64_t mark_ns;
};

/* Account the time since the last mark to the stage that is left. */
void xenfork__job_account(struct xenfork__job *job);
/* Enter a stage, and account the time of the last one.  CANCELLED */
int xenfork__job_enter(struct xenfork__job *job, int stage, uint32_t clone);
/* Go on with a stage that was entered, and that another was in between. */
void xenfork__job_go_on(struct xenfork__job *job, int stage, uint32_t clone);
/*
 * Enter a stage in the stun's second half or later, where nothing is cancelled.
 */
void xenfork__job_enter_firm(struct xenfork__job *job, int stage,
                             uint32_t clone);
/* Account all of it, which began at @start_ns, in the result. */
void xenfork__job_end(struct xenfork__job *job, uint64_t start_ns);

/* Make the image of a running source: reserve to seal.  image.c */
int xenfork__image_make(struct xenfork__job *job);
/* Check that an image is whole, and load its configuration.  image-load.c */
int xenfork__image_config(xenfork_ctx *ctx, const struct xenfork__record *image,
                          const struct xenfork__dominfo *info,
                          struct xenfork__config **config_out);
/*
 * Check an image that exists, whose domain is job->info, and load what clones
 * of it need; what to reserve, too.  image-load.c
 */
int xenfork__image_load(struct xenfork__job *job);
/* Journal and make the reservation for its clones, in its name. */
int xenfork__image_claim(struct xenfork__job *job);
int xenfork__clones_announce(struct xenfork__job *job);
/* Make all clones, paused: create to attach.  clones.c */
int xenfork__clones_make(struct xenfork__job *job);
void xenfork__makings_free(struct xenfork__making *makings, uint32_t count);
/* Start the clones that should run, when all are made. */
int xenfork__clones_start(struct xenfork__job *job);

#endif
