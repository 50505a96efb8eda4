/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Print the result of xl fork. */
#include "config.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

#include "fork-output.h"
#include "output.h"

static double ms(uint64_t ns)
{
    return ns / 1e6;
}

static bool is_nic_silent(const xenfork_nic *nic)
{
    return xenfork_nic_is_held(nic);
}

static const char *link_name(const xenfork_nic *nic)
{
    return is_nic_silent(nic) ? "held" : "connected";
}

static const char *rng_name(const xenfork_clone *clone)
{
    return xenfork_clone_is_reseeded(clone) ? "reseeded" : "not reseeded";
}

/* Add how long the clone ran until it had acknowledged. */
static void add_ready(struct table *table, const xenfork_clone *clone)
{
    if (xenfork_clone_is_ready(clone))
        table_cell(table, "%.2f s",
                   ms(xenfork_clone_ns(clone, XENFORK_STAGE_READY)) / 1000);
    else if (xenfork_clone_error(clone))
        table_cell(table, "failed");
    else
        table_cell(table, "no");
}

/* Add a row for each NIC of a clone, and one row if it has none. */
static void add_clone_rows(struct table *table, const xenfork_clone *clone,
                           bool has_waited)
{
    uint32_t count = xenfork_clone_nic_count(clone);
    uint32_t i = 0;

    do {
        const xenfork_nic *nic = xenfork_clone_nic(clone, i);

        table_cell(table, "%s", i ? "" : xenfork_clone_name(clone));
        if (i)
            table_cell(table, "%s", "");
        else
            table_domid(table, xenfork_clone_domid(clone));
        if (nic) {
            table_cell(table, "%s", xenfork_nic_mac(nic));
            table_cell(table, "%s", xenfork_nic_vif(nic));
            table_cell(table, "%s", link_name(nic));
        } else {
            table_cell(table, "-");
            table_cell(table, "-");
            table_cell(table, "-");
        }
        if (has_waited && !i)
            add_ready(table, clone);
        else if (has_waited)
            table_cell(table, "%s", "");
    } while (++i < count);
}

/* Print the command that connects a held NIC, with the first one as example. */
static void print_connect(const xenfork_result *result)
{
    uint32_t i, n;

    for (i = 0; i < xenfork_result_clone_count(result); i++) {
        const xenfork_clone *clone = xenfork_result_clone(result, i);

        for (n = 0; n < xenfork_clone_nic_count(clone); n++)
            if (is_nic_silent(xenfork_clone_nic(clone, n))) {
                printf(
                    "A held NIC forwards nothing until the agent in the guest "
                    "has acknowledged;\nwith --net hold it stays held.  To "
                    "connect it by hand: xl fork-net %s connect\n",
                    xenfork_clone_name(clone));
                return;
            }
    }
}

/* Print which clones have reseeded their random numbers, and which have not. */
static void print_rng(const xenfork_result *result, bool is_reseeded)
{
    uint32_t found = 0;
    uint32_t i;

    for (i = 0; i < xenfork_result_clone_count(result); i++) {
        const xenfork_clone *clone = xenfork_result_clone(result, i);

        if (xenfork_clone_is_reseeded(clone) != is_reseeded)
            continue;
        if (found++ == 0)
            printf("rng: %s: ", rng_name(clone));
        printf("%s%s", found > 1 ? ", " : "", xenfork_clone_name(clone));
    }
    if (found)
        printf("\n");
}

static uint64_t mib(const xenfork_result *result, int what)
{
    return xenfork_result_kib(result, what) / 1024;
}

static void print_memory(const char *source, const xenfork_result *result)
{
    uint32_t count = xenfork_result_clone_count(result);
    uint64_t own = mib(result, XENFORK_RESULT_SOURCE);

    printf("%" PRIu32 " clone%s: %" PRIu64 " MiB reserved of %" PRIu64
           " they may write",
           count, count == 1 ? "" : "s", mib(result, XENFORK_RESULT_RESERVED),
           mib(result, XENFORK_RESULT_MAY_WRITE));
    if (own)
        printf("; %s: %" PRIu64 " MiB", source, own);
    putchar('\n');
}

bool fork_print(const char *source, const xenfork_result *result,
                bool has_waited)
{
    static const char *const headings[] = {"NAME", ">ID",    "MAC", "VIF",
                                           "NET",  ">READY", NULL};
    static const char *const fewer[] = {"NAME", ">ID", "MAC",
                                        "VIF",  "NET", NULL};
    uint32_t count = xenfork_result_clone_count(result);
    struct table *table = table_new(has_waited ? headings : fewer);
    uint32_t i;

    if (!table)
        return false;
    printf("Forked %s in %.2f s; it stood still for %.0f ms\n", source,
           ms(xenfork_result_ns(result, XENFORK_STAGE_TOTAL)) / 1000,
           ms(xenfork_result_ns(result, XENFORK_STAGE_STUN)));
    for (i = 0; i < count; i++)
        add_clone_rows(table, xenfork_result_clone(result, i), has_waited);
    if (!table_print(table))
        return false;
    print_memory(source, result);
    if (has_waited) {
        print_rng(result, true);
        print_rng(result, false);
    }
    print_connect(result);
    return output_flush();
}

static uint64_t stage_ns(const xenfork_result *result,
                         const xenfork_clone *clone, int stage)
{
    return clone ? xenfork_clone_ns(clone, stage)
                 : xenfork_result_ns(result, stage);
}

/* Add what took time in a clone, or, @clone NULL, in the fork itself. */
static void add_timings(struct table *table, const xenfork_result *result,
                        const xenfork_clone *clone)
{
    const char *name = clone ? xenfork_clone_name(clone)
                             : xenfork_result_image_name(result);
    int stage;

    for (stage = XENFORK_STAGE_CHECK; stage < XENFORK_STAGES; stage++) {
        uint64_t ns = stage_ns(result, clone, stage);

        if (ns == 0)
            continue;
        table_cell(table, "%s", name);
        table_cell(table, "%s", xenfork_stage_name(stage));
        table_cell(table, "%.3f", ms(ns));
    }
}

static void print_ways(const xenfork_result *result)
{
    uint32_t i;

    for (i = 0; i < xenfork_result_clone_count(result); i++) {
        const xenfork_clone *clone = xenfork_result_clone(result, i);
        const char *why = xenfork_clone_why_libxl(clone);

        if (why)
            printf("%s: made by libxl's restore: %s\n",
                   xenfork_clone_name(clone), why);
    }
}

bool fork_print_timings(const xenfork_result *result)
{
    static const char *const headings[] = {"OF", "STAGE", ">MS", NULL};
    uint32_t count = xenfork_result_clone_count(result);
    struct table *table = table_new(headings);
    uint32_t i;

    if (!table)
        return false;
    printf("\n");
    add_timings(table, result, NULL);
    for (i = 0; i < count; i++)
        add_timings(table, result, xenfork_result_clone(result, i));
    if (!table_print(table))
        return false;
    printf("\n");
    print_ways(result);
    for (i = 0; i < XENFORK_COUNTS; i++)
        printf("%s %llu\n", xenfork_count_name(i),
               (unsigned long long)xenfork_result_counter(result, i));
    return output_flush();
}

static void json_timings(struct json *json, const xenfork_result *result,
                         const xenfork_clone *clone)
{
    int stage;

    json_open_map(json, "timings_ns");
    for (stage = XENFORK_STAGE_CHECK; stage < XENFORK_STAGES; stage++) {
        uint64_t ns = stage_ns(result, clone, stage);

        if (ns)
            json_number(json, xenfork_stage_name(stage), ns);
    }
    json_close_map(json);
}

static void json_clone(struct json *json, const xenfork_result *result,
                       const xenfork_clone *clone)
{
    uint32_t i;

    json_open_map(json, NULL);
    json_string(json, "name", xenfork_clone_name(clone));
    json_domid(json, "domid", xenfork_clone_domid(clone));
    json_string(json, "uuid", xenfork_clone_uuid(clone));
    json_string(json, "generation", xenfork_clone_generation(clone));
    json_bool(json, "ready", xenfork_clone_is_ready(clone));
    json_string(json, "rng", rng_name(clone));
    json_string(json, "error", xenfork_clone_error(clone));
    json_string(json, "made_by",
                xenfork_clone_why_libxl(clone) ? "libxl" : "xenfork");
    json_string(json, "because", xenfork_clone_why_libxl(clone));
    json_open_list(json, "nics");
    for (i = 0; i < xenfork_clone_nic_count(clone); i++) {
        const xenfork_nic *nic = xenfork_clone_nic(clone, i);

        json_open_map(json, NULL);
        json_string(json, "mac", xenfork_nic_mac(nic));
        json_string(json, "vif", xenfork_nic_vif(nic));
        json_string(json, "net", link_name(nic));
        json_close_map(json);
    }
    json_close_list(json);
    json_timings(json, result, clone);
    json_close_map(json);
}

bool fork_print_json(const char *source, uint32_t domid,
                     const xenfork_result *result)
{
    struct json *json = json_new();
    uint32_t i;

    if (!json)
        return false;
    json_open_map(json, NULL);
    json_open_map(json, "source");
    json_string(json, "domain", source);
    json_domid(json, "domid", domid);
    json_close_map(json);
    json_open_map(json, "image");
    json_string(json, "name", xenfork_result_image_name(result));
    json_domid(json, "domid", xenfork_result_image_domid(result));
    json_close_map(json);
    json_open_list(json, "clones");
    for (i = 0; i < xenfork_result_clone_count(result); i++)
        json_clone(json, result, xenfork_result_clone(result, i));
    json_close_list(json);
    json_number(json, "reserved_kib",
                xenfork_result_kib(result, XENFORK_RESULT_RESERVED));
    json_number(json, "may_write_kib",
                xenfork_result_kib(result, XENFORK_RESULT_MAY_WRITE));
    json_number(json, "source_reserved_kib",
                xenfork_result_kib(result, XENFORK_RESULT_SOURCE));
    json_timings(json, result, NULL);
    json_open_map(json, "counters");
    for (i = 0; i < XENFORK_COUNTS; i++)
        json_number(json, xenfork_count_name(i),
                    xenfork_result_counter(result, i));
    json_close_map(json);
    json_close_map(json);
    return json_print(json);
}
