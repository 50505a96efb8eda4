/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-check */
#include "config.h"

#include <stddef.h>

#include "check-output.h"
#include "cmd.h"
#include "daemon/conf.h"
#include "exitcodes.h"
#include "fork-options.h"
#include "options.h"
#include "session.h"

static int make_spec(xenfork_spec **spec_out)
{
    struct config config;
    uint32_t flags;
    int rc = xenfork_spec_new(1, spec_out);

    fork_read_config(&config);
    flags = fork_hydrate_flags(&config);
    if (rc < 0 ||
        (flags && (rc = xenfork_spec_set_flags(*spec_out, flags)) < 0))
        return rc;
    return fork_set_host(*spec_out, config.source_reserve,
                         config.memory_low_mib);
}

static int main_fork_check(int argc, char **argv)
{
    struct simple_options options;
    xenfork_spec *spec = NULL;
    xenfork_ctx *ctx = NULL;
    uint32_t domid;
    int status;
    int rc;

    if (!parse_simple(argc, argv, &cmd_fork_check, WITH_JSON, 1, 1, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    if ((rc = make_spec(&spec)) < 0 ||
        (rc = xenfork_find(ctx, options.names[0], &domid)) < 0)
        status = session_failed(ctx, rc);
    else
        status = check_and_print(ctx, options.names[0], domid, spec,
                                 options.is_json);
    xenfork_spec_free(spec);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_check = {
    .name = "fork-check",
    .run = main_fork_check,
    .usage = "[--json] DOMAIN",
    .help =
        "Check whether a domain can be forked, and if not, why\n"
        "\n"
        "Every reason is printed, with a way out.  For each disk that can\n"
        "be forked, the driver is printed, and why it was chosen.  The\n"
        "domain is not touched.\n"
        "\n"
        "      --json     print the result as JSON\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 it can be forked; 1 it cannot; 2 usage; 4 only for\n"
        "lack of memory: not now.\n",
};
