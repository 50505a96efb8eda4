/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A verb's context: logger, signals, errors. */
#ifndef XL_PLUGIN_SESSION_H
#define XL_PLUGIN_SESSION_H

#include <stdbool.h>

#include <xenfork.h>

/*
 * Open a context whose messages go to stderr.  SIGINT, SIGTERM and SIGHUP
 * cancel what runs on it.  Returns EXIT_DONE, or an EXIT_* after a message.
 */
int session_open(xenfork_ctx **ctx_out);
void session_close(xenfork_ctx *ctx);

/*
 * Tell whether such a signal has come: the next call on the context forgets
 * that it was cancelled.
 */
bool session_is_cancelled(void);
/* Say on stderr which names were left alone for that; returns the EXIT_*. */
int session_interrupted(char *const *names);

/* Begin a batch, if there are several names. */
void session_begin_names(xenfork_ctx *ctx, int count);
/* End it; returns @worst, or the worse EXIT_* of what has failed only now. */
int session_end_names(xenfork_ctx *ctx, int count, int worst);

/* Say on stderr why the last call on CTX failed; returns the EXIT_* for it. */
int session_failed(const xenfork_ctx *ctx, int rc);

#endif
