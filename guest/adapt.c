/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * There is no step for the clock: Linux takes it from the hypervisor when it
 * comes out of suspension (timekeeping_resume(), xen_read_wallclock()).
 */
#define _GNU_SOURCE

#include "adapt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dir.h"
#include "fault.h"
#include "hooks.h"
#include "identity.h"
#include "random.h"
#include "util.h"

#define ROUNDS_MAX 8

static int open_in(const char *dir, const char *name, int flags)
{
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

/*
 * Take the lock; without it the clone adapts all the same: it must not stay a
 * double.
 */
static int take_lock(const struct options *options)
{
    int fd, rc = make_dir(options->run_dir);

    if (rc < 0)
        complain("%s: %s", options->run_dir, strerror(-rc));
    fd = open_in(options->run_dir, "lock", O_RDWR | O_CREAT);
    if (fd < 0) {
        complain("%s/lock: %s; going on without", options->run_dir,
                 strerror(-fd));
        return -1;
    }
    while (flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            break;
    return fd;
}

/*
 * Tell whether the generation is in this file.  A fork copies the file, as it
 * copies all memory.
 */
static bool is_noted(const char *dir, const char *name, const char *generation)
{
    char text[sizeof(((struct instance *)0)->generation)] = "";
    int fd = open_in(dir, name, O_RDONLY);

    if (fd >= 0) {
        ssize_t r = read(fd, text, sizeof(text) - 1);

        text[r > 0 ? r : 0] = '\0';
        close(fd);
    }
    return !strcmp(text, generation);
}

static void note(const struct options *options, const char *name,
                 const char *generation)
{
    size_t bytes = strlen(generation);
    int fd = open_in(options->run_dir, name, O_WRONLY | O_CREAT | O_TRUNC);

    if (fd < 0 || write(fd, generation, bytes) != (ssize_t)bytes)
        complain("%s/%s: %s", options->run_dir, name, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static int write_synced(int dir, const char *name, const char *text)
{
    size_t bytes = strlen(text);
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write(fd, text, bytes) == (ssize_t)bytes &&
              fsync(fd) == 0;
    int rc = ok ? 0 : -errno;

    if (fd >= 0)
        close(fd);
    return rc;
}

/* Sync the file system of a folder: of what was written there, all. */
static int sync_around(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && syncfs(fd) == 0 ? 0 : -errno;

    if (fd >= 0)
        close(fd);
    return rc;
}

/*
 * Keep the generation on disk once every step succeeded: when the system starts
 * again it stays the same machine.  All that the hooks wrote is synced first,
 * so that no power cut leaves the mark without it.  A fork copies this, too,
 * but has another generation.
 */
static void keep(const struct options *options, const char *generation)
{
    int dir, rc;

    if (is_noted(options->state_dir, "generation", generation))
        return;
    rc = make_dir(options->state_dir);
    if (rc < 0)
        complain("%s: %s", options->state_dir, strerror(-rc));
    dir = open(options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    rc = dir < 0 ? -errno : sync_around(options->config_dir);
    if (rc == 0 && (rc = sync_around(options->state_dir)) == 0)
        rc = write_synced(dir, "generation.new", generation);
    if (rc == 0 && (renameat(dir, "generation.new", dir, "generation") < 0 ||
                    fsync(dir) < 0))
        rc = -errno;
    if (rc < 0)
        complain("%s/generation: %s; the next start adapts anew",
                 options->state_dir, strerror(-rc));
    if (dir >= 0)
        close(dir);
}

/*
 * Tell whether the clone has adapted; the acknowledgement outlives a restart of
 * the system.
 */
static bool is_done(struct store *store, const struct options *options,
                    const char *generation)
{
    char text[sizeof(((struct instance *)0)->generation)];

    if (is_noted(options->run_dir, "generation", generation))
        return true;
    return store_read(store, "data/fork/ack", text, sizeof(text)) == 0 &&
           !strcmp(text, generation);
}

static void reseed(struct store *store, const struct options *options,
                   const char *generation, struct fault *fault)
{
    int rc = random_reseed(store, options->random, generation);

    if (rc == 0)
        rc = store_write(store, "data/fork/reseeded", generation);
    if (rc == 0)
        return;
    complain("random numbers not reseeded: %s",
             rc == -ENOENT ? "no entropy came with this fork" : strerror(-rc));
    fault_note(fault, "reseed",
               rc == -ENOENT ? "no entropy came with this fork"
                             : strerror(-rc));
}

/* Take every step, whether or not those before it failed. */
static void take_steps(struct store *store, const struct options *options,
                       const struct instance *instance, struct fault *fault)
{
    int rc;

    reseed(store, options, instance->generation, fault);
    if (instance->param_rc < 0)
        fault_note(fault, "parameters", strerror(-instance->param_rc));
    rc = hooks_run(options, "post-fork.d", "clone", instance, fault);
    if (rc < 0) {
        complain("%s/post-fork.d: %s", options->config_dir, strerror(-rc));
        fault_note(fault, "post-fork.d", strerror(-rc));
    }
}

/* Give up: the host keeps this clone's NICs held. */
static int give_up(struct store *store, const struct options *options,
                   const char *generation, const struct fault *fault)
{
    int rc = store_write(store, "data/fork/error", fault->text);

    complain("not adapted to the fork: %s", fault->text);
    if (rc < 0)
        complain("data/fork/error: %s", strerror(-rc));
    note(options, "failed", generation);
    return rc < 0 && store->fd < 0 ? rc : -ECANCELED;
}

static int adapt_once(struct store *store, const struct options *options,
                      const struct instance *instance)
{
    struct fault fault = {""};
    int rc = store_rm(store, "data/fork/error");

    if (rc == 0)
        take_steps(store, options, instance, &fault);
    if (rc == 0 && fault.text[0])
        return give_up(store, options, instance->generation, &fault);
    if (rc == 0) {
        keep(options, instance->generation);
        rc = store_write(store, "data/fork/ack", instance->generation);
    }
    if (rc < 0) {
        complain("data/fork: %s", strerror(-rc));
        return rc;
    }
    note(options, "generation", instance->generation);
    return 0;
}

/*
 * Adapt under the lock; if the clone was forked meanwhile, it is another one by
 * now, and adapts once more.
 */
static int adapt_locked(struct store *store, const struct options *options,
                        int flags)
{
    char failed[sizeof(((struct instance *)0)->generation)] = "";
    int round;

    for (round = 0; round < ROUNDS_MAX; round++) {
        struct instance instance;
        int rc = instance_read(store, &instance);

        if (rc < 0)
            return rc;
        if (!instance_is_clone(&instance) ||
            is_done(store, options, instance.generation)) {
            instance_free(&instance);
            return 0;
        }
        if (!strcmp(failed, instance.generation) ||
            (!(flags & ADAPT_AGAIN) &&
             is_noted(options->run_dir, "failed", instance.generation))) {
            instance_free(&instance);
            return -ECANCELED;
        }
        instance.is_again = is_noted(options->state_dir, "generation",
                                     instance.generation);
        rc = adapt_once(store, options, &instance);
        if (rc == -ECANCELED)
            strcpy(failed, instance.generation);
        instance_free(&instance);
        if (rc < 0 && rc != -ECANCELED)
            return rc;
    }
    return -EAGAIN;
}

int adapt(struct store *store, const struct options *options, int flags)
{
    struct instance instance;
    int lock, rc;

    rc = instance_read_short(store, &instance);
    if (rc < 0)
        return rc;
    if (!instance_is_clone(&instance))
        return 0;
    lock = take_lock(options);
    rc = adapt_locked(store, options, flags);
    if (lock >= 0)
        close(lock);
    return rc;
}
