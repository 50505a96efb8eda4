/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/files.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "state/later.h"

#define CLONES "/clones/"

int xenfork__set_state_dir(xenfork_ctx *ctx, const char *dir)
{
    char *copy = strdup(dir);

    if (!copy)
        return xenfork__nomem(ctx);
    free(ctx->state_dir);
    ctx->state_dir = copy;
    return 0;
}

char *xenfork__state_path(const xenfork_ctx *ctx, const char *part, ...)
{
    char *path = strdup(ctx->state_dir);
    va_list ap;

    va_start(ap, part);
    for (; path && part; part = va_arg(ap, const char *)) {
        char *longer;

        if (asprintf(&longer, "%s/%s", path, part) < 0)
            longer = NULL;
        free(path);
        path = longer;
    }
    va_end(ap);
    return path;
}

static int fail_on(xenfork_ctx *ctx, const char *what, const char *path)
{
    return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot %s %s", what,
                         path);
}

/* Tell whether it is of a clone that is made: see state/later.h. */
static bool is_for_later(const xenfork_ctx *ctx, const char *path)
{
    size_t bytes = strlen(ctx->state_dir);

    return ctx->later && !strncmp(path, ctx->state_dir, bytes) &&
           !strncmp(path + bytes, CLONES, strlen(CLONES));
}

/* Make one directory, durably: what is written in it is not lost with it. */
static int make_one(xenfork_ctx *ctx, const char *path, mode_t mode)
{
    int r;

    if (mkdir(path, mode))
        return errno == EEXIST ? 0 : fail_on(ctx, "make folder", path);
    r = is_for_later(ctx, path) ? xenfork__later_names(ctx, path)
                                : xenfork__sync_parent(path);
    return r ? fail_on(ctx, "write out folder", path) : 0;
}

int xenfork__make_dir(xenfork_ctx *ctx, const char *path)
{
    cleanup_free char *copy = strdup(path);
    char *slash;
    int rc;

    if (!copy)
        return xenfork__nomem(ctx);
    for (slash = copy + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        rc = make_one(ctx, copy, 0755);
        if (rc < 0)
            return rc;
        *slash = '/';
    }
    return make_one(ctx, copy, 0700);
}

int xenfork__dir_check(xenfork_ctx *ctx, const char *path)
{
    const char *why = NULL;
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : fail_on(ctx, "examine", path);
    if (!S_ISDIR(st.st_mode))
        why = "it is not a folder";
    else if (st.st_uid != geteuid())
        why = "it belongs to another user";
    else if (st.st_mode & (S_IWGRP | S_IWOTH))
        why = "others can write in it";
    if (!why)
        return 0;
    xenfork__miss(ctx, XENFORK_E_DISK, "%s is not root's alone: %s", path, why);
    return xenfork__remedy(ctx, "look at what is in it, and remove it");
}

int xenfork__file_read(xenfork_ctx *ctx, const char *path, size_t max_bytes,
                       char **text_out, size_t *bytes_out)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_free char *text = NULL;
    size_t used = 0;
    struct stat st;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no %s", path);
    if (fd < 0 || fstat(fd, &st))
        return fail_on(ctx, "read", path);
    if (st.st_size < 0 || (uint64_t)st.st_size > max_bytes)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is too large", path);
    text = malloc((size_t)st.st_size + 1);
    if (!text)
        return xenfork__nomem(ctx);
    while (used < (size_t)st.st_size) {
        ssize_t n = read(fd, text + used, (size_t)st.st_size - used);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_on(ctx, "read", path);
        if (n == 0)
            break;
        used += (size_t)n;
    }
    text[used] = '\0';
    *text_out = steal_ptr(text);
    *bytes_out = used;
    return 0;
}

static int write_all(int fd, const uint8_t *data, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(fd, data, bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        bytes -= (size_t)n;
    }
    return 0;
}

int xenfork__names_sync(xenfork_ctx *ctx, const char *path)
{
    return xenfork__sync_parent(path)
               ? fail_on(ctx, "write out the folder of", path)
               : 0;
}

int xenfork__file_write(xenfork_ctx *ctx, const char *path, const void *data,
                        size_t bytes)
{
    bool is_later = is_for_later(ctx, path);
    cleanup_free char *temp = NULL;
    cleanup_close int fd = -1;

    if (asprintf(&temp, "%s.new", path) < 0) {
        temp = NULL;
        return xenfork__nomem(ctx);
    }
    fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_on(ctx, "write", temp);
    if (write_all(fd, data, bytes) || (!is_later && fsync(fd)) ||
        rename(temp, path) ||
        (is_later ? xenfork__later_file(ctx, path)
                  : xenfork__sync_parent(path))) {
        int e = errno;

        unlink(temp);
        errno = e;
        return fail_on(ctx, "write", path);
    }
    return 0;
}

/*
 * Make a removal durable; if that fails, as on a disk without space, only warn:
 * undoing must not fail because of it.
 */
static int removed(xenfork_ctx *ctx, const char *path)
{
    if (xenfork__sync_parent(path))
        LOG_WARN(ctx,
                 "%s is removed, but may be back after a power cut (%s), "
                 "ignoring",
                 path, strerror(errno));
    return 0;
}

int xenfork__file_remove(xenfork_ctx *ctx, const char *path)
{
    if (unlink(path))
        return errno == ENOENT ? 0 : fail_on(ctx, "remove", path);
    return removed(ctx, path);
}

int xenfork__file_remove_durably(xenfork_ctx *ctx, const char *path)
{
    bool is_absent = unlink(path);

    if (is_absent && errno != ENOENT)
        return fail_on(ctx, "remove", path);
    if (xenfork__sync_parent(path) && !(is_absent && errno == ENOENT))
        return fail_on(ctx, "write out the removal of", path);
    return 0;
}

int xenfork__dir_remove(xenfork_ctx *ctx, const char *path)
{
    cleanup_dir DIR *dir = opendir(path);
    struct dirent *entry;
    bool has_record = false;

    if (!dir)
        return errno == ENOENT ? 0 : fail_on(ctx, "remove", path);
    while ((entry = readdir(dir))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (!strcmp(entry->d_name, XENFORK__FILE_RECORD))
            has_record = true;
        else if (unlinkat(dirfd(dir), entry->d_name, 0) && errno != ENOENT)
            return fail_on(ctx, "remove what is in", path);
    }
    if (has_record && unlinkat(dirfd(dir), XENFORK__FILE_RECORD, 0) &&
        errno != ENOENT)
        return fail_on(ctx, "remove the record in", path);
    if (rmdir(path))
        return errno == ENOENT ? 0 : fail_on(ctx, "remove", path);
    return removed(ctx, path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int xenfork__dir_names(xenfork_ctx *ctx, const char *path, char ***names_out,
                       size_t *count_out)
{
    cleanup_dir DIR *dir = opendir(path);
    char **names = NULL;
    size_t count = 0;
    struct dirent *entry;

    if (!dir && errno != ENOENT)
        return fail_on(ctx, "read", path);
    while (dir && (errno = 0, entry = readdir(dir))) {
        char **more;

        if (entry->d_name[0] == '.')
            continue;
        more = reallocarray(names, count + 1, sizeof(*names));
        if (more)
            names = more;
        if (!more || !(names[count] = strdup(entry->d_name))) {
            xenfork__names_free(names, count);
            return xenfork__nomem(ctx);
        }
        count++;
    }
    /* A list that has an end too soon must not be taken for all. */
    if (dir && errno) {
        xenfork__names_free(names, count);
        return fail_on(ctx, "read", path);
    }
    if (count)
        qsort(names, count, sizeof(*names), by_name);
    *names_out = names;
    *count_out = count;
    return 0;
}

int xenfork__state_names(xenfork_ctx *ctx, const char *folder,
                         char ***names_out, size_t *count_out)
{
    cleanup_free char *dir = xenfork__state_path(ctx, folder, NULL);

    return dir ? xenfork__dir_names(ctx, dir, names_out, count_out)
               : xenfork__nomem(ctx);
}

void xenfork__names_free(char **names, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
