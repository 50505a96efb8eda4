/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fork-options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "daemon/conf.h"
#include "exitcodes.h"
#include "wait.h"

#define TIMEOUT_MAX 3600
#define PACE_MAX    95
#define ANYWAY      ",anyway"

enum {
    OPT_PAUSED = 256,
    OPT_NIC,
    OPT_DISK,
    OPT_NET,
    OPT_RESERVE,
    OPT_QUIESCE,
    OPT_TIMEOUT,
    OPT_MAX_STUN,
    OPT_PACE,
    OPT_UUID,
    OPT_MAC_PREFIX,
    OPT_PARAM,
    OPT_PARAMS_FILE,
    OPT_PRIORITY,
    OPT_WAIT,
    OPT_HYDRATE,
    OPT_NO_HYDRATE,
    OPT_KEEP_IMAGE,
    OPT_EPHEMERAL,
    OPT_JSON,
    OPT_TIMINGS,
};

static const struct option long_options[] = {
    {"count", required_argument, NULL, 'n'},
    {"paused", no_argument, NULL, OPT_PAUSED},
    {"nic", required_argument, NULL, OPT_NIC},
    {"disk", required_argument, NULL, OPT_DISK},
    {"net", required_argument, NULL, OPT_NET},
    {"reserve", required_argument, NULL, OPT_RESERVE},
    {"priority", required_argument, NULL, OPT_PRIORITY},
    {"quiesce", required_argument, NULL, OPT_QUIESCE},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"max-stun", required_argument, NULL, OPT_MAX_STUN},
    {"pace", required_argument, NULL, OPT_PACE},
    {"uuid", required_argument, NULL, OPT_UUID},
    {"mac-prefix", required_argument, NULL, OPT_MAC_PREFIX},
    {"param", required_argument, NULL, OPT_PARAM},
    {"params-file", required_argument, NULL, OPT_PARAMS_FILE},
    {"wait", optional_argument, NULL, OPT_WAIT},
    {"hydrate", required_argument, NULL, OPT_HYDRATE},
    {"no-hydrate", no_argument, NULL, OPT_NO_HYDRATE},
    {"keep-image", no_argument, NULL, OPT_KEEP_IMAGE},
    {"ephemeral", optional_argument, NULL, OPT_EPHEMERAL},
    {"json", no_argument, NULL, OPT_JSON},
    {"timings", no_argument, NULL, OPT_TIMINGS},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

const char *fork_config_file = XENFORK_CONFIG_FILE;

static const uint32_t ephemeral_flags[] = {
    [CONFIG_EPHEMERAL_OFF] = 0,
    [CONFIG_EPHEMERAL_POWEROFF] = XENFORK_FORK_EPHEMERAL,
    [CONFIG_EPHEMERAL_CRASH] = XENFORK_FORK_EPHEMERAL |
                               XENFORK_FORK_EPHEMERAL_CRASH,
};

static const uint32_t hydrate_flags[] = {
    [CONFIG_HYDRATE_NOW] = 0,
    [CONFIG_HYDRATE_AUTO] = XENFORK_FORK_AUTO_HYDRATE,
    [CONFIG_HYDRATE_NEVER] = XENFORK_FORK_NO_HYDRATE,
};

uint32_t fork_hydrate_flags(const struct config *config)
{
    return hydrate_flags[config->hydrate];
}

/* Parse when the clones are hydrated; the last option counts. */
static bool parse_hydrate(const char *text, struct fork_options *options)
{
    uint32_t hydrate;

    if (!config_hydrate_parse(text, &hydrate))
        return false;
    options->flags &= ~(XENFORK_FORK_NO_HYDRATE | XENFORK_FORK_AUTO_HYDRATE);
    options->flags |= hydrate_flags[hydrate];
    options->has_hydrate = true;
    return true;
}

/* Parse the end of a clone; the last option counts. */
static bool parse_ephemeral(struct fork_options *options)
{
    uint32_t end = CONFIG_EPHEMERAL_POWEROFF;

    if (optarg && !config_end_parse(optarg, &end))
        return false;
    options->flags &= ~ephemeral_flags[CONFIG_EPHEMERAL_CRASH];
    options->flags |= ephemeral_flags[end];
    options->has_ephemeral = true;
    return true;
}

void fork_read_config(struct config *config_out)
{
    char message[CONFIG_MESSAGE];

    config_default(config_out);
    if (fork_config_file && !access(fork_config_file, F_OK) &&
        !config_load(fork_config_file, config_out, message))
        fprintf(stderr, "xl: %s, ignoring the whole file\n", message);
}

static void set_defaults(struct fork_options *options)
{
    struct config config;

    fork_read_config(&config);
    if (!options->has_ephemeral)
        options->flags |= ephemeral_flags[config.ephemeral];
    if (!options->has_hydrate)
        options->flags |= fork_hydrate_flags(&config);
    options->source_reserve = config.source_reserve;
    options->memory_low_mib = config.memory_low_mib;
}

static bool parse_count(uint32_t *count_out)
{
    uint64_t count;

    if (!parse_number(optarg, 1, XENFORK_MAX_CLONES, &count))
        return false;
    *count_out = count;
    return true;
}

/* Parse "MS" or "MS,anyway". */
static bool parse_max_stun(struct fork_options *options)
{
    size_t length = strlen(optarg), end = strlen(ANYWAY);
    char text[32];

    options->flags &= ~XENFORK_FORK_STUN_ANYWAY;
    if (length > end && !strcmp(optarg + length - end, ANYWAY)) {
        options->flags |= XENFORK_FORK_STUN_ANYWAY;
        length -= end;
    }
    if (length >= sizeof(text))
        return false;
    memcpy(text, optarg, length);
    text[length] = '\0';
    return parse_number(text, 1, TIMEOUT_MAX * 1000, &options->max_stun_ms);
}

/* Parse how the source is treated. */
static bool parse_source_value(int opt, struct fork_options *options)
{
    switch (opt) {
    case OPT_TIMEOUT:
        return parse_number(optarg, 1, TIMEOUT_MAX, &options->timeout_s);
    case OPT_MAX_STUN:
        return parse_max_stun(options);
    case OPT_PACE:
        return options->has_pace = parse_number(optarg, 0, PACE_MAX,
                                                &options->pace);
    default:
        return false;
    }
}

/* Parse what the clones are told, and how long they have to answer. */
static bool parse_guest_value(int opt, struct fork_options *options)
{
    switch (opt) {
    case OPT_MAC_PREFIX:
        return options->has_mac_prefix = parse_mac_prefix(optarg,
                                                          options->mac_prefix);
    case OPT_PARAM:
        if (options->param_count == XENFORK_MAX_PARAMS)
            return false;
        options->params[options->param_count++] = optarg;
        return true;
    case OPT_PARAMS_FILE:
        options->params_file = optarg;
        return true;
    case OPT_WAIT:
        return parse_wait(optarg, &options->wait_s);
    default:
        return parse_source_value(opt, options);
    }
}

/* Parse the value of an option; false if it is malformed. */
static bool parse_value(int opt, struct fork_options *options)
{
    switch (opt) {
    case 'n':
        return parse_count(&options->count);
    case OPT_NIC:
        return options->nic_count < FORK_NICS_MAX &&
               parse_nic(optarg, &options->nics[options->nic_count++]);
    case OPT_DISK:
        if (options->disk_count == FORK_DISKS_MAX || !strchr(optarg, '='))
            return false;
        options->disks[options->disk_count++] = optarg;
        return true;
    case OPT_NET:
        return parse_link(optarg, &options->link);
    case OPT_RESERVE:
        return parse_reserve(optarg, &options->reserve);
    case OPT_PRIORITY:
        return options->has_priority = parse_number(
                   optarg, 0, XENFORK_MAX_PRIORITY, &options->priority);
    case OPT_QUIESCE:
        options->is_pause = !strcmp(optarg, "pause");
        return options->is_pause || !strcmp(optarg, "auto");
    case OPT_UUID:
        return options->has_uuid = parse_uuid(optarg, options->uuid);
    case OPT_PAUSED:
        options->is_paused = true;
        return true;
    case OPT_HYDRATE:
        return parse_hydrate(optarg, options);
    case OPT_NO_HYDRATE:
        return parse_hydrate("never", options);
    case OPT_KEEP_IMAGE:
        options->flags |= XENFORK_FORK_KEEP_IMAGE;
        return true;
    case OPT_EPHEMERAL:
        return parse_ephemeral(options);
    case OPT_JSON:
        options->is_json = true;
        return true;
    case OPT_TIMINGS:
        options->has_timings = true;
        return true;
    case 'v':
        verbosity++;
        return true;
    default:
        return parse_guest_value(opt, options);
    }
}

/* Check what getopt cannot see: values that contradict each other. */
static int check_options(const struct fork_options *options)
{
    uint32_t i;

    if (options->has_uuid && options->count > 1) {
        fprintf(stderr, "xl: --uuid is for one clone\n");
        return cmd_usage(&cmd_fork);
    }
    if (options->wait_s && options->is_paused) {
        fprintf(stderr, "xl: --wait: paused clones do not acknowledge\n");
        return cmd_usage(&cmd_fork);
    }
    for (i = 0; i < options->nic_count; i++) {
        const struct nic_arg *nic = &options->nics[i];

        if (nic->clone != XENFORK_ALL && nic->clone >= options->count) {
            fprintf(stderr, "xl: --nic: there is no clone %u of %u\n",
                    nic->clone + 1, options->count);
            return cmd_usage(&cmd_fork);
        }
        if (nic->has_mac && nic->clone == XENFORK_ALL && options->count > 1) {
            fprintf(stderr, "xl: --nic: a MAC is for one clone: add clone=N\n");
            return cmd_usage(&cmd_fork);
        }
        if (nic->ip[0] && nic->clone == XENFORK_ALL && options->count > 1) {
            fprintf(stderr, "xl: --nic: an IP is for one clone: add clone=N\n");
            return cmd_usage(&cmd_fork);
        }
    }
    return EXIT_DONE;
}

int fork_parse(int argc, char **argv, struct fork_options *options)
{
    int index;
    int opt;

    while ((opt = getopt_long(argc, argv, "n:vh", long_options, &index)) !=
           -1) {
        if (opt == 'h')
            return cmd_help(&cmd_fork);
        if (opt == '?')
            return cmd_usage(&cmd_fork);
        if (!parse_value(opt, options)) {
            fprintf(stderr, "xl: malformed value of %s: '%s'\n",
                    opt == 'n' ? "--count" : long_options[index].name, optarg);
            return cmd_usage(&cmd_fork);
        }
    }
    argc -= optind;
    argv += optind;
    if (argc < 1 || argc > 2)
        return cmd_usage(&cmd_fork);
    options->name = argv[1];
    if (check_options(options) != EXIT_DONE)
        return EXIT_USAGE;
    set_defaults(options);
    options->domain = argv[0];
    return EXIT_DONE;
}
