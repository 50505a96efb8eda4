/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-memory */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "daemon-hint.h"
#include "daemon/conf.h"
#include "exitcodes.h"
#include "fork-options.h"
#include "options.h"
#include "output.h"
#include "session.h"

static const struct {
    int what;
    const char *key, *name;
} totals[] = {
    {XENFORK_MEMORY_TOTAL, "total_kib", "of the host"},
    {XENFORK_MEMORY_FREE, "free_kib", "free"},
    {XENFORK_MEMORY_RESERVED, "reserved_kib", "reserved"},
    {XENFORK_MEMORY_SHARED, "shared_kib", "shared"},
    {XENFORK_MEMORY_SAVED, "saved_kib", "saved by sharing"},
};
#define TOTALS (sizeof(totals) / sizeof(totals[0]))

static const char *const kinds[] = {
    [XENFORK_KIND_IMAGE] = "image",
    [XENFORK_KIND_CLONE] = "clone",
    [XENFORK_KIND_SOURCE] = "source",
};

/* Read xenforkd's limits; false after a message: they are the defaults. */
static bool load_limits(struct config *config_out)
{
    char message[CONFIG_MESSAGE];

    config_default(config_out);
    if (!fork_config_file || access(fork_config_file, F_OK) ||
        config_load(fork_config_file, config_out, message))
        return true;
    fprintf(stderr, "xl: %s\n", message);
    return false;
}

static bool print_host(const xenfork_memory *memory)
{
    static const char *const headings[] = {"MEMORY", ">MIB", NULL};
    struct table *table = table_new(headings);
    size_t i;

    if (!table)
        return false;
    for (i = 0; i < TOTALS; i++) {
        table_cell(table, "%s", totals[i].name);
        table_mib(table, xenfork_memory_host_kib(memory, totals[i].what));
    }
    return table_print(table);
}

static bool print_domains(const xenfork_memory *memory)
{
    static const char *const headings[] = {
        "NAME",      ">ID",       "STATE",     ">OWN",    ">SHARED",
        ">RESERVED", ">MAY TAKE", ">PRIORITY", ">PAUSED", NULL};
    struct table *table;
    uint32_t i;

    if (!xenfork_memory_domain_count(memory))
        return true;
    putchar('\n');
    table = table_new(headings);
    if (!table)
        return false;
    for (i = 0; i < xenfork_memory_domain_count(memory); i++) {
        const xenfork_domain *d = xenfork_memory_domain(memory, i);
        bool is_clone = xenfork_domain_kind(d) == XENFORK_KIND_CLONE;

        table_cell(table, "%s%s", is_clone ? "  " : "", xenfork_domain_name(d));
        table_domid(table, xenfork_domain_domid(d));
        table_cell(table, "%s", xenfork_domain_state(d));
        table_mib(table, xenfork_domain_kib(d, XENFORK_MEMORY_OWN));
        table_mib(table, xenfork_domain_kib(d, XENFORK_MEMORY_SHARED));
        table_mib(table, xenfork_domain_kib(d, XENFORK_MEMORY_RESERVED));
        table_mib(table, xenfork_domain_kib(d, XENFORK_MEMORY_NEED));
        if (is_clone)
            table_cell(table, "%" PRIu32, xenfork_domain_priority(d));
        else
            table_cell(table, "-");
        if (xenfork_domain_turn(d))
            table_cell(table, "%" PRIu32 ".", xenfork_domain_turn(d));
        else
            table_cell(table, "-");
    }
    return table_print(table);
}

/* Say what is done when memory is low. */
static void print_guard(const struct config *config)
{
    if (!daemon_runs())
        puts(
            "\nxenforkd is not running: nobody pauses clones while memory is "
            "low.  One that\nfinds none crashes, or, if xenforkd has run since "
            "it was made, waits until it\nruns again.");
    else if (config->memory_low_mib)
        printf("\nBelow %" PRIu32 " MiB free xenforkd pauses clones in the "
               "order of PAUSED; they go on at %" PRIu32 " MiB.\n",
               config->memory_low_mib, config->memory_ok_mib);
    else
        puts("\nxenforkd pauses no clone: memory_low in xenfork.conf is 0.");
}

static bool print_memory_table(const xenfork_memory *memory)
{
    struct config config;
    bool ok = load_limits(&config);

    if (!print_host(memory) || !print_domains(memory))
        return false;
    print_guard(&config);
    return output_flush() && ok;
}

static void json_domain(struct json *json, const xenfork_domain *d)
{
    int kind = xenfork_domain_kind(d);

    json_open_map(json, NULL);
    json_string(json, "kind", kinds[kind]);
    json_string(json, "name", xenfork_domain_name(d));
    json_domid(json, "domid", xenfork_domain_domid(d));
    json_string(json, "family", xenfork_domain_family(d));
    json_string(json, "state", xenfork_domain_state(d));
    json_number(json, "own_kib", xenfork_domain_kib(d, XENFORK_MEMORY_OWN));
    json_number(json, "shared_kib",
                xenfork_domain_kib(d, XENFORK_MEMORY_SHARED));
    json_number(json, "reserved_kib",
                xenfork_domain_kib(d, XENFORK_MEMORY_RESERVED));
    json_number(json, "may_take_kib",
                xenfork_domain_kib(d, XENFORK_MEMORY_NEED));
    if (kind == XENFORK_KIND_CLONE) {
        json_number(json, "priority", xenfork_domain_priority(d));
        json_number(json, "paused_turn", xenfork_domain_turn(d));
    }
    json_close_map(json);
}

static bool print_memory_json(const xenfork_memory *memory)
{
    struct json *json = json_new();
    struct config config;
    bool ok = load_limits(&config);
    uint32_t i;

    if (!json)
        return false;
    json_open_map(json, NULL);
    for (i = 0; i < TOTALS; i++)
        json_number(json, totals[i].key,
                    xenfork_memory_host_kib(memory, totals[i].what));
    json_bool(json, "guard", daemon_runs() && config.memory_low_mib);
    json_number(json, "low_kib", config.memory_low_mib * UINT64_C(1024));
    json_number(json, "floor_kib", config.memory_floor_mib * UINT64_C(1024));
    json_number(json, "ok_kib", config.memory_ok_mib * UINT64_C(1024));
    json_open_list(json, "domains");
    for (i = 0; i < xenfork_memory_domain_count(memory); i++)
        json_domain(json, xenfork_memory_domain(memory, i));
    json_close_list(json);
    json_close_map(json);
    return json_print(json) && ok;
}

static int main_fork_memory(int argc, char **argv)
{
    struct simple_options options;
    xenfork_memory *memory = NULL;
    xenfork_ctx *ctx = NULL;
    int status, rc;

    if (!parse_simple(argc, argv, &cmd_fork_memory, WITH_JSON, 0, 0, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    rc = xenfork_memory_open(ctx, &memory);
    if (rc < 0)
        status = session_failed(ctx, rc);
    else if (!(options.is_json ? print_memory_json(memory)
                               : print_memory_table(memory)))
        status = EXIT_FAILED;
    xenfork_memory_free(memory);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_memory = {
    .name = "fork-memory",
    .run = main_fork_memory,
    .usage = "[--json]",
    .help =
        "Show what sources, images and clones have of the host's memory\n"
        "\n"
        "OWN is what a domain has for itself, SHARED what it shares, RESERVED\n"
        "what is reserved for it.  MAY TAKE is what it can still take of the\n"
        "host's free memory, by writing what it shares.  PAUSED is the order\n"
        "in which xenforkd pauses clones when memory is low; - means never.\n"
        "\n"
        "      --json     print the result as JSON\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed; 2 usage.\n",
};
