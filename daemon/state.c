/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "state.h"

#include <string.h>
#include <sys/inotify.h>

#include "op/domain.h"
#include "op/frozen.h"
#include "state/files.h"
#include "state/record.h"
#include "state/restart.h"

int state_restarts(xenfork_ctx *ctx, state_found_fn *found, void *opaque)
{
    char **names;
    size_t count, i;
    int rc = xenfork__state_names(ctx, XENFORK__RESTART_DIR, &names, &count);

    if (rc < 0)
        return rc;
    for (i = 0; i < count; i++) {
        uint8_t uuid[16];

        if (xenfork__uuid_parse(names[i], uuid))
            found(opaque, names[i]);
    }
    xenfork__names_free(names, count);
    return 0;
}

/* Tell whether an earlier clone in the list names the same fork. */
static bool is_named(const struct xenfork__records *clones, size_t before,
                     const char *journal)
{
    size_t i;

    for (i = 0; i < before; i++)
        if (xenfork__wants_hydration(clones->records[i]) &&
            !strcmp(clones->records[i]->journal, journal))
            return true;
    return false;
}

int state_hydrations(xenfork_ctx *ctx, state_found_fn *found, void *opaque)
{
    cleanup_records struct xenfork__records clones = {0};
    size_t i;
    int rc = xenfork__records_load(ctx, XENFORK_KIND_CLONE, &clones);

    if (rc < 0)
        return rc;
    for (i = 0; i < clones.count; i++) {
        const struct xenfork__record *clone = clones.records[i];
        struct xenfork__dominfo info;

        /* Only the record of one that is gone: nothing to hydrate. */
        if (xenfork__wants_hydration(clone) &&
            !is_named(&clones, i, clone->journal) &&
            xenfork__record_info(ctx, clone, &info) != XENFORK_E_NOTFOUND)
            found(opaque, clone->journal);
    }
    return clones.unwritten ? STATE_UNWRITTEN : 0;
}

int state_frozen(xenfork_ctx *ctx, state_found_fn *found, void *opaque)
{
    cleanup_records struct xenfork__records frozen = {0};
    size_t i;
    int rc = xenfork__records_load(ctx, XENFORK_KIND_FROZEN, &frozen);

    if (rc < 0)
        return rc;
    for (i = 0; i < frozen.count; i++) {
        struct xenfork__dominfo info;

        if (xenfork__frozen_info(ctx, frozen.records[i], &info) !=
            XENFORK_E_NOTFOUND)
            found(opaque, frozen.records[i]->journal);
    }
    return frozen.unwritten ? STATE_UNWRITTEN : 0;
}

static bool watch_folder(xenfork_ctx *ctx, int fd, const char *name)
{
    cleanup_free char *dir = xenfork__state_path(ctx, name, NULL);

    return dir && xenfork__make_dir(ctx, dir) == 0 &&
           inotify_add_watch(fd, dir, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR) >=
               0;
}

int state_watch(xenfork_ctx *ctx)
{
    cleanup_close int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd < 0 || !watch_folder(ctx, fd, "clones") ||
        !watch_folder(ctx, fd, "frozen"))
        return -1;
    return steal_fd(&fd);
}
