/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What xl fork prints. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include "fork-output.h"
#include "output.h"

static double ms(uint64_t ns)
{
    return ns / 1e6;
}

static const char *link_name(const xenfork_result *result, uint32_t clone,
                             uint32_t nic)
{
    return xenfork_result_nic_is_held(result, clone, nic) ? "held"
                                                          : "connected";
}

static const char *rng_name(const xenfork_result *result, uint32_t clone)
{
    return xenfork_result_clone_is_reseeded(result, clone) ? "reseeded"
                                                           : "not reseeded";
}

/* How long it ran until it had acknowledged. */
static void add_ready(struct table *table, const xenfork_result *result,
                      uint32_t clone)
{
    if (xenfork_result_clone_is_ready(result, clone))
        table_cell(table, "%.2f s",
                   ms(xenfork_result_ns(result, clone, XENFORK_STAGE_READY)) /
                       1000);
    else if (xenfork_result_clone_error(result, clone))
        table_cell(table, "failed");
    else
        table_cell(table, "no");
}

/* A clone has a row for each NIC, and one row if it has none. */
static void add_clone(struct table *table, const xenfork_result *result,
                      uint32_t clone, bool has_waited)
{
    uint32_t count = xenfork_result_nic_count(result, clone);
    uint32_t nic = 0;

    do {
        table_cell(table, "%s",
                   nic ? "" : xenfork_result_clone_name(result, clone));
        if (nic)
            table_cell(table, "%s", "");
        else
            table_domid(table, xenfork_result_clone_domid(result, clone));
        if (nic < count) {
            table_cell(table, "%s", xenfork_result_nic_mac(result, clone, nic));
            table_cell(table, "%s", xenfork_result_nic_vif(result, clone, nic));
            table_cell(table, "%s", link_name(result, clone, nic));
        } else {
            table_cell(table, "-");
            table_cell(table, "-");
            table_cell(table, "-");
        }
        if (has_waited && !nic)
            add_ready(table, result, clone);
        else if (has_waited)
            table_cell(table, "%s", "");
    } while (++nic < count);
}

/* The command that connects a held NIC, with the first one as example. */
static void print_connect(const xenfork_result *result)
{
    uint32_t clone;
    uint32_t nic;

    for (clone = 0; clone < xenfork_result_count(result); clone++)
        for (nic = 0; nic < xenfork_result_nic_count(result, clone); nic++)
            if (xenfork_result_nic_is_held(result, clone, nic)) {
                printf(
                    "A held NIC forwards nothing until the agent in the guest "
                    "has acknowledged;\nwith --net hold it stays held.  To "
                    "connect it by hand: xl fork-net %s connect\n",
                    xenfork_result_clone_name(result, clone));
                return;
            }
}

/* Those clones whose random numbers are as the source's, and the others. */
static void print_rng(const xenfork_result *result, bool is_reseeded)
{
    uint32_t found = 0;
    uint32_t i;

    for (i = 0; i < xenfork_result_count(result); i++) {
        if (xenfork_result_clone_is_reseeded(result, i) != is_reseeded)
            continue;
        if (found++ == 0)
            printf("rng: %s: ", rng_name(result, i));
        printf("%s%s", found > 1 ? ", " : "",
               xenfork_result_clone_name(result, i));
    }
    if (found)
        printf("\n");
}

bool fork_print(const char *source, const xenfork_result *result,
                bool has_waited)
{
    static const char *const headings[] = {"NAME", ">ID",    "MAC", "VIF",
                                           "NET",  ">READY", NULL};
    static const char *const fewer[] = {"NAME", ">ID", "MAC",
                                        "VIF",  "NET", NULL};
    uint32_t count = xenfork_result_count(result);
    struct table *table = table_new(has_waited ? headings : fewer);
    uint32_t i;

    if (!table)
        return false;
    printf("Forked %s in %.2f s; it stood still for %.0f ms\n", source,
           ms(xenfork_result_ns(result, XENFORK_ALL, XENFORK_STAGE_TOTAL)) /
               1000,
           ms(xenfork_result_ns(result, XENFORK_ALL, XENFORK_STAGE_STUN)));
    for (i = 0; i < count; i++)
        add_clone(table, result, i, has_waited);
    if (!table_print(table))
        return false;
    if (has_waited) {
        print_rng(result, true);
        print_rng(result, false);
    }
    print_connect(result);
    return output_flush();
}

static void add_timings(struct table *table, const xenfork_result *result,
                        const char *name, uint32_t clone)
{
    int stage;

    for (stage = XENFORK_STAGE_CHECK; stage < XENFORK_STAGES; stage++) {
        uint64_t ns = xenfork_result_ns(result, clone, stage);

        if (ns == 0)
            continue;
        table_cell(table, "%s", name);
        table_cell(table, "%s", xenfork_stage_name(stage));
        table_cell(table, "%.3f", ms(ns));
    }
}

bool fork_print_timings(const xenfork_result *result)
{
    static const char *const headings[] = {"OF", "STAGE", ">MS", NULL};
    uint32_t count = xenfork_result_count(result);
    struct table *table = table_new(headings);
    uint32_t i;

    if (!table)
        return false;
    printf("\n");
    add_timings(table, result, xenfork_result_image_name(result), XENFORK_ALL);
    for (i = 0; i < count; i++)
        add_timings(table, result, xenfork_result_clone_name(result, i), i);
    if (!table_print(table))
        return false;
    printf("\n");
    for (i = 0; i < XENFORK_COUNTS; i++)
        printf("%s %llu\n", xenfork_count_name(i),
               (unsigned long long)xenfork_result_counter(result, i));
    return output_flush();
}

static void json_timings(struct json *json, const xenfork_result *result,
                         uint32_t clone)
{
    int stage;

    json_open_map(json, "timings_ns");
    for (stage = XENFORK_STAGE_CHECK; stage < XENFORK_STAGES; stage++) {
        uint64_t ns = xenfork_result_ns(result, clone, stage);

        if (ns)
            json_number(json, xenfork_stage_name(stage), ns);
    }
    json_close_map(json);
}

static void json_clone(struct json *json, const xenfork_result *result,
                       uint32_t clone)
{
    uint32_t count = xenfork_result_nic_count(result, clone);
    uint32_t nic;

    json_open_map(json, NULL);
    json_string(json, "name", xenfork_result_clone_name(result, clone));
    json_domid(json, "domid", xenfork_result_clone_domid(result, clone));
    json_string(json, "uuid", xenfork_result_clone_uuid(result, clone));
    json_string(json, "generation",
                xenfork_result_clone_generation(result, clone));
    json_bool(json, "ready", xenfork_result_clone_is_ready(result, clone));
    json_string(json, "rng", rng_name(result, clone));
    json_string(json, "error", xenfork_result_clone_error(result, clone));
    json_open_list(json, "nics");
    for (nic = 0; nic < count; nic++) {
        json_open_map(json, NULL);
        json_string(json, "mac", xenfork_result_nic_mac(result, clone, nic));
        json_string(json, "vif", xenfork_result_nic_vif(result, clone, nic));
        json_string(json, "net", link_name(result, clone, nic));
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
    for (i = 0; i < xenfork_result_count(result); i++)
        json_clone(json, result, i);
    json_close_list(json);
    json_timings(json, result, XENFORK_ALL);
    json_open_map(json, "counters");
    for (i = 0; i < XENFORK_COUNTS; i++)
        json_number(json, xenfork_count_name(i),
                    xenfork_result_counter(result, i));
    json_close_map(json);
    json_close_map(json);
    return json_print(json);
}
