/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon in a test: its clock is ours, its workers are only noted. */
#ifndef SERVING_H
#define SERVING_H

#include <stdint.h>

#include "daemon/serve.h"

#define FAILED (1 << 8) /* exit status 1, as of waitpid(2) */

struct started {
    int kind;
    char target[WORKER_TARGET_BYTES];
};

struct serving {
    xenfork_ctx *ctx;
    struct daemon daemon;
    struct config config;
    uint64_t now_ms;
    uint32_t a, b; /* guests */
    pid_t spawn_error;
    void (*ends)(void); /* the daemon, as no event can be read; NULL: fail */
    uint32_t count;
    struct started started[4096];
};

extern struct serving s;

/* A daemon that has not begun, and guests "src" and "b". */
int serving_setup(void **state);
int serving_teardown(void **state);

/* As loop.c does it, until there are no events. */
void turn(void);
/* See what has happened; then let nothing happen until then. */
void sleep_until(uint64_t ms);
/* How many workers were started; target NULL: any. */
uint32_t started(int kind, const char *target);
/* Return a domid as text; static. */
const char *text_of(uint32_t domid);
/* The last worker of this kind ends; and the next turn. */
void end(int kind, int status);
/* Until nothing is to be done any more. */
void start_up(void);

#endif
