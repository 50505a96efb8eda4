/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include <xenfork.h>

#include "check-output.h"
#include "cmd.h"
#include "daemon-hint.h"
#include "exitcodes.h"
#include "fork-options.h"
#include "fork-output.h"
#include "progress.h"
#include "session.h"
#include "wait.h"

static int print_result(const struct fork_options *options, uint32_t domid,
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

static int fork_domain(xenfork_ctx *ctx, const struct fork_options *options,
                       const xenfork_spec *spec)
{
    xenfork_result *result = NULL;
    uint64_t end_ms = 0;
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
    waited = options->wait_s
                 ? wait_for_clones(ctx, result, options->wait_s, &end_ms)
                 : EXIT_DONE;
    status = print_result(options, domid, result);
    xenfork_result_free(result);
    hint_daemon(options->flags & XENFORK_FORK_EPHEMERAL);
    return status == EXIT_DONE ? waited : status;
}

static int main_fork(int argc, char **argv)
{
    struct fork_options options = {.count = 1, .link = LINK_UNSET};
    xenfork_spec *spec = NULL;
    xenfork_ctx *ctx = NULL;
    int status;

    status = fork_parse(argc, argv, &options);
    if (status != EXIT_DONE || !options.domain)
        return status;
    status = fork_make_spec(&options, &spec);
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
        "                     clone's agent has acknowledged), hold, connect\n"
        "      --nic=NIC,...  one NIC, counted from 0: mac=MAC, bridge=NAME,\n"
        "                     ip=IP (what its script routes), clone=N (only\n"
        "                     for clone N), link=auto|hold|connect; may be\n"
        "                     given more than once\n"
        "      --disk=VDEV=HOW\n"
        "                     one disk of all clones: auto (the default),\n"
        "                     share (if it is read-only), none, or a driver:\n"
        "                     reflink, thin, lvthin, qcow2, vhd[:max-depth=N];\n"
        "                     may be given more than once\n"
        "      --mac-prefix=XX:XX:XX\n"
        "                     the first half of random MACs (default: 00:16:3e)\n"
        "      --param=KEY=VALUE\n"
        "                     a parameter that the clones can read; may be\n"
        "                     given more than once\n"
        "      --params-file=FILE\n"
        "                     JSON: a list with an object for each clone, of\n"
        "                     parameters that only this clone can read\n"
        "      --wait[=S]     wait until every clone's agent has acknowledged, or\n"
        "                     reported an error, at most S seconds (default 60)\n"
        "      --uuid=UUID    the clone's UUID (default: random)\n"
        "      --reserve=MEM  memory reserved for each clone: full, 25% (the\n"
        "                     default) or MiB\n"
        "      --priority=N   when the host has little memory, clones of lower\n"
        "                     priority are paused first: 0 to 99 (default 50)\n"
        "      --quiesce=HOW  auto (the default): the guest is asked to suspend,\n"
        "                     or stopped where it is if it uses nothing of\n"
        "                     Xen's; pause: only stopped, never made to run\n"
        "      --timeout=S    longest wait for the guest to suspend: 30 s\n"
        "      --max-stun=MS[,anyway]\n"
        "                     fail if DOMAIN would stand still for longer;\n"
        "                     anyway: only try to stay below\n"
        "      --pace=PERCENT how much of the time DOMAIN is left alone while\n"
        "                     its memory is shared: 50; 0: as fast as can be\n"
        "      --hydrate=WHEN clones take the rest of their memory from the\n"
        "                     image: now (in the background); auto, when the\n"
        "                     image is to be destroyed or they are detached;\n"
        "                     never (default as in xenfork.conf, now)\n"
        "      --no-hydrate   --hydrate=never\n"
        "      --keep-image   keep the image when its last clone is gone\n"
        "      --ephemeral[=HOW]\n"
        "                     xenforkd removes the clones and their disks:\n"
        "                     poweroff, when they power off or are destroyed;\n"
        "                     crash, when they crash, too; off, never (default\n"
        "                     as in xenfork.conf, off; without HOW: poweroff)\n"
        "      --json         print the result as JSON\n"
        "      --timings      print what each stage took\n"
        "  -v, --verbose      show each stage; twice: every call to Xen\n"
        "  -h, --help         this text\n"
        "\n"
        "Exit status: 0 done; 1 failed and undone; 2 usage; 3 failed and\n"
        "something is left; 4 with xl -N: only memory of the host is lacking.\n",
};
