/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-list */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include "cmd.h"
#include "exitcodes.h"
#include "list-output.h"
#include "output.h"
#include "run.h"

/* Print errors and journals apart from the table, with their reasons. */
static bool print_errors_and_journals(const xenfork_list *list)
{
    uint32_t i;

    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        if (xenfork_entry_error(entry) &&
            printf("clone %s could not adapt: %s\n", xenfork_entry_name(entry),
                   xenfork_entry_error(entry)) < 0)
            return false;
    }
    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        if (xenfork_entry_kind(entry) == XENFORK_KIND_JOURNAL &&
            printf("journal %s: %s: %s\n", xenfork_entry_name(entry),
                   xenfork_entry_state(entry), xenfork_entry_parent(entry)) < 0)
            return false;
    }
    return fflush(stdout) == 0;
}

static bool print_entries_table(const xenfork_list *list)
{
    static const char *const headings[] = {
        "NAME",  ">ID",       "STATE",     ">MIB",      ">SHARED", ">PRIVATE",
        ">HOST", ">HYDRATED", "EPHEMERAL", "MADE FROM", NULL};
    struct table *table = table_new(headings);
    uint32_t i;

    if (!table)
        return false;
    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);
        int kind = xenfork_entry_kind(entry);
        bool is_clone = kind == XENFORK_KIND_CLONE;
        const char *ephemeral = xenfork_entry_ephemeral(entry);

        if (kind == XENFORK_KIND_JOURNAL)
            continue;
        table_cell(table, "%s%s", is_clone ? "  " : "",
                   xenfork_entry_name(entry));
        table_domid(table, xenfork_entry_domid(entry));
        table_cell(table, "%s", xenfork_entry_state(entry));
        table_mib(table, xenfork_entry_total_kib(entry));
        table_mib(table, xenfork_entry_shared_kib(entry));
        table_mib(table, xenfork_entry_private_kib(entry));
        table_mib(table, xenfork_entry_host_kib(entry));
        if (is_clone)
            table_cell(table, "%u%%", xenfork_entry_hydrated(entry));
        else
            table_cell(table, "-");
        table_cell(table, "%s", ephemeral ? ephemeral : "-");
        table_cell(table, "%s",
                   kind == XENFORK_KIND_FROZEN ? "-"
                                               : xenfork_entry_parent(entry));
    }
    return table_print(table) && print_errors_and_journals(list);
}

static bool print_entries_json(const xenfork_list *list)
{
    struct json *json = json_new();
    uint32_t i;

    if (!json)
        return false;
    json_open_list(json, NULL);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        json_entry(json, xenfork_list_entry(list, i));
    json_close_list(json);
    return json_print(json);
}

static int print_entries(xenfork_ctx *ctx, const xenfork_list *list,
                         const struct simple_options *options)
{
    (void)ctx;
    return (options->is_json ? print_entries_json(list)
                             : print_entries_table(list))
               ? EXIT_DONE
               : EXIT_FAILED;
}

static int main_fork_list(int argc, char **argv)
{
    return run_list(argc, argv, &cmd_fork_list, 0, XENFORK_LIST_JOURNALS,
                    print_entries);
}

const struct cmd cmd_fork_list = {
    .name = "fork-list",
    .run = main_fork_list,
    .usage = "[--json]",
    .help =
        "List frozen sources, images and clones, with their memory\n"
        "\n"
        "Each image is followed by its clones.  MIB is the memory that the\n"
        "guest was given.  SHARED is shared with others, PRIVATE is its\n"
        "own; the rest has not been touched yet.  HOST is what it costs the\n"
        "host beside the pages that are shared.  A clone that is HYDRATED\n"
        "to 100% no longer needs its image.  An EPHEMERAL clone is removed\n"
        "when it powers off, or also when it crashes.\n"
        "\n"
        "A journal is what a killed process has left, and could not be\n"
        "undone yet.  xl fork-recover tries again, or gives it up.\n"
        "\n"
        "      --json     print the list as JSON\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage.\n",
};
