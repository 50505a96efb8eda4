/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Errors and messages: made, logged and stored in this one place. */
#include "base/internal.h"

#include <string.h>

#include "base/digest.h"

/*
 * Return the bytes of the character at @p; 0: it is none, or would move a
 * cursor.
 */
static size_t printable(const unsigned char *p)
{
    size_t i, n = 0;

    if (p[0] < 0x80)
        return p[0] >= ' ' && p[0] != 0x7f;
    if (p[0] >= 0xc2 && p[0] <= 0xf4)
        n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    for (i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    /* U+0080 to U+009F are controls as well. */
    return p[0] == 0xc2 && p[1] < 0xa0 ? 0 : n;
}

/*
 * Remove control characters and broken ones: messages have names and answers of
 * guests, xenstore and programs, and come to terminals.
 */
static void clean(char *text)
{
    unsigned char *p = (unsigned char *)text;

    while (*p) {
        size_t n = printable(p);

        if (!n)
            *p = *p == '\n' || *p == '\t' ? ' ' : '?';
        p += n ? n : 1;
    }
}

static void __attribute__((format(printf, 4, 0)))
vlog(xenfork_ctx *ctx, xentoollog_level level, int errnoval, const char *fmt,
     va_list ap)
{
    char text[sizeof(ctx->error.text)];

    if (!ctx->logger)
        return;
    vsnprintf(text, sizeof(text), fmt, ap);
    clean(text);
    xtl_log(ctx->logger, level, errnoval > 0 ? errnoval : -1, "xenfork", "%s",
            text);
}

/* Return the code that says what failed, where errno says more than @code. */
static int refine(int code, int errnoval)
{
    if (code != XENFORK_E_DISK && code != XENFORK_E_STATE)
        return code;
    if (errnoval == ENOSPC || errnoval == EDQUOT)
        return XENFORK_E_NOSPC;
    /* A record that cannot be read is one that is unreadable, whatever errno.
     */
    if (code == XENFORK_E_STATE)
        return code;
    if (errnoval == EEXIST)
        return XENFORK_E_EXISTS;
    return errnoval == EIO ? XENFORK_E_IO : code;
}

static void __attribute__((format(printf, 4, 0)))
vstore(xenfork_ctx *ctx, int code, int errnoval, const char *fmt, va_list ap)
{
    size_t used;

    ctx->error.code = code;
    ctx->error.stage = ctx->stage;
    ctx->error.domid = ctx->domid;
    ctx->error.errnoval = errnoval;
    ctx->error.is_question = false;
    ctx->error.remedy[0] = '\0';
    vsnprintf(ctx->error.text, sizeof(ctx->error.text), fmt, ap);
    used = strlen(ctx->error.text);
    if (errnoval > 0 && used < sizeof(ctx->error.text))
        snprintf(ctx->error.text + used, sizeof(ctx->error.text) - used, ": %s",
                 strerror(errnoval));
    clean(ctx->error.text);
}

int xenfork__fail(xenfork_ctx *ctx, int code, int errnoval, const char *fmt,
                  ...)
{
    va_list ap;

    code = refine(code, errnoval);
    va_start(ap, fmt);
    vlog(ctx, XTL_ERROR, errnoval, fmt, ap);
    va_end(ap);
    va_start(ap, fmt);
    vstore(ctx, code, errnoval, fmt, ap);
    va_end(ap);
    return code;
}

int xenfork__miss(xenfork_ctx *ctx, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vstore(ctx, code, 0, fmt, ap);
    va_end(ap);
    return code;
}

int xenfork__miss_disk(xenfork_ctx *ctx, const char *vdev, const char *path,
                       const char *fmt, ...)
{
    char why[XENFORK__TEXT_BYTES];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return xenfork__miss(ctx, XENFORK_E_DISK,
                         "disk %s (%s) cannot be forked: %s", vdev,
                         path ? path : "empty", why);
}

int xenfork__remedy(xenfork_ctx *ctx, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(ctx->error.remedy, sizeof(ctx->error.remedy), fmt, ap);
    va_end(ap);
    clean(ctx->error.remedy);
    return ctx->error.code;
}

int xenfork__nomem(xenfork_ctx *ctx)
{
    return xenfork__fail(ctx, XENFORK_E_NOMEM, 0, "out of memory");
}

void xenfork__clear_error(xenfork_ctx *ctx)
{
    memset(&ctx->error, 0, sizeof(ctx->error));
    ctx->error.domid = XENFORK_DOMID_NONE;
}

static uint64_t digest_error(const xenfork_ctx *ctx)
{
    return xenfork__digest(ctx->error.text, strlen(ctx->error.text));
}

int xenfork__question(xenfork_ctx *ctx)
{
    uint64_t digest = digest_error(ctx);
    uint32_t i;

    for (i = 0; i < ctx->agreed_count; i++)
        if (ctx->agreed[i] == digest) {
            LOG_INFO(ctx, "%s, ignoring: agreed to", ctx->error.text);
            xenfork__clear_error(ctx);
            return 0;
        }
    ctx->error.is_question = true;
    return ctx->error.code;
}

XENFORK_API int xenfork_agree(xenfork_ctx *ctx)
{
    uint64_t *agreed;

    if (!ctx->error.is_question)
        return XENFORK_E_INVAL;
    agreed = realloc(ctx->agreed, (ctx->agreed_count + 1) * sizeof(*agreed));
    if (!agreed)
        return XENFORK_E_NOMEM;
    agreed[ctx->agreed_count++] = digest_error(ctx);
    ctx->agreed = agreed;
    ctx->has_agreed = true;
    return 0;
}

void xenfork__log(xenfork_ctx *ctx, xentoollog_level level, const char *fmt,
                  ...)
{
    va_list ap;

    va_start(ap, fmt);
    vlog(ctx, level, 0, fmt, ap);
    va_end(ap);
}

XENFORK_API int xenfork_error_code(const xenfork_ctx *ctx)
{
    return ctx->error.code;
}

XENFORK_API int xenfork_error_stage(const xenfork_ctx *ctx)
{
    return ctx->error.stage;
}

XENFORK_API int xenfork_error_errno(const xenfork_ctx *ctx)
{
    return ctx->error.errnoval;
}

XENFORK_API uint32_t xenfork_error_domid(const xenfork_ctx *ctx)
{
    return ctx->error.domid;
}

XENFORK_API const char *xenfork_error_text(const xenfork_ctx *ctx)
{
    return ctx->error.text;
}

XENFORK_API const char *xenfork_error_remedy(const xenfork_ctx *ctx)
{
    return ctx->error.remedy;
}

XENFORK_API const char *xenfork_code_name(int code)
{
    static const char *const names[] = {
        "OK",        "NOMEM",      "INVAL",     "PERM",     "NOTFOUND",
        "XEN",       "HYPERVISOR", "PV",        "HVM",      "PASSTHROUGH",
        "NOSUSPEND", "TIMEOUT",    "NAMETAKEN", "MACTAKEN", "UUIDTAKEN",
        "HOSTMEM",   "INUSE",      "DISK",      "DEVICE",   "NOTRUNNING",
        "BUSY",      "CANCELLED",  "STATE",     "NOTOURS",  "RESIDUE",
        "NOTFROZEN", "NOTADAPTED", "NOSPC",     "EXISTS",   "IO",
    };

    if (code > 0 || code <= -(int)ARRAY_SIZE(names))
        return "UNKNOWN";
    return names[-code];
}

XENFORK_API const char *xenfork_stage_name(int stage)
{
    static const char *const names[XENFORK_STAGES] = {
        "none",    "check", "reserve", "prepare", "suspend",
        "capture", "disks", "share",   "resume",  "seal",
        "create",  "fork",  "attach",  "unpause", "hydrate",
        "stun",    "total", "ready",   "detach",  "pauses",
    };

    if (stage < 0 || stage >= XENFORK_STAGES)
        return "unknown";
    return names[stage];
}

XENFORK_API const char *xenfork_count_name(int counter)
{
    static const char *const names[XENFORK_COUNTS] = {
        "pages_shared", "pages_copied", "hypercalls",
        "processes",    "xenstore_ops", "xenstore_waits",
        "rounds",       "pages_again",  "pages_last",
    };

    if (counter < 0 || counter >= XENFORK_COUNTS)
        return "unknown";
    return names[counter];
}
