/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Device-mapper, by libdevmapper.  Where udev runs it makes the nodes, and is
 * told to look no further at what guests have written; otherwise libdevmapper
 * makes them.
 */
#include "host/dm.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PREFIX     "XENFORK-" /* of the UUIDs of devices that we make */
#define POOL_BEGIN "xenfork-" /* of the names of pools */
#define POOL_END   "-pool"
#define BUSY_TRIES 500U
#define SOON_TRIES 50U
#define BUSY_MS    10U /* between them */
#define UDEV_FLAGS                                                            \
    (DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | \
     DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/*
 * libdevmapper has one place for a process to complain to.  It is ours while a
 * task of ours is there, unless the process has one of its own.  A thread has
 * one task at a time: complainer is the context that it is of.
 */
static __thread xenfork_ctx *complainer;
static pthread_mutex_t complaint_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int complaint_users;
static bool is_complaint_ours;

static void __attribute__((format(printf, 5, 6)))
complain(int level, const char *file, int line, int dm_errno, const char *fmt,
         ...)
{
    char text[XENFORK__TEXT_BYTES];
    va_list ap;

    (void)level;
    (void)file;
    (void)line;
    (void)dm_errno;
    if (!complainer)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    LOG_DEBUG(complainer, "libdevmapper: %s", text);
}

static void hear_complaints(xenfork_ctx *ctx)
{
    complainer = ctx;
    pthread_mutex_lock(&complaint_lock);
    if (complaint_users++ == 0 && !dm_log_is_non_default()) {
        dm_log_with_errno_init(complain);
        is_complaint_ours = true;
    }
    pthread_mutex_unlock(&complaint_lock);
}

static void leave_complaints(void)
{
    pthread_mutex_lock(&complaint_lock);
    if (--complaint_users == 0 && is_complaint_ours) {
        dm_log_with_errno_init(NULL);
        is_complaint_ours = false;
    }
    pthread_mutex_unlock(&complaint_lock);
    complainer = NULL;
}

/* Make a task.  NULL: out of memory, or a name that is too long. */
static struct dm_task *new_task(xenfork_ctx *ctx, int type, const char *name)
{
    struct dm_task *task;

    hear_complaints(ctx);
    task = dm_task_create(type);
    if (task && !dm_task_set_name(task, name)) {
        dm_task_destroy(task);
        task = NULL;
    }
    return task;
}

/* Run a task that is about all devices. */
static struct dm_task *new_list(xenfork_ctx *ctx)
{
    hear_complaints(ctx);
    return dm_task_create(DM_DEVICE_LIST);
}

static void end_task(struct dm_task *task)
{
    int e = errno;

    if (task)
        dm_task_destroy(task);
    dm_lib_release();
    leave_complaints();
    errno = e;
}

/* Run a task.  Returns an errno, or 0. */
static int run_task(struct dm_task *task)
{
    int e;

    if (dm_task_run(task))
        return 0;
    e = dm_task_get_errno(task);
    return e ? e : EIO;
}

/* Run a task that makes or removes a node. */
static int run_with_udev(struct dm_task *task)
{
    uint32_t cookie = 0;
    int e;

    if (!dm_task_set_cookie(task, &cookie, UDEV_FLAGS))
        return ENOMEM;
    e = run_task(task);
    if (!dm_udev_wait(cookie) && !e)
        e = EIO;
    return e;
}

static int dm_failed(xenfork_ctx *ctx, int e, const char *what,
                     const char *name)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, e, "device-mapper: cannot %s %s",
                         what, name);
}

int xenfork__sys_dm_info(xenfork_ctx *ctx, const char *name,
                         struct xenfork__dm_info *info_out)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_INFO, name);
    struct dm_info info = {0};
    int e = task ? run_task(task) : ENOMEM;

    if (!e && !dm_task_get_info(task, &info))
        e = EIO;
    end_task(task);
    if (e)
        return dm_failed(ctx, e, "examine", name);
    *info_out = (struct xenfork__dm_info){
        .is_there = info.exists,
        .is_suspended = info.exists && info.suspended,
        .is_readonly = info.exists && info.read_only,
        .open_count = info.exists ? (uint32_t)info.open_count : 0,
        .major = info.exists ? info.major : 0,
        .minor = info.exists ? info.minor : 0,
    };
    return 0;
}

static bool set_table(struct dm_task *task,
                      const struct xenfork__dm_table *table)
{
    const struct xenfork__dm_table *line;
    uint64_t start = 0;

    for (line = table; line; line = line->next) {
        if (!dm_task_add_target(task, start, line->sectors, line->type,
                                line->params))
            return false;
        start += line->sectors;
    }
    return !table->is_readonly || dm_task_set_ro(task);
}

int xenfork__sys_dm_create(xenfork_ctx *ctx, const char *name,
                           const struct xenfork__dm_table *table)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_CREATE, name);
    cleanup_free char *uuid = NULL;
    int e = ENOMEM;

    LOG_DEBUG(ctx, "device-mapper: making %s: %s %s", name, table->type,
              table->params);
    if (asprintf(&uuid, PREFIX "%s", name) < 0)
        uuid = NULL;
    if (task && uuid && dm_task_set_uuid(task, uuid) && set_table(task, table))
        e = run_with_udev(task);
    end_task(task);
    return e ? dm_failed(ctx, e, "make", name) : 0;
}

int xenfork__sys_dm_load(xenfork_ctx *ctx, const char *name,
                         const struct xenfork__dm_table *table)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_RELOAD, name);
    int e = task && set_table(task, table) ? run_task(task) : ENOMEM;

    LOG_DEBUG(ctx, "device-mapper: %s is to be: %s %s", name, table->type,
              table->params);
    end_task(task);
    return e ? dm_failed(ctx, e, "load a table for", name) : 0;
}

int xenfork__sys_dm_clear(xenfork_ctx *ctx, const char *name)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_CLEAR, name);
    int e = task ? run_task(task) : ENOMEM;

    end_task(task);
    return e ? dm_failed(ctx, e, "clear the table loaded for", name) : 0;
}

int xenfork__sys_dm_suspend(xenfork_ctx *ctx, const char *name, bool is_flushed)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_SUSPEND, name);
    int e = ENOMEM;

    /* There is no file system of ours on it that could be frozen. */
    if (task && dm_task_skip_lockfs(task) &&
        (is_flushed || dm_task_no_flush(task)))
        e = run_task(task);
    end_task(task);
    return e ? dm_failed(ctx, e, "suspend", name) : 0;
}

/*
 * Leave the node alone: waiting for udev would only make the source stand
 * still.
 */
int xenfork__sys_dm_resume(xenfork_ctx *ctx, const char *name)
{
    int has_sync = dm_udev_get_sync_support();
    struct dm_task *task;
    int e;

    dm_udev_set_sync_support(0);
    task = new_task(ctx, DM_DEVICE_RESUME, name);
    e = task ? run_task(task) : ENOMEM;
    end_task(task);
    dm_udev_set_sync_support(has_sync);
    return e ? dm_failed(ctx, e, "resume", name) : 0;
}

static int try_remove(xenfork_ctx *ctx, const char *name)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_REMOVE, name);
    int e = task ? run_with_udev(task) : ENOMEM;

    end_task(task);
    return e;
}

/* Remove a device; blkback closes it a moment after libxl takes it for closed.
 */
static int remove_within(xenfork_ctx *ctx, const char *name, uint32_t most)
{
    uint32_t tries = 0;
    int e;

    LOG_DEBUG(ctx, "device-mapper: removing %s", name);
    while ((e = try_remove(ctx, name)) == EBUSY && tries++ < most)
        xenfork__sleep_ns(BUSY_MS * 1000000ULL);
    if (e == EBUSY)
        return xenfork__miss(ctx, XENFORK_E_BUSY, "%s is in use", name);
    return !e || e == ENXIO ? 0 : dm_failed(ctx, e, "remove", name);
}

int xenfork__sys_dm_remove(xenfork_ctx *ctx, const char *name)
{
    return remove_within(ctx, name, BUSY_TRIES);
}

int xenfork__sys_dm_remove_soon(xenfork_ctx *ctx, const char *name)
{
    return remove_within(ctx, name, SOON_TRIES);
}

int xenfork__sys_dm_message(xenfork_ctx *ctx, const char *name,
                            const char *message)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_TARGET_MSG, name);
    int e = ENOMEM;

    LOG_DEBUG(ctx, "device-mapper: %s: %s", name, message);
    if (task && dm_task_set_sector(task, 0) &&
        dm_task_set_message(task, message))
        e = run_task(task);
    end_task(task);
    if (e == ENODATA)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "%s: nothing to \"%s\"",
                             name, message);
    return e ? xenfork__fail(ctx, XENFORK_E_DISK, e,
                             "device-mapper: %s refuses \"%s", name, message)
             : 0;
}

/* Read the line that begins at @wanted, which exists. */
static int read_table_line(xenfork_ctx *ctx, int type, const char *name,
                           uint64_t wanted, char **type_out, char **params_out)
{
    struct dm_task *task = new_task(ctx, type, name);
    uint64_t start = 0, length = 0;
    char *target = NULL, *params = NULL;
    void *next = NULL;
    int e = task ? run_task(task) : ENOMEM;

    if (!e) {
        do
            next = dm_get_next_target(task, next, &start, &length, &target,
                                      &params);
        while (next && start < wanted);
        target = strdup(target ? target : "");
        params = strdup(params ? params : "");
        if (!target || !params) {
            free(target);
            free(params);
            e = ENOMEM;
        }
    }
    end_task(task);
    if (e)
        return dm_failed(ctx, e, "examine", name);
    *type_out = target;
    *params_out = params;
    return 0;
}

int xenfork__sys_dm_table(xenfork_ctx *ctx, const char *name, char **type_out,
                          char **params_out)
{
    return read_table_line(ctx, DM_DEVICE_TABLE, name, 0, type_out, params_out);
}

int xenfork__sys_dm_lines(xenfork_ctx *ctx, const char *name,
                          void (*each)(void *opaque, uint64_t start,
                                       const struct xenfork__dm_table *line),
                          void *opaque)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_TABLE, name);
    uint64_t start, length;
    char *type, *params;
    void *next = NULL;
    int e = task ? run_task(task) : ENOMEM;

    if (!e)
        do {
            next = dm_get_next_target(task, next, &start, &length, &type,
                                      &params);
            if (type)
                each(opaque, start,
                     &(struct xenfork__dm_table){
                         .sectors = length, .type = type, .params = params});
        } while (next);
    end_task(task);
    return e ? xenfork__miss(ctx, XENFORK_E_DISK,
                             "device-mapper: cannot examine %s", name)
             : 0;
}

int xenfork__sys_dm_status(xenfork_ctx *ctx, const char *name,
                           char **status_out)
{
    return xenfork__sys_dm_status_at(ctx, name, 0, status_out);
}

int xenfork__sys_dm_status_at(xenfork_ctx *ctx, const char *name,
                              uint64_t start, char **status_out)
{
    cleanup_free char *type = NULL;

    return read_table_line(ctx, DM_DEVICE_STATUS, name, start, &type,
                           status_out);
}

/*
 * Check for dm-thin: the kernel loads the module when it is asked for the
 * target's version.
 */
int xenfork__sys_dm_check(xenfork_ctx *ctx)
{
    struct dm_task *task = new_task(ctx, DM_DEVICE_GET_TARGET_VERSION,
                                    "thin-pool");
    int e = task ? run_task(task) : ENOMEM;

    end_task(task);
    return e ? xenfork__miss(ctx, XENFORK_E_DISK,
                             "this host has no thin devices (dm-thin-pool): %s",
                             strerror(e))
             : 0;
}

int xenfork__sys_dm_wait(xenfork_ctx *ctx, const char *name,
                         const uint32_t *after, uint32_t *now_out)
{
    struct dm_task *task = new_task(
        ctx, after ? DM_DEVICE_WAITEVENT : DM_DEVICE_INFO, name);
    struct dm_info info = {0};
    int e = ENOMEM;

    if (task && (!after || dm_task_set_event_nr(task, *after)))
        e = run_task(task);
    if (!e && !dm_task_get_info(task, &info))
        e = EIO;
    end_task(task);
    if (e == ENXIO || (!e && !info.exists))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no device %s", name);
    if (e)
        return dm_failed(ctx, e, "wait for", name);
    *now_out = info.event_nr;
    return 0;
}

/* Return the file of the loop device "7:1".  NULL: it has none */
static char *backing_file(const char *device)
{
    char path[96], text[4096];
    cleanup_close int fd = -1;
    ssize_t n;

    snprintf(path, sizeof(path), "/sys/dev/block/%.24s/loop/backing_file",
             device);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return strdup(text);
}

/* Pass over a device that is removed meanwhile. */
static int add_pool(xenfork_ctx *ctx, const char *name, char ***data,
                    size_t *count)
{
    cleanup_free char *type = NULL;
    cleanup_free char *params = NULL;
    char device[XENFORK__LOOP_BYTES];
    char *file, **more;
    size_t length = strlen(name), end = strlen(POOL_END);

    if (strncmp(name, POOL_BEGIN, strlen(POOL_BEGIN)) != 0 || length < end ||
        strcmp(name + length - end, POOL_END) != 0 ||
        read_table_line(ctx, DM_DEVICE_TABLE, name, 0, &type, &params) < 0 ||
        sscanf(params, "%*s %23s", device) != 1 ||
        !(file = backing_file(device)))
        return 0;
    more = reallocarray(*data, *count + 1, sizeof(**data));
    if (!more) {
        free(file);
        return xenfork__nomem(ctx);
    }
    *data = more;
    (*data)[(*count)++] = file;
    return 0;
}

int xenfork__sys_pools(xenfork_ctx *ctx, char ***data_out, size_t *count_out)
{
    struct dm_task *task = new_list(ctx);
    struct dm_names *names;
    char **data = NULL;
    size_t count = 0;
    uint32_t next = 0;
    int rc = 0, e = task ? run_task(task) : ENOMEM;

    names = e ? NULL : dm_task_get_names(task);
    if (names && names->dev)
        do {
            names = (struct dm_names *)((char *)names + next);
            rc = add_pool(ctx, names->name, &data, &count);
            next = names->next;
        } while (rc == 0 && next);
    end_task(task);
    if (e)
        rc = dm_failed(ctx, e, "list", "its devices");
    if (rc < 0) {
        while (count)
            free(data[--count]);
        free(data);
        return rc;
    }
    *data_out = data;
    *count_out = count;
    return 0;
}
