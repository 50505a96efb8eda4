/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The records of tapdisks.  A program that makes something for a tapdisk writes
 * what it has made into the record itself, after the line, and has the record
 * locked meanwhile, as we have: when we are killed, the next process waits for
 * it, and finds the result.
 */
#include "host/tap.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "host/run.h"
#include "state/files.h"

#define DIR        "/run/xenfork/tap"
#define MAX_LINE   192U
#define MAX_RECORD 2048U /* with what the longest program says */
#define NONE       "-"
#define NO_TAPDISK ((struct xenfork__tapdisk){.minor = -1})
#define MINORS     XENFORK__TAP_CONTROL "/tapdisk/tapdisk-"
#define NBD        "/dev/nbd"

/*
 * Return the same name for a file however it is called, even when it is gone.
 * NULL: none
 */
static char *canonical_gone(const char *path)
{
    cleanup_free char *dir = NULL;
    const char *slash = strrchr(path, '/');
    char *real = realpath(path, NULL);

    if (real || !slash)
        return real;
    dir = strndup(path, (size_t)(slash - path) + 1);
    real = dir ? realpath(dir, NULL) : NULL;
    free(dir);
    dir = real;
    return dir && asprintf(&real, "%s%s", dir, slash) >= 0 ? real : NULL;
}

/*
 * Write a path as a name in a folder: "/" becomes "!"; "!", "%" and "@" become
 * "%21" and the like.
 */
static void put_name(FILE *f, const char *text)
{
    for (; *text; text++)
        if (*text == '/')
            fputc('!', f);
        else if (strchr("!%@", *text))
            fprintf(f, "%%%02x", (unsigned char)*text);
        else
            fputc(*text, f);
}

/* Name a record: "!srv!web.vhd", "!srv!ro.vhd@backend!vbd!3!51712" */
static int name_tap_record(xenfork_ctx *ctx, const char *path,
                           const char *reader, char **file_out)
{
    cleanup_free char *real = canonical_gone(path);
    char *text = NULL;
    size_t bytes;
    FILE *f;

    if (!real)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no file %s", path);
    f = open_memstream(&text, &bytes);
    if (!f)
        return xenfork__nomem(ctx);
    fputs(DIR "/", f);
    put_name(f, real);
    if (reader) {
        fputc('@', f);
        put_name(f, reader);
    }
    if (fclose(f)) {
        free(text);
        return xenfork__nomem(ctx);
    }
    *file_out = text;
    return 0;
}

static int unreadable_record(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot use %s",
                         tap->file);
}

/*
 * Open and lock a record; the holder of the lock may have removed the file
 * meanwhile.
 */
static int open_record(xenfork_ctx *ctx, int flags, struct xenfork__tap *tap)
{
    for (;;) {
        tap->fd = open(tap->file, O_RDWR | O_CLOEXEC | flags, 0600);
        if (tap->fd < 0 && errno == ENOENT)
            return xenfork__miss(ctx, XENFORK_E_NOTFOUND, "no %s", tap->file);
        if (tap->fd < 0 || flock(tap->fd, LOCK_EX))
            return unreadable_record(ctx, tap);
        if (xenfork__is_open_at(tap->fd, tap->file))
            return 0;
        close(tap->fd);
        tap->fd = -1;
    }
}

/*
 * Parse the output of the program that made the next missing thing: minor,
 * tapdisk, device.  False: it is none of these
 */
static bool learn(struct xenfork__tap *tap, const char *text)
{
    const char *node = strstr(text, NBD);
    unsigned int n;

    if (tap->tapdisk.minor < 0)
        return sscanf(text, MINORS "%d", &tap->tapdisk.minor) == 1 &&
               tap->tapdisk.minor >= 0;
    if (!tap->tapdisk.pid) {
        if (sscanf(text, "%u", &tap->tapdisk.pid) != 1)
            return false;
        tap->tapdisk.started = xenfork__sys_process_started(tap->tapdisk.pid);
        return true;
    }
    if (!node || sscanf(node, NBD "%u", &n) != 1)
        return false;
    snprintf(tap->node, sizeof(tap->node), NBD "%u", n);
    return true;
}

bool xenfork__tap_parse(struct xenfork__tap *tap, const char *text,
                        bool *learnt_out)
{
    const char *end = strchr(text, '\n');

    tap->tapdisk = NO_TAPDISK;
    if (text[0] && sscanf(text, "%u %" SCNu64 " %d %63s %63s",
                          &tap->tapdisk.pid, &tap->tapdisk.started,
                          &tap->tapdisk.minor, tap->node, tap->user) != 5)
        return false;
    if (!strcmp(tap->node, NONE))
        tap->node[0] = '\0';
    *learnt_out = end && end[1] && learn(tap, end + 1);
    return true;
}

static int read_tap_record(xenfork_ctx *ctx, struct xenfork__tap *tap,
                           bool *learnt_out)
{
    char text[MAX_RECORD];
    ssize_t n = pread(tap->fd, text, sizeof(text) - 1, 0);

    if (n < 0)
        return unreadable_record(ctx, tap);
    text[n] = '\0';
    if (!xenfork__tap_parse(tap, text, learnt_out))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is malformed",
                             tap->file);
    return 0;
}

int xenfork__tap_hold(xenfork_ctx *ctx, const char *path, const char *reader,
                      bool is_new, struct xenfork__tap *tap)
{
    int rc;

    *tap = (struct xenfork__tap){.fd = -1, .tapdisk = NO_TAPDISK};
    if ((rc = name_tap_record(ctx, path, reader, &tap->file)) < 0 ||
        (is_new && (rc = xenfork__make_dir(ctx, DIR)) < 0) ||
        (rc = open_record(ctx, is_new ? O_CREAT : 0, tap)) < 0)
        return rc;
    return read_tap_record(ctx, tap, &tap->is_unfinished);
}

int xenfork__tap_write(xenfork_ctx *ctx, const struct xenfork__tap *tap)
{
    char line[MAX_LINE];
    int n = snprintf(line, sizeof(line), "%u %" PRIu64 " %d %s %s\n",
                     tap->tapdisk.pid, tap->tapdisk.started, tap->tapdisk.minor,
                     tap->node[0] ? tap->node : NONE, tap->user);

    if (pwrite(tap->fd, line, (size_t)n, 0) != n || ftruncate(tap->fd, n))
        return unreadable_record(ctx, tap);
    return 0;
}

void xenfork__tap_drop(struct xenfork__tap *tap)
{
    xenfork__close_fd(&tap->fd);
    xenfork__free_ptr(&tap->file);
    tap->fd = -1;
    tap->file = NULL;
}

int xenfork__tap_run(xenfork_ctx *ctx, struct xenfork__tap *tap,
                     const char *const argv[])
{
    bool learnt = false;
    int rc;

    if (lseek(tap->fd, 0, SEEK_END) < 0)
        return unreadable_record(ctx, tap);
    if ((rc = xenfork__sys_run_to(ctx, XENFORK_E_DISK, argv, tap->fd)) < 0 ||
        (rc = read_tap_record(ctx, tap, &learnt)) < 0)
        return rc;
    return learnt ? xenfork__tap_write(ctx, tap)
                  : xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                  "%s does not say what it has made", argv[0]);
}
