/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations for every file of the library: the context, errors, logging. */
#ifndef LIBFORK_BASE_INTERNAL_H
#define LIBFORK_BASE_INTERNAL_H

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <xentoollog.h>

#include "base/cleanup.h"
#include "xenfork.h"

#define XENFORK_API   __attribute__((visibility("default")))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define XENFORK__PAGE_SIZE      4096U
#define XENFORK__PAGE_KIB       4U
#define XENFORK__TEXT_BYTES     512U
#define XENFORK__DISK_IS        96U /* what a disk is, in words: host/host.h */
#define XENFORK__MAX_TIMEOUT_MS 3600000U

struct xenfork__error {
    int code, stage, errnoval;
    uint32_t domid;
    bool is_question; /* see xenfork__question() */
    char text[XENFORK__TEXT_BYTES];
    char remedy[XENFORK__TEXT_BYTES];
};

struct xenfork_ctx {
    xentoollog_logger *logger; /* the caller's; NULL: none */
    struct xenfork__xen *xen;  /* handles, known to xen/ alone */
    struct xenfork__qmp *qmp;  /* known to host/qmp.c alone; NULL: none */
    char *state_dir;
    char boot[37]; /* of the host, a UUID: what domids are of */
    int guard_fd;  /* a lock for what we run: the journal's; -1: none */
    ino_t keeper;  /* the last pipe to a keeper; 0: none */
    unsigned int lock_soon_ms; /* 0: as long as lock.c says; a test has less */
    unsigned int registry_ms;  /* likewise */
    unsigned int
        last_ns; /* of op/precopy.c; 0: what it says; a test has less */
    volatile sig_atomic_t is_cancelled;
    bool is_firm; /* what has begun is completed, or undone, all the same */
    xenfork_progress_fn *progress;
    void *progress_opaque;
    int stage;      /* where we are, for errors */
    uint32_t domid; /* what we are about, for errors */
    struct xenfork__error error;
    uint64_t *agreed; /* digests of questions: xenfork_agree() */
    uint32_t agreed_count;
    bool has_agreed; /* since the last call */
    uint64_t counters[XENFORK_COUNTS];
    struct xenfork__later *later; /* of state/later.c; NULL: sync at once */
    struct xenfork__found *found; /* of op/hydrate.c; NULL: none */
    bool is_batch;                /* xenfork_batch_begin() */
    struct xenfork__records *named; /* clones in a batch, of op/named.c */
    bool has_recovered;           /* in this batch */
    bool is_sweep_due;            /* at its end */
    bool has_said_scripts; /* of hotplug scripts that hotplug.c does not know */
};

/*
 * Begin a context without handles: it runs nothing under a lock, and is about
 * no domain.  It keeps @state_dir.
 */
static inline void xenfork__ctx_begin(xenfork_ctx *ctx, char *state_dir)
{
    *ctx = (xenfork_ctx){.state_dir = state_dir,
                         .guard_fd = -1,
                         .domid = XENFORK_DOMID_NONE,
                         .error.domid = XENFORK_DOMID_NONE};
}

/* Tell whether to stop: the caller wishes it, and it is not too late. */
static inline bool xenfork__is_cancelled(const xenfork_ctx *ctx)
{
    return ctx->is_cancelled && !ctx->is_firm;
}

/*
 * Make an error: log it once, store it in the context, return its code.
 * @errnoval: 0 when there is none.  It makes NOSPC of a DISK or STATE, and
 * EXISTS and IO of a DISK, too.
 */
int xenfork__fail(xenfork_ctx *ctx, int code, int errnoval, const char *fmt,
                  ...) __attribute__((format(printf, 4, 5)));
/* Make an error that the caller may expect: store it, and do not log it. */
int xenfork__miss(xenfork_ctx *ctx, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Make the error that a disk cannot be forked, and why.  DISK, not logged */
int xenfork__miss_disk(xenfork_ctx *ctx, const char *vdev, const char *path,
                       const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Say what the user can do about the error just made; returns its code. */
int xenfork__remedy(xenfork_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int xenfork__nomem(xenfork_ctx *ctx);
/* Forget the error. */
void xenfork__clear_error(xenfork_ctx *ctx);
/*
 * Make the error just made a question, and return its code; 0, without an
 * error, when the caller has agreed to this very text.
 */
int xenfork__question(xenfork_ctx *ctx);

/*
 * The error that is kept while something else is tried: at the end of the block
 * it is the context's again.
 *     keep_error struct xenfork__kept kept = xenfork__keep(ctx);
 */
struct xenfork__kept {
    xenfork_ctx *ctx;
    struct xenfork__error error;
};
static inline struct xenfork__kept xenfork__keep(xenfork_ctx *ctx)
{
    return (struct xenfork__kept){.ctx = ctx, .error = ctx->error};
}
static inline void xenfork__put_back(const struct xenfork__kept *kept)
{
    kept->ctx->error = kept->error;
}
#define keep_error __attribute__((cleanup(xenfork__put_back)))

void xenfork__log(xenfork_ctx *ctx, xentoollog_level level, const char *fmt,
                  ...) __attribute__((format(printf, 3, 4)));

#define LOG_WARN(ctx, ...)  xenfork__log(ctx, XTL_WARN, __VA_ARGS__)
#define LOG_INFO(ctx, ...)  xenfork__log(ctx, XTL_INFO, __VA_ARGS__)
#define LOG_DEBUG(ctx, ...) xenfork__log(ctx, XTL_DEBUG, __VA_ARGS__)

/* Begin an operation of the public interface, on this domain. */
void xenfork__begin(xenfork_ctx *ctx, uint32_t domid);

#if ENABLE_TEST_HOOKS
void xenfork__test_hook(xenfork_ctx *ctx, int stage);
#else
static inline void xenfork__test_hook(xenfork_ctx *ctx, int stage)
{
    (void)ctx;
    (void)stage;
}
#endif

/* Enter a stage: for errors and progress; CANCELLED if asked to stop. */
int xenfork__enter(xenfork_ctx *ctx, int stage, uint32_t clone, uint64_t total);
/* Report progress where stopping is no longer possible. */
void xenfork__enter_firm(xenfork_ctx *ctx, int stage, uint32_t clone);
void xenfork__progress(xenfork_ctx *ctx, uint32_t clone, uint64_t done,
                       uint64_t total);

static inline uint64_t xenfork__now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Sleep; a signal ends it early: who waits looks again. */
static inline void xenfork__sleep_ns(uint64_t ns)
{
    const struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000U),
                                   .tv_nsec = (long)(ns % 1000000000U)};

    nanosleep(&pause, NULL);
}

/*
 * Sleep until due_ns, but a fifth of a second at most: who waits looks between
 * whether it is still wanted.  Return false when due_ns has come.
 */
static inline bool xenfork__sleep_towards(uint64_t due_ns)
{
    const uint64_t most_ns = 200000000U;
    uint64_t now_ns = xenfork__now_ns();

    if (now_ns >= due_ns)
        return false;
    xenfork__sleep_ns(due_ns - now_ns < most_ns ? due_ns - now_ns : most_ns);
    return true;
}

static inline void xenfork__count(xenfork_ctx *ctx, int counter, uint64_t n)
{
    ctx->counters[counter] += n;
}

#endif
