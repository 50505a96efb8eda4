/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options of xl fork, and what is asked of the library by them. */
#ifndef XL_PLUGIN_FORK_OPTIONS_H
#define XL_PLUGIN_FORK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include <xenfork.h>

#include "args.h"

#define FORK_NICS_MAX  256 /* --nic options */
#define FORK_DISKS_MAX 64  /* --disk options */

struct fork_options {
    const char *domain;
    const char *name; /* NULL: the library names the clones */
    uint32_t count;
    uint32_t flags;
    bool has_priority;
    uint64_t priority;
    uint64_t timeout_s;   /* 0: the library's default */
    uint64_t max_stun_ms; /* 0: the library's default */
    uint64_t pace;
    bool has_pace;
    struct reserve_arg reserve;
    int link; /* of all NICs; LINK_UNSET: the library's default */
    struct nic_arg nics[FORK_NICS_MAX];
    uint32_t nic_count;
    char *disks[FORK_DISKS_MAX]; /* "VDEV=HOW" */
    uint32_t disk_count;
    bool has_mac_prefix;
    uint8_t mac_prefix[3];
    const char *params[XENFORK_MAX_PARAMS];
    uint32_t param_count;
    const char *params_file;
    uint64_t wait_s; /* 0: do not */
    bool has_uuid;
    uint8_t uuid[16];
    bool has_hydrate;   /* likewise */
    bool has_ephemeral; /* flags say it; else xenfork.conf does */
    uint32_t source_reserve, memory_low_mib; /* as xenfork.conf says */
    bool is_paused;
    bool is_pause; /* --quiesce=pause */
    bool is_json;
    bool has_timings;
};

/* Read xenfork.conf; with a mistake in it all is as by default. */
struct config;
void fork_read_config(struct config *config_out);
/* Return the flags of a spec for when clones are hydrated by default. */
uint32_t fork_hydrate_flags(const struct config *config);
/* Set what holds for every fork on this host.  XENFORK_E_* */
int fork_set_host(xenfork_spec *spec, uint32_t source_reserve,
                  uint32_t memory_low_mib);
extern const char *fork_config_file; /* NULL: there is none */

/*
 * Parse the command line.  EXIT_DONE and a domain, or the EXIT_* to leave with
 * (--help: no domain).
 */
int fork_parse(int argc, char **argv, struct fork_options *options);
/* Make the spec.  EXIT_DONE, or the EXIT_* after a message. */
int fork_make_spec(const struct fork_options *options, xenfork_spec **spec_out);

#endif
