/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * There is no step for the clock: Linux takes it from the hypervisor when it
 * comes out of suspension (timekeeping_resume(), xen_read_wallclock()).
 */
#include "adapt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks.h"
#include "instance.h"
#include "random.h"

#define ROUNDS_MAX 8

static int open_in_run(const struct options *options, const char *name,
                       int flags)
{
    char path[PATH_MAX];
    int fd;

    if (snprintf(path, sizeof(path), "%s/%s", options->run_dir, name) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    fd = open(path, flags | O_CLOEXEC, 0600);
    return fd < 0 ? -errno : fd;
}

/* Without the lock rather than not at all: a clone must not stay a double. */
static int take_lock(const struct options *options)
{
    int fd;

    if (mkdir(options->run_dir, 0755) < 0 && errno != EEXIST)
        complain("%s: %s", options->run_dir, strerror(errno));
    fd = open_in_run(options, "lock", O_RDWR | O_CREAT);
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
 * The file is copied by a fork, as all memory is: it counts only where the
 * generation that it names is still that of the domain.  The acknowledgement
 * is there after a restart of the system, too.
 */
static bool is_done(struct store *store, const struct options *options,
                    const char *generation)
{
    char text[sizeof(((struct instance *)0)->generation)] = "";
    int fd = open_in_run(options, "generation", O_RDONLY);

    if (fd >= 0) {
        ssize_t r = read(fd, text, sizeof(text) - 1);

        text[r > 0 ? r : 0] = '\0';
        close(fd);
    }
    if (!strcmp(text, generation))
        return true;
    return store_read(store, "data/fork/ack", text, sizeof(text)) == 0 &&
           !strcmp(text, generation);
}

static void remember(const struct options *options, const char *generation)
{
    size_t bytes = strlen(generation);
    int fd = open_in_run(options, "generation", O_WRONLY | O_CREAT | O_TRUNC);

    if (fd < 0 || write(fd, generation, bytes) != (ssize_t)bytes)
        complain("%s/generation: %s", options->run_dir, strerror(errno));
    if (fd >= 0)
        close(fd);
}

static void reseed(struct store *store, const struct options *options,
                   const char *generation)
{
    int rc = random_reseed(store, options->random, generation);

    if (rc == -ENOENT)
        complain("no entropy came with this fork; random numbers rest on what "
                 "the generation adds");
    else if (rc < 0)
        complain("random numbers not reseeded: %s", strerror(-rc));
}

static int adapt_once(struct store *store, const struct options *options,
                      const struct instance *instance)
{
    int rc;

    reseed(store, options, instance->generation);
    rc = hooks_run(options, "post-fork.d", "clone", instance);
    if (rc < 0)
        complain("%s/post-fork.d: %s", options->config_dir, strerror(-rc));
    rc = store_write(store, "data/fork/ack", instance->generation);
    if (rc < 0) {
        complain("data/fork/ack: %s", strerror(-rc));
        return rc;
    }
    remember(options, instance->generation);
    return 0;
}

/* Forked while adapting, this is another clone by now: once more, then. */
static int adapt_locked(struct store *store, const struct options *options)
{
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
        rc = adapt_once(store, options, &instance);
        instance_free(&instance);
        if (rc < 0)
            return rc;
    }
    return -EAGAIN;
}

int adapt(struct store *store, const struct options *options)
{
    struct instance instance;
    int lock, rc;

    rc = instance_read_short(store, &instance);
    if (rc < 0)
        return rc;
    if (!instance_is_clone(&instance))
        return 0;
    lock = take_lock(options);
    rc = adapt_locked(store, options);
    if (lock >= 0)
        close(lock);
    return rc;
}
