/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenfork.h>

#include "args.h"
#include "check-output.h"
#include "cmd.h"
#include "daemon-hint.h"
#include "exitcodes.h"
#include "fork-output.h"
#include "params.h"
#include "progress.h"
#include "session.h"

#define NICS_MAX    256 /* --nic options */
#define DISKS_MAX   64  /* --disk options */
#define TIMEOUT_MAX 3600
#define WAIT_S      60 /* --wait without a number */

struct options {
    const char *domain;
    const char *name; /* NULL: the library names the clones */
    uint32_t count;
    uint32_t flags;
    uint64_t timeout_s; /* 0: the library's default */
    struct reserve_arg reserve;
    int link; /* of all NICs; LINK_UNSET: the library's default */
    struct nic_arg nics[NICS_MAX];
    uint32_t nic_count;
    char *disks[DISKS_MAX]; /* "VDEV=HOW" */
    uint32_t disk_count;
    bool has_mac_prefix;
    uint8_t mac_prefix[3];
    const char *params[XENFORK_MAX_PARAMS];
    uint32_t param_count;
    const char *params_file;
    uint64_t wait_s; /* 0: do not */
    bool has_uuid;
    uint8_t uuid[16];
    bool is_paused;
    bool is_json;
    bool has_timings;
};

enum {
    OPT_PAUSED = 256,
    OPT_NIC,
    OPT_DISK,
    OPT_NET,
    OPT_RESERVE,
    OPT_TIMEOUT,
    OPT_UUID,
    OPT_MAC_PREFIX,
    OPT_PARAM,
    OPT_PARAMS_FILE,
    OPT_WAIT,
    OPT_NO_HYDRATE,
    OPT_KEEP_IMAGE,
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
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"uuid", required_argument, NULL, OPT_UUID},
    {"mac-prefix", required_argument, NULL, OPT_MAC_PREFIX},
    {"param", required_argument, NULL, OPT_PARAM},
    {"params-file", required_argument, NULL, OPT_PARAMS_FILE},
    {"wait", optional_argument, NULL, OPT_WAIT},
    {"no-hydrate", no_argument, NULL, OPT_NO_HYDRATE},
    {"keep-image", no_argument, NULL, OPT_KEEP_IMAGE},
    {"json", no_argument, NULL, OPT_JSON},
    {"timings", no_argument, NULL, OPT_TIMINGS},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_count(uint32_t *count_out)
{
    uint64_t count;

    if (!parse_number(optarg, 1, XENFORK_MAX_CLONES, &count))
        return false;
    *count_out = count;
    return true;
}

/* What the clones are told, and how long they have to answer. */
static bool parse_guest_value(int opt, struct options *options)
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
        options->wait_s = WAIT_S;
        return !optarg ||
               parse_number(optarg, 1, TIMEOUT_MAX, &options->wait_s);
    default:
        return false;
    }
}

/* One option's value; false if it is malformed. */
static bool parse_value(int opt, struct options *options)
{
    switch (opt) {
    case 'n':
        return parse_count(&options->count);
    case OPT_NIC:
        return options->nic_count < NICS_MAX &&
               parse_nic(optarg, &options->nics[options->nic_count++]);
    case OPT_DISK:
        if (options->disk_count == DISKS_MAX || !strchr(optarg, '='))
            return false;
        options->disks[options->disk_count++] = optarg;
        return true;
    case OPT_NET:
        return parse_link(optarg, &options->link);
    case OPT_RESERVE:
        return parse_reserve(optarg, &options->reserve);
    case OPT_TIMEOUT:
        return parse_number(optarg, 1, TIMEOUT_MAX, &options->timeout_s);
    case OPT_UUID:
        return options->has_uuid = parse_uuid(optarg, options->uuid);
    case OPT_PAUSED:
        options->is_paused = true;
        return true;
    case OPT_NO_HYDRATE:
        options->flags |= XENFORK_FORK_NO_HYDRATE;
        return true;
    case OPT_KEEP_IMAGE:
        options->flags |= XENFORK_FORK_KEEP_IMAGE;
        return true;
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

/* What getopt cannot see: values that do not go together. */
static int check_options(const struct options *options)
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
    }
    return EXIT_DONE;
}

/* EXIT_DONE and a domain, or the EXIT_* to leave with (--help: no domain). */
static int parse_options(int argc, char **argv, struct options *options)
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
    options->domain = argv[0];
    return EXIT_DONE;
}

static int set_names(xenfork_spec *spec, const struct options *options)
{
    uint32_t i;

    if (!options->name)
        return 0;
    if (options->count == 1)
        return xenfork_spec_set_name(spec, 0, options->name);
    for (i = 0; i < options->count; i++) {
        char name[80];
        int rc;

        if (snprintf(name, sizeof(name), "%s-%u", options->name, i + 1) >=
            (int)sizeof(name))
            return XENFORK_E_INVAL;
        rc = xenfork_spec_set_name(spec, i, name);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int set_nic(xenfork_spec *spec, const struct nic_arg *nic)
{
    /* a MAC for all clones has been refused unless there is only one */
    uint32_t mac_clone = nic->clone == XENFORK_ALL ? 0 : nic->clone;
    int rc = 0;

    if (nic->has_mac)
        rc = xenfork_spec_set_nic_mac(spec, mac_clone, nic->nic, nic->mac);
    if (rc == 0 && nic->bridge[0])
        rc = xenfork_spec_set_nic_bridge(spec, nic->clone, nic->nic,
                                         nic->bridge);
    if (rc == 0 && nic->link != LINK_UNSET)
        rc = xenfork_spec_set_nic_link(spec, nic->clone, nic->nic, nic->link);
    return rc;
}

static int set_disk(xenfork_spec *spec, char *text)
{
    char *how = strchr(text, '=');
    int rc;

    *how = '\0';
    rc = xenfork_spec_set_disk(spec, text, how + 1);
    *how = '=';
    return rc;
}

static int set_reserve(xenfork_spec *spec, const struct reserve_arg *reserve)
{
    if (!reserve->is_set)
        return 0;
    if (reserve->is_percent)
        return xenfork_spec_set_reserve_percent(spec, reserve->value);
    return xenfork_spec_set_reserve_kib(spec, reserve->value);
}

/* The rest of what a clone is to be; names the option that is refused. */
static int fill_guest(xenfork_spec *spec, const struct options *options,
                      const char **option_out)
{
    uint32_t i;
    int rc = 0;

    if (options->has_mac_prefix) {
        *option_out = "--mac-prefix";
        rc = xenfork_spec_set_mac_prefix(spec, options->mac_prefix);
    }
    for (i = 0; rc == 0 && i < options->param_count; i++) {
        *option_out = "--param";
        rc = params_set(spec, options->params[i]);
    }
    if (rc == 0 && options->params_file) {
        *option_out = "--params-file";
        rc = params_load(spec, options->params_file, options->count)
                 ? 0
                 : XENFORK_E_INVAL;
    }
    return rc;
}

/* Names the option that the library refuses. */
static int fill_spec(xenfork_spec *spec, const struct options *options,
                     const char **option_out)
{
    uint32_t i;
    int rc;

    *option_out = "NAME";
    rc = set_names(spec, options);
    if (rc == 0 && options->has_uuid) {
        *option_out = "--uuid";
        rc = xenfork_spec_set_uuid(spec, 0, options->uuid);
    }
    if (rc == 0 && options->link != LINK_UNSET) {
        *option_out = "--net";
        rc = xenfork_spec_set_nic_link(spec, XENFORK_ALL, XENFORK_ALL,
                                       options->link);
    }
    for (i = 0; rc == 0 && i < options->nic_count; i++) {
        *option_out = "--nic";
        rc = set_nic(spec, &options->nics[i]);
    }
    for (i = 0; rc == 0 && i < options->disk_count; i++) {
        *option_out = "--disk";
        rc = set_disk(spec, options->disks[i]);
    }
    if (rc == 0) {
        *option_out = "--reserve";
        rc = set_reserve(spec, &options->reserve);
    }
    if (rc == 0 && options->timeout_s) {
        *option_out = "--timeout";
        rc = xenfork_spec_set_timeout_ms(spec, options->timeout_s * 1000);
    }
    if (rc == 0 && options->is_paused) {
        *option_out = "--paused";
        rc = xenfork_spec_set_paused(spec, XENFORK_ALL, 1);
    }
    if (rc == 0) {
        *option_out = "--no-hydrate, --keep-image";
        rc = xenfork_spec_set_flags(spec, options->flags);
    }
    return rc ? rc : fill_guest(spec, options, option_out);
}

static int make_spec(const struct options *options, xenfork_spec **spec_out)
{
    const char *option = "--count";
    xenfork_spec *spec = NULL;
    int rc;

    rc = xenfork_spec_new(options->count, &spec);
    if (rc == 0)
        rc = fill_spec(spec, options, &option);
    if (rc == 0) {
        *spec_out = spec;
        return EXIT_DONE;
    }
    xenfork_spec_free(spec);
    if (rc == XENFORK_E_NOMEM) {
        fprintf(stderr, "xl: %s\n", strerror(ENOMEM));
        return EXIT_FAILED;
    }
    fprintf(stderr, "xl: malformed value: %s\n", option);
    return cmd_usage(&cmd_fork);
}

static int print_result(const struct options *options, uint32_t domid,
                        const xenfork_result *result)
{
    bool ok;

    if (options->is_json)
        ok = fork_print_json(options->domain, domid, result);
    else
        ok = fork_print(options->domain, result, options->wait_s) &&
             (!options->has_timings || fork_print_timings(result));
    return ok ? EXIT_DONE : EXIT_RESIDUE;
}

/* Those that are not ready, by name; the clones stay. */
static int wait_ready(xenfork_ctx *ctx, const struct options *options,
                      xenfork_result *result)
{
    uint32_t i;
    int rc;

    if (!options->wait_s)
        return EXIT_DONE;
    rc = xenfork_wait_ready(ctx, result, options->wait_s * 1000);
    if (rc == 0)
        return EXIT_DONE;
    session_failed(ctx, rc);
    for (i = 0; i < xenfork_result_count(result); i++)
        if (!xenfork_result_clone_is_ready(result, i))
            fprintf(stderr, "xl: %s has not acknowledged\n",
                    xenfork_result_clone_name(result, i));
    return EXIT_FAILED;
}

static int fork_domain(xenfork_ctx *ctx, const struct options *options,
                       const xenfork_spec *spec)
{
    xenfork_result *result = NULL;
    uint32_t domid;
    int waited;
    int status;
    int rc;

    rc = xenfork_find(ctx, options->domain, &domid);
    if (rc < 0)
        return session_failed(ctx, rc);
    if (is_dry_run)
        return check_and_print(ctx, options->domain, domid, spec,
                               options->is_json);

    if (is_terminal)
        xenfork_set_progress(ctx, progress_draw, NULL);
    rc = xenfork_fork(ctx, domid, spec, &result);
    progress_end();
    if (rc < 0)
        return session_failed(ctx, rc);
    waited = wait_ready(ctx, options, result);
    status = print_result(options, domid, result);
    xenfork_result_free(result);
    hint_daemon();
    return status == EXIT_DONE ? waited : status;
}

static int main_fork(int argc, char **argv)
{
    struct options options = {.count = 1, .link = LINK_UNSET};
    xenfork_spec *spec = NULL;
    xenfork_ctx *ctx = NULL;
    int status;

    status = parse_options(argc, argv, &options);
    if (status != EXIT_DONE || !options.domain)
        return status;
    status = make_spec(&options, &spec);
    if (status != EXIT_DONE)
        return status;
    status = session_open(&ctx);
    if (status == EXIT_DONE) {
        status = fork_domain(ctx, &options, spec);
        session_close(ctx);
    }
    xenfork_spec_free(spec);
    return status;
}

const struct cmd cmd_fork = {
    .name = "fork",
    .run = main_fork,
    .usage = "[options] DOMAIN [NAME]",
    .help =
        "Fork a running domain\n"
        "\n"
        "DOMAIN goes on running.  The clone is called NAME, or DOMAIN-1; the\n"
        "clones of --count are NAME-1, NAME-2 and on.\n"
        "\n"
        "  -n, --count=N      make N clones of the same instant (default 1)\n"
        "      --paused       do not start the clones\n"
        "      --net=LINK     all NICs: auto (the default: held until the\n"
        "                     clone's agent has acknowledged), hold or connect\n"
        "      --nic=NIC,...  one NIC, counted from 0: mac=MAC, bridge=NAME,\n"
        "                     link=auto|hold|connect, clone=N (only for clone\n"
        "                     N); may be given more than once\n"
        "      --disk=VDEV=HOW\n"
        "                     one disk of all clones: auto (the default),\n"
        "                     share (if it is read-only), none, or a driver:\n"
        "                     reflink, lvthin; may be given more than once\n"
        "      --mac-prefix=XX:XX:XX\n"
        "                     of MACs that are made up (default: 00:16:3e)\n"
        "      --param=KEY=VALUE\n"
        "                     a parameter that the clones can read; may be\n"
        "                     given more than once\n"
        "      --params-file=FILE\n"
        "                     JSON: a list with an object for each clone, of\n"
        "                     parameters that it alone can read\n"
        "      --wait[=S]     until every clone's agent has acknowledged, at\n"
        "                     most S seconds (default 60)\n"
        "      --uuid=UUID    the clone's UUID (default: random)\n"
        "      --reserve=MEM  memory set aside for each clone: full, 25%\n"
        "                     (the default) or MiB\n"
        "      --timeout=S    longest wait for the guest to suspend: 30 s\n"
        "      --no-hydrate   let the clones depend on the image for good\n"
        "      --keep-image   keep the image when its last clone is gone\n"
        "      --json         print the result as JSON\n"
        "      --timings      print what each stage took\n"
        "  -v, --verbose      say what is done; twice: every call to Xen\n"
        "  -h, --help         this text\n"
        "\n"
        "Exit status: 0 done; 1 failed and undone; 2 usage; 3 failed and\n"
        "something is left.\n",
};
