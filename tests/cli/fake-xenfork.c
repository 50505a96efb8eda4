/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-xenfork.h"

#include <inttypes.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "xl-plugin/daemon-hint.h"
#include "xl-plugin/fork-options.h"

uint32_t clones;
xenfork_progress_fn *draw;
static void *draw_opaque;

/* The host is asked only where these are set. */
static void __attribute__((constructor)) set_pid_file(void)
{
    daemon_pid_file = getenv("FAKE_PID_FILE");
    fork_config_file = getenv("FAKE_CONFIG_FILE");
}

void note(const char *format, ...)
{
    const char *path = getenv("FAKE_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    va_list al;

    if (!file)
        return;
    va_start(al, format);
    vfprintf(file, format, al);
    va_end(al);
    fputc('\n', file);
    fclose(file);
}

int fails(const char *call)
{
    const char *fail = getenv("FAKE_FAIL");
    const char *signalled = getenv("FAKE_SIGNAL");
    size_t len = strlen(call);

    if (signalled && !strcmp(signalled, call))
        raise(SIGINT);
    if (!fail || strncmp(fail, call, len) != 0 || fail[len] != ':')
        return 0;
    return atoi(fail + len + 1);
}

const char *show(uint32_t index)
{
    static char texts[4][16];
    static unsigned int next;
    char *text = texts[next++ % 4];

    if (index == XENFORK_ALL)
        strcpy(text, "all");
    else
        snprintf(text, sizeof(texts[0]), "%" PRIu32, index);
    return text;
}

int xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                 uint32_t flags)
{
    (void)logger;
    (void)flags;
    if (fails("open"))
        return fails("open");
    *ctx_out = FAKE_OBJECT(xenfork_ctx);
    return 0;
}

void xenfork_close(xenfork_ctx *ctx)
{
    (void)ctx;
}

static volatile sig_atomic_t is_cancelled;

void xenfork_cancel(xenfork_ctx *ctx)
{
    (void)ctx;
    is_cancelled = 1;
}

/* $FAKE_LOCK: waited for as the library waits for its locks. */
static int wait_for_lock(void)
{
    const char *path = getenv("FAKE_LOCK");
    int r, fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd < 0)
        return 0;
    note("waiting");
    do
        r = flock(fd, LOCK_EX);
    while (r && errno == EINTR && !is_cancelled);
    close(fd);
    return r ? XENFORK_E_CANCELLED : 0;
}

void xenfork_set_progress(xenfork_ctx *ctx, xenfork_progress_fn *progress,
                          void *opaque)
{
    (void)ctx;
    (void)opaque;
    draw = progress;
    draw_opaque = opaque;
}

int xenfork_error_errno(const xenfork_ctx *ctx)
{
    (void)ctx;
    return ENOSPC;
}

const char *xenfork_error_text(const xenfork_ctx *ctx)
{
    (void)ctx;
    return "the fake fails: No space left on device";
}

const char *xenfork_error_remedy(const xenfork_ctx *ctx)
{
    (void)ctx;
    return "try the real one";
}

const char *xenfork_code_name(int code)
{
    return code == XENFORK_E_PV ? "PV" : "UNKNOWN";
}

const char *xenfork_stage_name(int stage)
{
    if (stage == XENFORK_STAGE_READY)
        return "ready";
    return stage == XENFORK_STAGE_STUN ? "stun" : "total";
}

const char *xenfork_count_name(int counter)
{
    static const char *const names[] = {
        "pages_shared", "pages_copied", "hypercalls",
        "processes",    "xenstore_ops", "xenstore_waits",
        "rounds",       "pages_again",  "pages_last"};

    return names[counter];
}

int xenfork_find(xenfork_ctx *ctx, const char *name, uint32_t *domid_out)
{
    (void)ctx;
    if (strcmp(name, "web1") != 0 && strcmp(name, "3") != 0)
        return XENFORK_E_NOTFOUND;
    *domid_out = 3;
    return 0;
}

int xenfork_clone_set_nic_link(xenfork_ctx *ctx, const char *clone,
                               uint32_t nic, int link)
{
    (void)ctx;
    note("nic-link %s %s %d", clone, show(nic), link);
    return fails(clone);
}

int xenfork_clone_set_nic_bridge(xenfork_ctx *ctx, const char *clone,
                                 uint32_t nic, const char *bridge)
{
    (void)ctx;
    note("nic-bridge %s %s %s", clone, show(nic), bridge);
    return fails(clone);
}

/* Questions that were answered; two are asked where a name fails with INUSE. */
static int agreed;

int xenfork_agree(xenfork_ctx *ctx)
{
    (void)ctx;
    note("agree");
    agreed++;
    return 0;
}

int xenfork_clone_start(xenfork_ctx *ctx, const char *name, uint32_t flags,
                        uint32_t *domid_out)
{
    (void)ctx;
    note("start %s%s", name, flags & XENFORK_START_LEFT ? " left" : "");
    *domid_out = 7;
    return flags & XENFORK_START_LEFT || agreed == 2 ? 0 : fails(name);
}

int xenfork_clone_destroy(xenfork_ctx *ctx, const char *name, uint32_t flags)
{
    (void)ctx;
    note("destroy %s%s", name, flags & XENFORK_DESTROY_LEFT ? " left" : "");
    return flags & XENFORK_DESTROY_LEFT || agreed == 2 ? 0 : fails(name);
}

int xenfork_clone_forget(xenfork_ctx *ctx, const char *name)
{
    (void)ctx;
    note("forget %s", name);
    return fails(name);
}

int xenfork_clone_leaves(xenfork_ctx *ctx, const char *name, const char *text,
                         uint32_t pid)
{
    (void)ctx;
    (void)pid;
    note("leaves %s: %s", name, text);
    return fails(name);
}

int xenfork_image_find(xenfork_ctx *ctx, const char *name, uint32_t *domid_out)
{
    (void)ctx;
    if (strcmp(name, "web1-image") == 0 && fails(name))
        return fails(name);
    if (strcmp(name, "web1-image") != 0 && strcmp(name, "4") != 0)
        return XENFORK_E_NOTFOUND;
    *domid_out = 4;
    return 0;
}

int xenfork_hydrate(xenfork_ctx *ctx, const char *name,
                    uint32_t pages_per_second)
{
    (void)ctx;
    note("hydrate %s %u", name, (unsigned)pages_per_second);
    return fails(name);
}

int xenfork_image_destroy(xenfork_ctx *ctx, const char *name)
{
    (void)ctx;
    note("image-destroy %s", name);
    return fails(name);
}

void xenfork_batch_begin(xenfork_ctx *ctx)
{
    (void)ctx;
    note("batch");
}

int xenfork_batch_end(xenfork_ctx *ctx)
{
    (void)ctx;
    note("end");
    return fails("end");
}

int xenfork_recover(xenfork_ctx *ctx)
{
    (void)ctx;
    note("recover");
    return fails("recover");
}

int xenfork_journal_set_aside(xenfork_ctx *ctx, const char *id)
{
    (void)ctx;
    note("set-aside %s", id);
    return fails(id);
}

int xenfork_freeze(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    (void)ctx;
    note("freeze %" PRIu32 " %" PRIu32, domid, timeout_ms);
    return fails("freeze");
}

int xenfork_detach(xenfork_ctx *ctx, const char *name, const char *dir,
                   const char *format, uint64_t kib_per_second)
{
    (void)ctx;
    note("detach %s %s %s %" PRIu64, name, dir ? dir : "-",
         format ? format : "-", kib_per_second);
    if (draw)
        draw(draw_opaque, XENFORK_STAGE_DETACH, 0, 1, 2);
    return fails("detach");
}

int xenfork_detach_stop(xenfork_ctx *ctx, const char *name)
{
    (void)ctx;
    note("stop %s", name);
    return fails("stop");
}

int xenfork_thaw(xenfork_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    note("thaw %" PRIu32, domid);
    return fails("thaw") ? fails("thaw") : wait_for_lock();
}
