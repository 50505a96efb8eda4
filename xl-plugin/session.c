/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A verb's context: logger, signals, errors. */
#include "config.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <xentoollog.h>

#include "cmd.h"
#include "exitcodes.h"
#include "session.h"

static xenfork_ctx *volatile current; /* for the signal handler alone */
static volatile sig_atomic_t is_cancelled;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void catch_signals(int flags);

/*
 * Cancel.  The first signal interrupts a wait for a lock.  Later ones do not:
 * what is being undone then may have to wait for a lock, too.
 */
static void cancel(int signal)
{
    xenfork_ctx *ctx = current;

    (void)signal;
    is_cancelled = 1;
    if (ctx)
        xenfork_cancel(ctx);
    catch_signals(SA_RESTART);
}

static void catch_signals(int flags)
{
    struct sigaction action = {.sa_handler = cancel, .sa_flags = flags};
    size_t i;

    sigemptyset(&action.sa_mask);
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction old;

        /* nohup: what is ignored stays so */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

static void log_message(xentoollog_logger *logger, xentoollog_level level,
                        int errnoval, const char *context, const char *format,
                        va_list al) __attribute__((format(printf, 5, 0)));

static void log_message(xentoollog_logger *logger, xentoollog_level level,
                        int errnoval, const char *context, const char *format,
                        va_list al)
{
    bool is_library = context && strcmp(context, "xenfork") == 0;
    xentoollog_level least = XTL_WARN;

    (void)logger;
    if (verbosity == 1)
        least = XTL_INFO;
    else if (verbosity > 1)
        least = XTL_DEBUG;
    /* the library's errors come once, with a remedy, by session_failed() */
    if (level < least || (is_library && level >= XTL_ERROR && !verbosity))
        return;
    fprintf(stderr, "%s: %s: ", context ? context : "xl",
            xtl_level_to_string(level));
    vfprintf(stderr, format, al);
    if (errnoval > 0)
        fprintf(stderr, ": %s", strerror(errnoval));
    fputc('\n', stderr);
}

static void log_progress(xentoollog_logger *logger, const char *context,
                         const char *doing_what, int percent,
                         unsigned long done, unsigned long total)
{
    (void)logger;
    (void)total;
    (void)done;
    if (verbosity > 1)
        fprintf(stderr, "%s: %s: %d%%\n", context ? context : "xl", doing_what,
                percent);
}

static void log_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

static xentoollog_logger stderr_logger = {log_message, log_progress,
                                          log_destroy};

int session_open(xenfork_ctx **ctx_out)
{
    int rc = xenfork_open(ctx_out, &stderr_logger, 0);

    if (rc < 0) {
        fprintf(stderr, "xl: cannot open Xen's interfaces (%s)%s\n",
                xenfork_code_name(rc),
                rc == XENFORK_E_PERM ? ": run it as root in the control domain"
                                     : "");
        return EXIT_FAILED;
    }
    current = *ctx_out;
    catch_signals(0);
    return EXIT_DONE;
}

void session_close(xenfork_ctx *ctx)
{
    current = NULL;
    xenfork_close(ctx);
}

bool session_is_cancelled(void)
{
    return is_cancelled;
}

int session_interrupted(char *const *names)
{
    fprintf(stderr, "xl: interrupted; not begun: %s", names[0]);
    for (names++; *names; names++)
        fprintf(stderr, ", %s", *names);
    fputc('\n', stderr);
    return EXIT_FAILED;
}

void session_begin_names(xenfork_ctx *ctx, int count)
{
    if (count > 1)
        xenfork_batch_begin(ctx);
}

int session_end_names(xenfork_ctx *ctx, int count, int worst)
{
    int rc = count > 1 ? xenfork_batch_end(ctx) : 0;
    int status = rc < 0 ? session_failed(ctx, rc) : EXIT_DONE;

    return status > worst ? status : worst;
}

int session_failed(const xenfork_ctx *ctx, int rc)
{
    const char *text = xenfork_error_text(ctx);
    const char *remedy = xenfork_error_remedy(ctx);

    fprintf(stderr, "xl: %s\n", text && *text ? text : "failed");
    if (remedy && *remedy)
        fprintf(stderr, "xl: %s\n", remedy);
    if (rc == XENFORK_E_RESIDUE)
        return EXIT_RESIDUE;
    return rc == XENFORK_E_INVAL ? EXIT_USAGE : EXIT_FAILED;
}
