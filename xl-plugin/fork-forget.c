/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-forget */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cmd.h"
#include "exitcodes.h"
#include "run.h"

static void print_left_disks(const xenfork_list *list, const char *name)
{
    uint32_t i, d;

    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        if (xenfork_entry_kind(entry) != XENFORK_KIND_CLONE ||
            (strcmp(xenfork_entry_name(entry), name) != 0 &&
             strcasecmp(xenfork_entry_uuid(entry), name) != 0))
            continue;
        for (d = 0; d < xenfork_entry_disk_count(entry); d++) {
            const xenfork_disk *disk = xenfork_entry_disk(entry, d);

            printf("left: %s %s\n", xenfork_disk_vdev(disk),
                   xenfork_disk_path(disk));
        }
    }
}

/*
 * Forget a clone; its record says which disks are left, and is read before it
 * is removed.
 */
static int run_forget(xenfork_ctx *ctx, const char *name)
{
    xenfork_list *list = NULL;
    int rc = xenfork_list_open(ctx, 0, &list);

    if (rc == 0)
        rc = xenfork_clone_forget(ctx, name);
    if (rc == 0)
        print_left_disks(list, name);
    xenfork_list_free(list);
    return rc;
}

static int main_fork_forget(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_forget, ANY_NUMBER, run_forget);
}

const struct cmd cmd_fork_forget = {
    .name = "fork-forget",
    .run = main_fork_forget,
    .usage = "CLONE...",
    .help =
        "Forget clones that have no domain here, and leave their disks\n"
        "\n"
        "This is for clones that were migrated to another host.  xenfork\n"
        "does not know them, or their disks, any more.  The disks that are\n"
        "left are printed.\n"
        "\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
        "is left.\n",
};
