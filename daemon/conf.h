/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /etc/xen/xenfork.conf: KEY = VALUE, as in xl.conf. */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config {
    uint32_t log_level; /* LOG_LEVEL_* */
    bool is_freeze_allowed;
    uint32_t freeze_timeout_s;
    uint32_t freeze_burst;      /* requests that a guest may make at once */
    uint32_t freeze_interval_s; /* then one in so many seconds */
    uint32_t freeze_workers;
    bool has_policies;
    uint32_t policy_timeout_s;
    uint32_t policy_workers;
    uint32_t hydrate_mib_s; /* 0: as fast as it goes */
    uint32_t memory_low_mib, memory_floor_mib, memory_ok_mib;
    uint32_t memory_balloon; /* per cent that clones keep; 0: as they like */
    uint32_t source_reserve; /* per cent, of a source that waits */
    uint32_t ephemeral;      /* CONFIG_EPHEMERAL_*: of xl fork */
    uint32_t hydrate;        /* CONFIG_HYDRATE_*: of xl fork */
};

#define CONFIG_SOURCE_RESERVE 25U

#define CONFIG_EPHEMERAL_OFF      0U
#define CONFIG_EPHEMERAL_POWEROFF 1U
#define CONFIG_EPHEMERAL_CRASH    2U
/* Parse "off", "poweroff" or "crash" */
bool config_end_parse(const char *text, uint32_t *end_out);

#define CONFIG_HYDRATE_NOW   0U
#define CONFIG_HYDRATE_AUTO  1U
#define CONFIG_HYDRATE_NEVER 2U
/* Parse "now", "auto" or "never" */
bool config_hydrate_parse(const char *text, uint32_t *hydrate_out);

#define CONFIG_MAX_BYTES 65536U
#define CONFIG_MESSAGE   256U

void config_default(struct config *config);
/*
 * Parse a configuration on top of the defaults.  False: message_out tells file,
 * line and what is wrong; config is untouched.
 */
bool config_parse(const char *file, const char *text, size_t bytes,
                  struct config *config, char message_out[CONFIG_MESSAGE]);
/* Parse a configuration from a file. */
bool config_load(const char *file, struct config *config,
                 char message_out[CONFIG_MESSAGE]);
/* Return the name of a key, counted from 0; NULL: no more. */
const char *config_key_name(size_t i);

#endif
