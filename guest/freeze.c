/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenfork-agent freeze: fork(2) for a whole system. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "adapt.h"
#include "commands.h"
#include "dir.h"
#include "hooks.h"
#include "identity.h"
#include "util.h"

#define REQUEST "data/fork/freeze"

static volatile sig_atomic_t is_interrupted;

static void on_signal(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

/* Block signals: only store_wait() lets them in, so that none is missed. */
static void hold_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* Lock out other freezes: the hooks of two would disturb each other. */
static int lock_freeze(const struct options *options)
{
    char path[PATH_MAX];
    int fd, rc = make_dir(options->run_dir);

    if (rc < 0)
        return rc;
    if (snprintf(path, sizeof(path), "%s/freeze.lock", options->run_dir) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* Tell whether the request is still there; in a clone there never was one. */
static int is_requested(struct store *store)
{
    char value[16];
    int rc = store_read(store, REQUEST, value, sizeof(value));

    if (rc == 0)
        return !strcmp(value, "1");
    if (rc == -ENOENT || rc == -EMSGSIZE)
        return 0;
    return rc;
}

/*
 * Wait until the toolstack has answered, which is after the thaw, or in a
 * clone.  The time counts only while the guest is not frozen.
 */
static int await_answer(struct store *store, unsigned int timeout_s)
{
    long long deadline = now_ms() + (long long)timeout_s * 1000;

    for (;;) {
        long long left_ms = deadline - now_ms();
        int rc = is_requested(store);

        if (rc <= 0)
            return rc;
        if (is_interrupted)
            return -EINTR;
        if (timeout_s > 0 && left_ms <= 0)
            return -ETIMEDOUT;
        rc = store_wait(store, timeout_s > 0 ? (int)left_ms : -1);
        if (rc < 0 && rc != -EINTR)
            return rc;
    }
}

static int ask_and_wait(struct store *store, const struct options *options)
{
    int rc = store_watch(store, REQUEST);

    if (rc == 0)
        rc = store_write(store, REQUEST, "1");
    if (rc == 0)
        rc = await_answer(store, options->timeout_s);
    if (rc < 0 && store->fd >= 0)
        store_write(store, REQUEST, "0"); /* withdrawn */
    return rc;
}

/*
 * Tell whether this is a new clone: a clone that is frozen itself keeps its
 * role, but a clone of it is new.
 */
static bool is_new_clone(struct store *store, const struct instance *before)
{
    struct instance now;

    return instance_read_short(store, &now) == 0 && instance_is_clone(&now) &&
           strcmp(now.generation, before->generation) != 0;
}

/*
 * Run hooks even if xenstore cannot be read: what one hook has stopped, another
 * must start.
 */
static int run_hooks(struct store *store, const struct options *options,
                     const char *directory)
{
    struct instance instance;
    int rc;

    if (instance_read(store, &instance) < 0)
        instance = (struct instance){0};
    rc = hooks_run(options, directory, "source", &instance, NULL);
    instance_free(&instance);
    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        complain("%s: %s", directory, strerror(-rc));
    return rc;
}

/* Read the toolstack's error when it could not freeze the domain. */
static int refusal(struct store *store)
{
    char reason[512];
    int rc = store_read(store, "fork/error", reason, sizeof(reason));

    if (rc == -ENOENT)
        return 0;
    if (rc < 0)
        return rc;
    for (char *at = reason; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    complain("not frozen: %s", reason);
    return -EPERM;
}

static int in_clone(struct store *store, const struct options *options)
{
    int rc = adapt(store, options, 0);

    if (rc < 0 && rc != -ECANCELED)
        complain("cannot adapt to the fork: %s", strerror(-rc));
    puts("clone");
    return AGENT_CLONE;
}

static int in_source(struct store *store, const struct options *options, int rc)
{
    if (rc == -ECANCELED)
        complain("not frozen: a hook of pre-freeze.d failed");
    else if (rc == -ETIMEDOUT)
        complain("not frozen within %u s; does the host run xenforkd?",
                 options->timeout_s);
    else if (rc < 0)
        complain("not frozen: %s", strerror(-rc));
    else
        rc = refusal(store);
    run_hooks(store, options, "post-thaw.d");
    if (rc < 0)
        return AGENT_FAILED;
    puts("source");
    return AGENT_DONE;
}

static int freeze_locked(struct store *store, const struct options *options)
{
    struct instance before;
    int rc = instance_read_short(store, &before);

    if (rc < 0) {
        complain("cannot read fork/generation: %s", strerror(-rc));
        return AGENT_FAILED;
    }
    hold_signals();
    if (run_hooks(store, options, "pre-freeze.d") != 0)
        return in_source(store, options, -ECANCELED);
    rc = ask_and_wait(store, options);
    if (is_new_clone(store, &before))
        return in_clone(store, options);
    return in_source(store, options, rc);
}

int run_freeze(struct store *store, const struct options *options)
{
    int lock = lock_freeze(options);
    int status;

    if (lock == -EWOULDBLOCK) {
        complain("another freeze is under way");
        return AGENT_FAILED;
    }
    if (lock < 0) {
        complain("%s: %s", options->run_dir, strerror(-lock));
        return AGENT_FAILED;
    }
    status = freeze_locked(store, options);
    close(lock);
    return status;
}
