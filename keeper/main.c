/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-keeper: started by the library for one fork, before the source is
 * touched.  When the forking process goes without a word, it undoes the
 * fork; after commit it hydrates the clones and connects those that have
 * acknowledged.  Then xenforkd goes on, if it runs; else the keeper stays until
 * the clones are gone, to remove what nobody needs any more.  The keeper of a
 * freeze stays until the thaw, and answers for the guest, which cannot.  With
 * --collapse in place of a fork it shortens the disk chains of sources that
 * clones no longer need, and ends.
 *
 * stdin: a pipe; "c" means committed, end of file without it means undo.
 * stdout: a pipe; "r" is written when it is ready.
 * Errors go to syslog.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/internal.h"
#include "daemon/log.h"
#include "daemon/pidfile.h"
#include "host/host.h"
#include "op/attend.h"
#include "op/collapse.h"
#include "op/domain.h"
#include "op/hydrate.h"
#include "op/ready.h"
#include "op/recover.h"
#include "state/files.h"
#include "state/journal.h"
#include "state/lock.h"
#include "state/record.h"

/* 256 MiB a second: quick, and no burden on the host. */
#define PAGES_PER_SECOND 65536U

/*
 * Chains of disks that become shorter are looked at this often at first, and
 * ever less: what takes longer, or fails again and again, is no hurry.
 */
#define COLLAPSE_PAUSE_MS     200U
#define COLLAPSE_MAX_PAUSE_MS 30000U
#define COLLAPSE_TURNS        512U /* some 55 minutes */
#define COLLAPSE_LOOKS        8U
#define COLLAPSE_SHIFT        64U /* turns; then another keeper may have its own */

/* For acknowledgements: xenforkd, who hears them too, is slower. */
#define HAND_OVER_MS 60000U

/*
 * Become a daemon in a session of its own: keys pressed at the fork's terminal
 * are not for us.
 */
static void become_daemon(void)
{
    pid_t pid = fork();

    if (pid < 0)
        exit(1);
    if (pid > 0)
        exit(0);
    setsid();
    pid = fork();
    if (pid < 0)
        exit(1);
    if (pid > 0)
        exit(0);
    if (chdir("/"))
        exit(1);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
}

/* Report that we are ready: from here on the forking process relies on us. */
static bool say_ready(void)
{
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    return null >= 0 && write(STDOUT_FILENO, "r", 1) == 1 &&
           dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
}

/* Tell whether the fork has been committed. */
static bool wait_for_word(void)
{
    char word;
    ssize_t n;

    do {
        n = read(STDIN_FILENO, &word, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1 && word == 'c';
}

struct alive {
    uint32_t domid;
    uint8_t uuid[16];
};

struct keeper {
    xenfork_ctx *ctx;
    struct xenfork__ready ready;
    struct alive *alive; /* clones of this fork */
    size_t count;
    bool has_own_state; /* where xenforkd does not look */
    bool is_handed_over;
    uint64_t end_ns; /* of our patience, if xenforkd runs */
};

static bool is_live(xenfork_ctx *ctx, const struct xenfork__record *clone)
{
    struct xenfork__dominfo info;

    return xenfork__record_info(ctx, clone, &info) == 0;
}

/* Hydrate a clone of this fork, unless it is gone; is it alive? */
static bool keep_one(xenfork_ctx *ctx, struct xenfork__record *clone)
{
    xenfork__clone_release(ctx, clone);
    if (!is_live(ctx, clone))
        return false;
    if (xenfork__wants_hydration(clone))
        xenfork__hydrate(ctx, clone, PAGES_PER_SECOND);
    return is_live(ctx, clone);
}

/* Hydrate the clones of this fork, and remember those that are alive. */
static void keep_each(struct keeper *keeper, const char *journal)
{
    cleanup_records struct xenfork__records clones = {0};
    size_t i;

    keeper->count = 0;
    if (xenfork__records_load(keeper->ctx, XENFORK_KIND_CLONE, &clones) < 0)
        return;
    free(keeper->alive);
    keeper->alive = calloc(clones.count + 1, sizeof(*keeper->alive));
    for (i = 0; i < clones.count && keeper->alive; i++) {
        struct xenfork__record *clone = clones.records[i];
        struct alive *alive = &keeper->alive[keeper->count];

        if (strcmp(clone->journal, journal) || !keep_one(keeper->ctx, clone))
            continue;
        alive->domid = clone->domid;
        memcpy(alive->uuid, clone->uuid, sizeof(alive->uuid));
        keeper->count++;
    }
    xenfork__hydrate_forget(keeper->ctx);
}

/*
 * Tell whether a domain that is gone was one of ours; Xen knows, so no record
 * need be read.
 */
static bool has_lost_one(const struct keeper *keeper)
{
    struct xenfork__dominfo info;
    size_t i;

    for (i = 0; i < keeper->count; i++)
        if (xenfork__xen_info(keeper->ctx, keeper->alive[i].domid, &info) < 0 ||
            info.is_dying ||
            memcmp(info.uuid, keeper->alive[i].uuid, sizeof(info.uuid)))
            return true;
    return false;
}

/*
 * Serve clones that acknowledge while others are hydrated, which takes its
 * time.
 */
static void serve_ready(void *opaque, int stage, uint32_t index, uint64_t done,
                        uint64_t total)
{
    struct keeper *keeper = opaque;
    const struct xenfork__ready_clone *clone;

    (void)stage;
    (void)index;
    (void)done;
    (void)total;
    if (keeper->ready.waiting)
        xenfork__ready_turn(keeper->ctx, &keeper->ready, -1, 0, &clone);
}

/* Return how long to wait for an event: 0: xenforkd goes on, -1: for ever. */
static int patience_ms(const struct keeper *keeper)
{
    uint64_t now_ns = xenfork__now_ns();

    if (keeper->has_own_state || !instance_is_running(XENFORK_PID_FILE))
        return -1;
    if (!keeper->ready.waiting || now_ns >= keeper->end_ns)
        return 0;
    return (int)((keeper->end_ns - now_ns) / 1000000U) + 1;
}

/*
 * Wait until a domain may be gone.  A failure to connect a clone does not end
 * us.
 */
static bool wait_release(struct keeper *keeper)
{
    const struct xenfork__ready_clone *clone;
    struct xenfork__ready *ready = &keeper->ready;

    while (!ready->is_released) {
        size_t before = ready->waiting;
        int ms = patience_ms(keeper);

        keeper->is_handed_over = !ms;
        if (!ms ||
            (xenfork__ready_turn(keeper->ctx, ready, -1, ms, &clone) < 0 &&
             ready->waiting == before))
            return false;
    }
    ready->is_released = false;
    return xenfork__ready_sweep(keeper->ctx, ready) == 0;
}

/* Find the source of this fork; false: there is none, as after a freeze. */
static bool read_source(xenfork_ctx *ctx, const char *journal,
                        uint8_t uuid_out[16])
{
    cleanup_records struct xenfork__records clones = {0};
    size_t i;

    if (xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones) < 0)
        return false;
    for (i = 0; i < clones.count; i++) {
        cleanup_record struct xenfork__record *image = NULL;

        if (strcmp(clones.records[i]->journal, journal) ||
            xenfork__record_load(ctx, XENFORK_KIND_IMAGE,
                                 clones.records[i]->parent, &image) < 0)
            continue;
        memcpy(uuid_out, image->parent, sizeof(image->parent));
        return true;
    }
    return false;
}

/*
 * Shorten chains once; a program that a killed keeper has left running has the
 * lock, too.
 */
static int collapse_once(xenfork_ctx *ctx, const uint8_t *source,
                         const struct xenfork__lock *lock, bool *again_out)
{
    int rc;

    ctx->guard_fd = xenfork__lock_fd(lock);
    rc = source ? xenfork__collapse(ctx, source, again_out)
                : xenfork__collapse_all(ctx, again_out);
    ctx->guard_fd = -1;
    return rc;
}

/* Return the pause before the next turn; it doubles after each shift. */
static int turn_pause_ms(uint32_t turn)
{
    uint32_t doubled = COLLAPSE_PAUSE_MS << (turn / COLLAPSE_SHIFT);

    return (int)(doubled < COLLAPSE_MAX_PAUSE_MS ? doubled
                                                 : COLLAPSE_MAX_PAUSE_MS);
}

/*
 * Shorten the chains of one source, or of all.  Clones that acknowledge
 * meanwhile do not wait.
 */
static int collapse_turns(struct keeper *keeper, const uint8_t *source,
                          uint32_t *turn)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    const struct xenfork__ready_clone *clone;
    bool again = true;
    int rc = 0;

    for (; *turn <= COLLAPSE_TURNS && again && rc >= 0; ++*turn) {
        if (lock ||
            (rc = xenfork__lock_take(keeper->ctx, XENFORK__COLLAPSE_LOCK, false,
                                     &lock)) == 0)
            rc = collapse_once(keeper->ctx, source, lock, &again);
        if (rc == XENFORK_E_BUSY)
            rc = 0;
        if (*turn % COLLAPSE_SHIFT == 0)
            xenfork__lock_drop(steal_ptr(lock));
        if (again && rc == 0)
            xenfork__ready_turn(keeper->ctx, &keeper->ready, -1,
                                turn_pause_ms(*turn), &clone);
    }
    return rc;
}

/*
 * Shorten chains, one keeper at a time: several at once would starve forks of
 * the source's lock.  A process that wanted a keeper while we had the lock has
 * started none: so we look again after releasing it, but only a few times,
 * because the work may stay due.
 */
static void collapse(struct keeper *keeper, const uint8_t *source)
{
    const struct xenfork__ready_clone *clone;
    uint32_t look, turn = 1;
    bool is_due = true;

    for (look = 0; is_due && look < COLLAPSE_LOOKS; look++) {
        if (look)
            xenfork__ready_turn(keeper->ctx, &keeper->ready, -1,
                                COLLAPSE_PAUSE_MS, &clone);
        if (collapse_turns(keeper, source, &turn) < 0 ||
            xenfork__collapse_is_due(keeper->ctx, &is_due) < 0)
            return;
        source = NULL;
    }
}

static void collapse_only(xenfork_ctx *ctx)
{
    struct keeper keeper = {.ctx = ctx};

    collapse(&keeper, NULL);
    xenfork__ready_free(ctx, &keeper.ready);
}

/*
 * Serve the clones.  When the lock is released, xenforkd may hydrate what could
 * not be hydrated here.
 */
static void keep_clones(xenfork_ctx *ctx, const char *journal,
                        bool has_own_state, struct xenfork__lock *lock)
{
    struct keeper keeper = {.ctx = ctx, .has_own_state = has_own_state};
    uint8_t source[16];
    bool has_source = read_source(ctx, journal, source);

    if (xenfork__ready_add_all(ctx, &keeper.ready, journal) == 0)
        xenfork_set_progress(ctx, serve_ready, &keeper);
    keep_each(&keeper, journal);
    xenfork__lock_drop(lock);
    if (has_source)
        collapse(&keeper, source);
    keeper.end_ns = xenfork__now_ns() + HAND_OVER_MS * 1000000ULL;
    while (keeper.count && wait_release(&keeper))
        if (has_lost_one(&keeper))
            keep_each(&keeper, journal);
    xenfork_set_progress(ctx, NULL, NULL);
    if (!keeper.is_handed_over) {
        xenfork__attend(ctx, journal, false);
        if (xenfork__recover_others(ctx) == 0)
            collapse(&keeper, NULL);
    }
    xenfork__ready_free(ctx, &keeper.ready);
    free(keeper.alive);
}

int main(int argc, char **argv)
{
    struct xenfork__lock *lock = NULL;
    xenfork_ctx *ctx;
    const char *journal = argv[argc - 1];

    if (argc != 2 && !(argc == 4 && !strcmp(argv[1], "--state-dir"))) {
        fprintf(stderr, "usage: xenfork-keeper [--state-dir DIR] "
                        "FORK|" XENFORK__KEEPER_COLLAPSE "\n");
        return 2;
    }
    become_daemon();
    close_range(STDERR_FILENO + 1, ~0U, 0);
    log_open("xenfork-keeper", true);
    log_set_level(LOG_LEVEL_WARNING);
    if (xenfork_open(&ctx, log_xen_logger(), 0) < 0)
        return 1;
    if (argc == 4 && xenfork__set_state_dir(ctx, argv[2]) < 0)
        return 1;
    if (!strcmp(journal, XENFORK__KEEPER_COLLAPSE)) {
        if (say_ready())
            collapse_only(ctx);
        xenfork_close(ctx);
        return 0;
    }
    if (xenfork__hydrate_lock(ctx, journal, false, &lock) < 0 || !say_ready())
        return 1;
    if (wait_for_word()) {
        keep_clones(ctx, journal, argc == 4, lock);
    } else {
        xenfork__journal_recover(ctx, journal, true);
        xenfork__lock_drop(lock);
        xenfork__recover(ctx);
    }
    xenfork_close(ctx);
    return 0;
}
