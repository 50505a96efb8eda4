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

/* What a disk takes; NOT_KNOWN after a message, and *status_out says so. */
struct usage {
    uint64_t allocated_kib, own_kib;
};

static struct usage usage_of(xenfork_ctx *ctx, const xenfork_list *list,
                             uint32_t index, uint32_t disk, int *status_out)
{
    struct usage usage = {XENFORK_NOT_KNOWN, XENFORK_NOT_KNOWN};
    int rc = xenfork_disk_usage(ctx, list, index, disk, &usage.allocated_kib,
                                &usage.own_kib);

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

static void add_row(struct table *table, const xenfork_list *list,
                    uint32_t index, uint32_t disk, const struct usage *usage)
{
    bool is_clone = xenfork_list_kind(list, index) == XENFORK_KIND_CLONE;

    const char *name = xenfork_list_name(list, index);

    table_cell(table, "%s%s", is_clone ? "  " : "", name ? name : "-");
    table_cell(table, "%s", xenfork_list_disk_vdev(list, index, disk));
    table_cell(table, "%s", xenfork_list_disk_driver(list, index, disk));
    cell_mib(table, usage->allocated_kib);
    cell_mib(table, usage->own_kib);
    table_cell(table, "%" PRIu32, xenfork_list_disk_depth(list, index, disk));
    if (is_clone)
        table_cell(table, "-");
    else
        table_cell(table, "%" PRIu32,
                   xenfork_list_disk_users(list, index, disk));
    table_cell(table, "%s", xenfork_list_disk_path(list, index, disk));
}

static int print_table(xenfork_ctx *ctx, const xenfork_list *list)
{
    static const char *const headings[] = {"NAME",   "DISK", "DRIVER",
                                           ">MIB",   ">OWN", ">DEPTH",
                                           ">USERS", "PATH", NULL};
    struct table *table = table_new(headings);
    int status = EXIT_DONE;
    uint32_t i, disk;

    if (!table)
        return EXIT_FAILED;
    for (i = 0; i < xenfork_list_count(list); i++)
        for (disk = 0; disk < xenfork_list_disk_count(list, i); disk++) {
            struct usage usage = usage_of(ctx, list, i, disk, &status);

            add_row(table, list, i, disk, &usage);
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

static void json_disk(struct json *json, const xenfork_list *list,
                      uint32_t index, uint32_t disk, const struct usage *usage)
{
    bool is_clone = xenfork_list_kind(list, index) == XENFORK_KIND_CLONE;

    json_open_map(json, NULL);
    json_string(json, "name", xenfork_list_name(list, index));
    json_string(json, "kind", is_clone ? "delta" : "sealed");
    json_string(json, "of", xenfork_list_parent(list, index));
    json_string(json, "vdev", xenfork_list_disk_vdev(list, index, disk));
    json_string(json, "driver", xenfork_list_disk_driver(list, index, disk));
    json_string(json, "path", xenfork_list_disk_path(list, index, disk));
    json_kib(json, "allocated_kib", usage->allocated_kib);
    json_kib(json, "own_kib", usage->own_kib);
    json_number(json, "depth", xenfork_list_disk_depth(list, index, disk));
    json_number(json, "users", xenfork_list_disk_users(list, index, disk));
    json_close_map(json);
}

static int print_json(xenfork_ctx *ctx, const xenfork_list *list)
{
    struct json *json = json_new();
    int status = EXIT_DONE;
    uint32_t i, disk;

    if (!json)
        return EXIT_FAILED;
    json_open_list(json, NULL);
    for (i = 0; i < xenfork_list_count(list); i++)
        for (disk = 0; disk < xenfork_list_disk_count(list, i); disk++) {
            struct usage usage = usage_of(ctx, list, i, disk, &status);

            json_disk(json, list, i, disk, &usage);
        }
    json_close_list(json);
    return json_print(json) ? status : EXIT_FAILED;
}

static int print(xenfork_ctx *ctx, const xenfork_list *list,
                 const struct simple_options *options)
{
    return options->is_json ? print_json(ctx, list) : print_table(ctx, list);
}

static int main_fork_disk_list(int argc, char **argv)
{
    return run_list(argc, argv, &cmd_fork_disk_list, 0, xenfork_list_disks,
                    print);
}

const struct cmd cmd_fork_disk_list = {
    .name = "fork-disk-list",
    .run = main_fork_disk_list,
    .usage = "[--json]",
    .help = "List the disks of images and clones, and the space they take\n"
            "\n"
            "An image's disks are sealed; each is followed by the deltas of\n"
            "the clones made from it, of which there are USERS.  What is\n"
            "sealed and has no name has lost its image: others lie on it\n"
            "still, the source's own disk perhaps.  MIB is the\n"
            "storage that a disk refers to, also together with others, OWN\n"
            "what would be free without it, where that is known; DEPTH the\n"
            "layers that a read may have to look through.\n"
            "\n"
            "      --json     print the list as JSON\n"
            "  -v, --verbose  say what is done; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage.\n",
};
