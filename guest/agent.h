/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-agent: what a guest does to become a domain of its own after a fork.
 * Needs libc and Linux only, and no configure: cc -static guest/<all>.c will
 * do. Functions return 0 or -errno unless they say otherwise.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include <stdbool.h>
#include <stddef.h>

#ifndef XENFORK_AGENT_CONFIG_DIR
#define XENFORK_AGENT_CONFIG_DIR "/etc/xenfork"
#endif

/* Part of the interface: scripts branch on them. */
enum {
    AGENT_DONE = 0, /* of freeze: this is the source */
    AGENT_FAILED = 1,
    AGENT_USAGE = 2,
    AGENT_CLONE = 10, /* of freeze: this is a clone */
};

struct options {
    const char *config_dir;      /* has post-fork.d and its sisters */
    const char *run_dir;         /* lock, and the generation adapted to */
    const char *state_dir;       /* the same, over restarts of the system */
    const char *random;          /* the kernel's generator */
    const char *xenbus;          /* NULL: where Linux has it */
    unsigned int hook_timeout_s; /* for each hook */
    unsigned int timeout_s;      /* for freezing; 0: none */
    bool is_eval;                /* params: names fit for a shell */
};

#endif
