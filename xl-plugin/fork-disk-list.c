/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-disk-list */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>

#include "cmd.h"
#include "exitcodes.h"
#include "output.h"
#include "run.h"
#include "session.h"

/*
 * Return the space that a disk takes; NOT_KNOWN after a message, and
 * *status_out says so.
 */
struct usage {
    uint64_t allocated_kib, own_kib;
};

static struct usage usage_of(xenfork_ctx *ctx, const xenfork_disk *disk,
                             int *status_out)
{
    struct usage usage = {XENFORK_NOT_KNOWN, XENFORK_NOT_KNOWN};
    int rc;

    if (session_is_cancelled()) {
        *status_out = EXIT_FAILED;
        return usage;
    }
    rc = xenfork_disk_usage(ctx, disk, &usage.allocated_kib, &usage.own_kib);
    if (rc < 0)
        *status_out = session_failed(ctx, rc);
    return usage;
}

static void cell_mib(struct table *table, uint64_t kib)
{
    if (kib == XENFORK_NOT_KNOWN)
        table_cell(table, "-");
    else
        table_mib(table, kib);
}

static void add_disk_row(struct table *table, const xenfork_entry *entry,
                         const xenfork_disk *disk, const struct usage *usage)
{
    bool is_clone = xenfork_entry_kind(entry) == XENFORK_KIND_CLONE;

    const char *name = xenfork_entry_name(entry);

    table_cell(table, "%s%s", is_clone ? "  " : "", name ? name : "-");
    table_cell(table, "%s", xenfork_disk_vdev(disk));
    table_cell(table, "%s", xenfork_disk_driver(disk));
    cell_mib(table, usage->allocated_kib);
    cell_mib(table, usage->own_kib);
    table_cell(table, "%" PRIu32, xenfork_disk_depth(disk));
    if (is_clone)
        table_cell(table, "-");
    else
        table_cell(table, "%" PRIu32, xenfork_disk_users(disk));
    table_cell(table, "%s", xenfork_disk_path(disk));
}

static int print_disks_table(xenfork_ctx *ctx, const xenfork_list *list)
{
    static const char *const headings[] = {"NAME",   "DISK", "DRIVER",
                                           ">MIB",   ">OWN", ">DEPTH",
                                           ">USERS", "PATH", NULL};
    struct table *table = table_new(headings);
    int status = EXIT_DONE;
    uint32_t i, d;

    if (!table)
        return EXIT_FAILED;
    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        for (d = 0; d < xenfork_entry_disk_count(entry); d++) {
            const xenfork_disk *disk = xenfork_entry_disk(entry, d);
            struct usage usage = usage_of(ctx, disk, &status);

            add_disk_row(table, entry, disk, &usage);
        }
    }
    return table_print(table) ? status : EXIT_FAILED;
}

static void json_kib(struct json *json, const char *key, uint64_t kib)
{
    if (kib == XENFORK_NOT_KNOWN)
        json_string(json, key, NULL);
    else
        json_number(json, key, kib);
}

static void json_disk(struct json *json, const xenfork_entry *entry,
                      const xenfork_disk *disk, const struct usage *usage)
{
    bool is_clone = xenfork_entry_kind(entry) == XENFORK_KIND_CLONE;

    json_open_map(json, NULL);
    json_string(json, "name", xenfork_entry_name(entry));
    json_string(json, "kind", is_clone ? "overlay" : "base");
    json_string(json, "of", xenfork_entry_parent(entry));
    json_string(json, "vdev", xenfork_disk_vdev(disk));
    json_string(json, "driver", xenfork_disk_driver(disk));
    json_string(json, "path", xenfork_disk_path(disk));
    json_kib(json, "allocated_kib", usage->allocated_kib);
    json_kib(json, "own_kib", usage->own_kib);
    json_number(json, "depth", xenfork_disk_depth(disk));
    json_number(json, "users", xenfork_disk_users(disk));
    json_close_map(json);
}

static int print_disks_json(xenfork_ctx *ctx, const xenfork_list *list)
{
    struct json *json = json_new();
    int status = EXIT_DONE;
    uint32_t i, d;

    if (!json)
        return EXIT_FAILED;
    json_open_list(json, NULL);
    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        for (d = 0; d < xenfork_entry_disk_count(entry); d++) {
            const xenfork_disk *disk = xenfork_entry_disk(entry, d);
            struct usage usage = usage_of(ctx, disk, &status);

            json_disk(json, entry, disk, &usage);
        }
    }
    json_close_list(json);
    return json_print(json) ? status : EXIT_FAILED;
}

static int print_disks_list(xenfork_ctx *ctx, const xenfork_list *list,
                            const struct simple_options *options)
{
    return options->is_json ? print_disks_json(ctx, list)
                            : print_disks_table(ctx, list);
}

static int main_fork_disk_list(int argc, char **argv)
{
    return run_list(argc, argv, &cmd_fork_disk_list, 0, XENFORK_LIST_BASES,
                    print_disks_list);
}

const struct cmd cmd_fork_disk_list = {
    .name = "fork-disk-list",
    .run = main_fork_disk_list,
    .usage = "[--json]",
    .help =
        "List the disks of images and clones, and the space they take\n"
        "\n"
        "Each base of an image is followed by the overlays of its clones,\n"
        "which USERS counts.  A base without a name has lost its image;\n"
        "others are still backed by it, perhaps the source's own disk.\n"
        "MIB is the storage that a disk refers to, also together with\n"
        "others.  OWN is what would be free without it, where that is\n"
        "known.  DEPTH is how many layers a read may have to look through.\n"
        "\n"
        "      --json     print the list as JSON\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage.\n",
};
