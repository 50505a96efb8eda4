/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Log each event as one line, key=value: "level=info event=freeze domid=5 …",
 * to stderr or to syslog.  Values that guests or libraries make are quoted.
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xentoollog_logger;

#define LOG_LEVEL_ERROR   0U
#define LOG_LEVEL_WARNING 1U
#define LOG_LEVEL_INFO    2U
#define LOG_LEVEL_DEBUG   3U

#define LOG_QUOTED 1100U /* enough for a value of log_quote() */

/* Open the log; @ident: a program's name, kept. */
void log_open(const char *ident, bool is_syslog);
void log_set_level(uint32_t level);
const char *log_level_name(uint32_t level);
bool log_level_parse(const char *text, uint32_t *level_out);

/* Log an event.  event: a word; fmt: "key=value key=value", no final stop. */
void log_event(uint32_t level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#define log_error(event, ...)   log_event(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...)    log_event(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...)   log_event(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

/*
 * Clean a text: printable ASCII on one line; other characters become '?'; cut
 * to fit.
 */
void log_clean(const char *text, size_t text_bytes, char *out,
               size_t out_bytes);
/*
 * Quote a text: double quotes around it, inner ones and '\' escaped; returns
 * out.
 */
const char *log_quote(const char *text, size_t text_bytes,
                      char out[LOG_QUOTED]);

/* Return a logger for Xen's libraries and ours, which writes in our form. */
struct xentoollog_logger *log_xen_logger(void);

#endif
