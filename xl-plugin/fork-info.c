/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-info */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "args.h"
#include "cmd.h"
#include "exitcodes.h"
#include "list-output.h"
#include "output.h"
#include "run.h"

/* Is this entry the one called NAME: name, UUID or domid? */
static bool is_called(const xenfork_list *list, uint32_t index,
                      const char *name)
{
    uint64_t domid;

    if (strcmp(xenfork_list_name(list, index), name) == 0 ||
        strcmp(xenfork_list_uuid(list, index), name) == 0)
        return true;
    return parse_number(name, 0, XENFORK_DOMID_NONE - 1, &domid) &&
           xenfork_list_domid(list, index) == domid;
}

/* NAME is the source that the image was made from: its name, or its domid. */
static bool is_image_of(const xenfork_list *list, uint32_t index,
                        const char *name)
{
    uint64_t domid;

    if (xenfork_list_kind(list, index) != XENFORK_KIND_IMAGE)
        return false;
    if (parse_number(name, 0, XENFORK_DOMID_NONE - 1, &domid))
        return xenfork_list_parent_domid(list, index) == domid;
    return strcmp(xenfork_list_parent(list, index), name) == 0;
}

static void print_created(uint64_t created)
{
    time_t when = created;
    char text[32];
    struct tm tm;

    if (!localtime_r(&when, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
        strcpy(text, "-");
    printf("  made      %s\n", text);
}

static void print_heading(const xenfork_list *list, uint32_t index, int kind)
{
    const char *name = xenfork_list_name(list, index);
    const char *parent = xenfork_list_parent(list, index);

    if (kind == XENFORK_KIND_FROZEN)
        printf("%s: frozen source, %s%s\n", name,
               *parent ? "forked from " : "not forked yet", parent);
    else
        printf("%s: %s of %s\n", name,
               kind == XENFORK_KIND_CLONE ? "clone" : "image", parent);
}

/* Who needs whom. */
static void print_needs(const xenfork_list *list, uint32_t index, int kind)
{
    uint32_t hydrated = xenfork_list_hydrated(list, index);
    uint32_t detached = xenfork_list_detached(list, index);

    if (kind == XENFORK_KIND_CLONE) {
        printf("  hydrated  %u%%%s\n", hydrated,
               hydrated < 100 ? ", needs its image" : "");
        if (detached)
            printf("  detached  %u%%%s\n", detached,
                   detached < 100 ? "" : ", all that it has is its own");
    } else if (kind == XENFORK_KIND_IMAGE)
        printf("  users     %u clones need it%s\n",
               xenfork_list_users(list, index),
               xenfork_list_is_kept(list, index) ? "; kept without any" : "");
}

static void print_identity(const xenfork_list *list, uint32_t index)
{
    static const char *const links[] = {
        [XENFORK_LINK_HOLD] = "held",
        [XENFORK_LINK_CONNECT] = "connected",
        [XENFORK_LINK_AUTO] = "held until it has acknowledged",
    };
    const char *generation = xenfork_list_generation(list, index);
    const char *error = xenfork_list_error(list, index);
    uint32_t nic;

    if (generation)
        printf("  identity  generation %s, %s\n", generation,
               xenfork_list_is_ready(list, index) ? "acknowledged"
                                                  : "not acknowledged");
    if (error)
        printf("  error     %s\n", error);
    printf("  rng       %s\n",
           xenfork_list_is_reseeded(list, index) ? "reseeded" : "not reseeded");
    for (nic = 0; nic < xenfork_list_nic_count(list, index); nic++)
        printf("  nic       %u %s %s\n", nic,
               xenfork_list_nic_mac(list, index, nic),
               links[xenfork_list_nic_link(list, index, nic)]);
}

static void print_entry(const xenfork_list *list, uint32_t index)
{
    uint32_t domid = xenfork_list_domid(list, index);
    int kind = xenfork_list_kind(list, index);
    uint32_t disk;

    print_heading(list, index, kind);
    if (domid != XENFORK_DOMID_NONE)
        printf("  domid     %u\n", domid);
    printf("  uuid      %s\n", xenfork_list_uuid(list, index));
    printf("  state     %s\n", xenfork_list_state(list, index));
    if (xenfork_list_left(list, index))
        printf("  left      %s\n", xenfork_list_left(list, index));
    if (xenfork_list_ephemeral(list, index))
        printf("  ephemeral removed when it powers off%s or is destroyed\n",
               strcmp(xenfork_list_ephemeral(list, index), "crash")
                   ? ""
                   : ", crashes");
    print_created(xenfork_list_created(list, index));
    printf("  memory    %.1f MiB: %.1f shared, %.1f private\n",
           xenfork_list_total_kib(list, index) / 1024.0,
           xenfork_list_shared_kib(list, index) / 1024.0,
           xenfork_list_private_kib(list, index) / 1024.0);
    print_needs(list, index, kind);
    if (kind == XENFORK_KIND_CLONE)
        print_identity(list, index);
    for (disk = 0; disk < xenfork_list_disk_count(list, index); disk++)
        printf("  disk      %s %s %s\n",
               xenfork_list_disk_vdev(list, index, disk),
               xenfork_list_disk_driver(list, index, disk),
               xenfork_list_disk_path(list, index, disk));
}

static int print_matching(const xenfork_list *list, const char *name,
                          bool is_json,
                          bool (*is_match)(const xenfork_list *, uint32_t,
                                           const char *),
                          uint32_t *found_out)
{
    struct json *json = NULL;
    uint32_t found = 0;
    uint32_t i;
    bool ok = true;

    for (i = 0; i < xenfork_list_count(list); i++) {
        if (!is_match(list, i, name))
            continue;
        if (is_json && found == 0) {
            json = json_new();
            if (!json)
                return EXIT_FAILED;
            json_open_list(json, NULL);
        }
        found++;
        if (json)
            json_entry(json, list, i);
        else
            print_entry(list, i);
    }
    if (json) {
        json_close_list(json);
        ok = json_print(json);
    }
    *found_out = found;
    return ok && output_flush() ? EXIT_DONE : EXIT_FAILED;
}

static int print_info(xenfork_ctx *ctx, const xenfork_list *list,
                      const struct simple_options *options)
{
    const char *name = options->names[0];
    uint32_t found = 0, domid;
    int status;

    status = print_matching(list, name, options->is_json, is_called, &found);
    if (status == EXIT_DONE && found == 0)
        status = print_matching(list, name, options->is_json, is_image_of,
                                &found);
    if (status != EXIT_DONE || found)
        return status;
    if (xenfork_find(ctx, name, &domid) == 0)
        fprintf(stderr,
                "xl: domain %s is no image and no clone, and has no image\n",
                name);
    else
        fprintf(stderr, "xl: no image, clone or forked domain is called %s\n",
                name);
    return EXIT_FAILED;
}

static int main_fork_info(int argc, char **argv)
{
    return run_list(argc, argv, &cmd_fork_info, 1, xenfork_list_all,
                    print_info);
}

const struct cmd cmd_fork_info = {
    .name = "fork-info",
    .run = main_fork_info,
    .usage = "[--json] DOMAIN|IMAGE",
    .help =
        "Show all about a clone, an image, a frozen source, or a domain's images\n"
        "\n"
        "Images and clones go by name, UUID or domid; a forked domain by\n"
        "name or domid, and by its last known name when it is gone.\n"
        "\n"
        "      --json     print a list of what is found as JSON\n"
        "  -v, --verbose  say what is done; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed or not found; 2 usage.\n",
};
