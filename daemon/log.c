/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#include <xentoollog.h>

#define LINE_BYTES 2048U
#define TEXT_BYTES 512U

static const struct {
    const char *name;
    int priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},
    [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};
#define LEVELS (sizeof(levels) / sizeof(levels[0]))

static struct {
    const char *ident;
    bool is_syslog;
    uint32_t level;
} sink = {.level = LOG_LEVEL_INFO};

void log_open(const char *ident, bool is_syslog)
{
    sink.ident = ident;
    sink.is_syslog = is_syslog;
    if (is_syslog)
        openlog(ident, LOG_PID, LOG_DAEMON);
}

void log_set_level(uint32_t level)
{
    sink.level = level;
}

const char *log_level_name(uint32_t level)
{
    return levels[level].name;
}

bool log_level_parse(const char *text, uint32_t *level_out)
{
    uint32_t i;

    for (i = 0; i < LEVELS; i++) {
        if (!strcmp(levels[i].name, text)) {
            *level_out = i;
            return true;
        }
    }
    return false;
}

void log_event(uint32_t level, const char *event, const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list ap;
    int n;

    if (level > sink.level)
        return;
    n = snprintf(line, sizeof(line), "level=%s event=%s ", levels[level].name,
                 event);
    va_start(ap, fmt);
    vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
    va_end(ap);
    /*
     * Write a line at once, so that lines of workers, which share stderr, do
     * not mix.
     */
    if (sink.is_syslog)
        syslog(levels[level].priority, "%s", line);
    else
        dprintf(STDERR_FILENO, "%s[%d]: %s\n", sink.ident, (int)getpid(), line);
}

static char clean_char(char c)
{
    return c >= ' ' && c <= '~' ? c : '?';
}

void log_clean(const char *text, size_t text_bytes, char *out, size_t out_bytes)
{
    size_t i;

    for (i = 0; i < text_bytes && i + 1 < out_bytes; i++)
        out[i] = clean_char(text[i]);
    out[i] = '\0';
}

const char *log_quote(const char *text, size_t text_bytes, char out[LOG_QUOTED])
{
    size_t i, n = 0;

    out[n++] = '"';
    for (i = 0; i < text_bytes && n + 3 < LOG_QUOTED; i++) {
        if (text[i] == '"' || text[i] == '\\')
            out[n++] = '\\';
        out[n++] = clean_char(text[i]);
    }
    out[n++] = '"';
    out[n] = '\0';
    return out;
}

static uint32_t level_of(xentoollog_level level)
{
    if (level >= XTL_ERROR)
        return LOG_LEVEL_ERROR;
    if (level >= XTL_WARN)
        return LOG_LEVEL_WARNING;
    /* Every step of libxl's: not what the daemon's user wants to read. */
    return LOG_LEVEL_DEBUG;
}

static void from_xen(xentoollog_logger *logger, xentoollog_level level,
                     int errnoval, const char *context, const char *format,
                     va_list al) __attribute__((format(printf, 5, 0)));

static void from_xen(xentoollog_logger *logger, xentoollog_level level,
                     int errnoval, const char *context, const char *format,
                     va_list al)
{
    char text[TEXT_BYTES], quoted[LOG_QUOTED];

    (void)logger;
    if (level_of(level) > sink.level)
        return;
    vsnprintf(text, sizeof(text), format, al);
    log_event(level_of(level), "library", "from=%s errno=%d text=%s",
              context ? context : "xen", errnoval < 0 ? 0 : errnoval,
              log_quote(text, strlen(text), quoted));
}

static void from_xen_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

struct xentoollog_logger *log_xen_logger(void)
{
    static xentoollog_logger logger = {.vmessage = from_xen,
                                       .destroy = from_xen_destroy};

    return &logger;
}
