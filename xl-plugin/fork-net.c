/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-net */
#include "config.h"

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <xenfork.h>

#include "args.h"
#include "cmd.h"
#include "exitcodes.h"
#include "session.h"

#define BRIDGE "bridge="

struct options {
    const char *clone; /* NULL: nothing to do */
    const char *bridge;
    int link; /* without a bridge */
    uint32_t nic;
};

enum {
    OPT_NIC = 256,
};

static const struct option long_options[] = {
    {"nic", required_argument, NULL, OPT_NIC},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool parse_action(const char *text, struct options *options)
{
    if (strncmp(text, BRIDGE, strlen(BRIDGE)) == 0) {
        options->bridge = text + strlen(BRIDGE);
        return *options->bridge;
    }
    return parse_link(text, &options->link) &&
           options->link != XENFORK_LINK_AUTO;
}

static int parse_options(int argc, char **argv, struct options *options)
{
    uint64_t nic;
    int opt;

    while ((opt = getopt_long(argc, argv, "vh", long_options, NULL)) != -1) {
        if (opt == 'h')
            return cmd_help(&cmd_fork_net);
        if (opt == 'v') {
            verbosity++;
        } else if (opt == OPT_NIC &&
                   parse_number(optarg, 0, UINT16_MAX, &nic)) {
            options->nic = nic;
        } else {
            return cmd_usage(&cmd_fork_net);
        }
    }
    if (argc - optind != 2 || !parse_action(argv[optind + 1], options))
        return cmd_usage(&cmd_fork_net);
    options->clone = argv[optind];
    return EXIT_DONE;
}

static int main_fork_net(int argc, char **argv)
{
    struct options options = {.nic = XENFORK_ALL};
    xenfork_ctx *ctx = NULL;
    int status;
    int rc;

    status = parse_options(argc, argv, &options);
    if (status != EXIT_DONE || !options.clone)
        return status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    if (options.bridge)
        rc = xenfork_clone_set_nic_bridge(ctx, options.clone, options.nic,
                                          options.bridge);
    else
        rc = xenfork_clone_set_nic_link(ctx, options.clone, options.nic,
                                        options.link);
    if (rc < 0)
        status = session_failed(ctx, rc);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_net = {
    .name = "fork-net",
    .run = main_fork_net,
    .usage = "[--nic N] CLONE connect|hold|bridge=NAME",
    .help = "Connect, hold or move the NICs of a clone\n"
            "\n"
            "A clone is given by name, UUID or domid.\n"
            "\n"
            "  connect        let its NICs forward\n"
            "  hold           drop what the NICs send, and send them nothing\n"
            "  bridge=NAME    move a NIC to another bridge, for good; a NIC\n"
            "                 that is held stays held there\n"
            "\n"
            "      --nic=N    only this NIC, counted from 0 (default: all;\n"
            "                 with bridge=: the only one)\n"
            "  -v, --verbose  show each stage; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
            "is left.\n",
};
