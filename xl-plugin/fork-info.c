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

/* Tell whether this entry is called NAME: by name, UUID or domid. */
static bool is_called(const xenfork_entry *entry, const char *name)
{
    uint64_t domid;

    if (strcmp(xenfork_entry_name(entry), name) == 0 ||
        strcmp(xenfork_entry_uuid(entry), name) == 0)
        return true;
    return parse_number(name, 0, XENFORK_DOMID_NONE - 1, &domid) &&
           xenfork_entry_domid(entry) == domid;
}

/*
 * Tell whether NAME is the source from which the image was made: its name, or
 * its domid.
 */
static bool is_image_of(const xenfork_entry *entry, const char *name)
{
    uint64_t domid;

    if (xenfork_entry_kind(entry) != XENFORK_KIND_IMAGE)
        return false;
    if (parse_number(name, 0, XENFORK_DOMID_NONE - 1, &domid))
        return xenfork_entry_parent_domid(entry) == domid;
    return strcmp(xenfork_entry_parent(entry), name) == 0;
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

static void print_heading(const xenfork_entry *entry, int kind)
{
    const char *name = xenfork_entry_name(entry);
    const char *parent = xenfork_entry_parent(entry);

    if (kind == XENFORK_KIND_FROZEN)
        printf("%s: frozen source, %s%s\n", name,
               *parent ? "forked from " : "not forked yet", parent);
    else
        printf("%s: %s of %s\n", name,
               kind == XENFORK_KIND_CLONE ? "clone" : "image", parent);
}

/* Print whom the entry needs, or who needs it. */
static void print_needs(const xenfork_entry *entry, int kind)
{
    uint32_t hydrated = xenfork_entry_hydrated(entry);
    uint32_t detached = xenfork_entry_detached(entry);

    if (kind == XENFORK_KIND_CLONE) {
        printf("  hydrated  %u%%", hydrated);
        if (hydrated < 100)
            printf(", needs its image; --hydrate=%s",
                   xenfork_entry_hydrate(entry));
        printf("\n");
        if (detached)
            printf("  detached  %u%%%s\n", detached,
                   detached < 100 ? "" : ", shares nothing");
    } else if (kind == XENFORK_KIND_IMAGE)
        printf("  users     %u clones need it%s\n", xenfork_entry_users(entry),
               xenfork_entry_is_kept(entry) ? "; kept even without clones"
                                            : "");
}

static void print_identity(const xenfork_entry *entry)
{
    static const char *const links[] = {
        [XENFORK_LINK_HOLD] = "held",
        [XENFORK_LINK_CONNECT] = "connected",
        [XENFORK_LINK_AUTO] = "held until it has acknowledged",
    };
    const char *generation = xenfork_entry_generation(entry);
    const char *error = xenfork_entry_error(entry);
    uint32_t i;

    if (generation)
        printf("  identity  generation %s, %s\n", generation,
               xenfork_entry_is_ready(entry) ? "acknowledged"
                                             : "not acknowledged");
    if (error)
        printf("  error     %s\n", error);
    printf("  rng       %s\n",
           xenfork_entry_is_reseeded(entry) ? "reseeded" : "not reseeded");
    for (i = 0; i < xenfork_entry_nic_count(entry); i++) {
        const xenfork_nic *nic = xenfork_entry_nic(entry, i);

        printf("  nic       %u %s %s\n", i, xenfork_nic_mac(nic),
               links[xenfork_nic_link(nic)]);
    }
}

static void print_entry(const xenfork_entry *entry)
{
    uint32_t domid = xenfork_entry_domid(entry);
    int kind = xenfork_entry_kind(entry);
    uint32_t i;

    print_heading(entry, kind);
    if (domid != XENFORK_DOMID_NONE)
        printf("  domid     %u\n", domid);
    printf("  uuid      %s\n", xenfork_entry_uuid(entry));
    printf("  state     %s\n", xenfork_entry_state(entry));
    if (xenfork_entry_left(entry))
        printf("  left      %s\n", xenfork_entry_left(entry));
    if (xenfork_entry_ephemeral(entry))
        printf("  ephemeral removed when it powers off%s or is destroyed\n",
               strcmp(xenfork_entry_ephemeral(entry), "crash") ? ""
                                                               : ", crashes");
    print_created(xenfork_entry_created(entry));
    printf("  memory    %.1f MiB: %.1f shared, %.1f private; costs %.1f\n",
           xenfork_entry_total_kib(entry) / 1024.0,
           xenfork_entry_shared_kib(entry) / 1024.0,
           xenfork_entry_private_kib(entry) / 1024.0,
           xenfork_entry_host_kib(entry) / 1024.0);
    print_needs(entry, kind);
    if (kind == XENFORK_KIND_CLONE)
        print_identity(entry);
    for (i = 0; i < xenfork_entry_disk_count(entry); i++) {
        const xenfork_disk *disk = xenfork_entry_disk(entry, i);

        printf("  disk      %s %s %s\n", xenfork_disk_vdev(disk),
               xenfork_disk_driver(disk), xenfork_disk_path(disk));
    }
}

static int print_matching(const xenfork_list *list, const char *name,
                          bool is_json,
                          bool (*is_match)(const xenfork_entry *, const char *),
                          uint32_t *found_out)
{
    struct json *json = NULL;
    uint32_t found = 0;
    uint32_t i;
    bool ok = true;

    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        if (!is_match(entry, name))
            continue;
        if (is_json && found == 0) {
            json = json_new();
            if (!json)
                return EXIT_FAILED;
            json_open_list(json, NULL);
        }
        found++;
        if (json)
            json_entry(json, entry);
        else
            print_entry(entry);
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
    return run_list(argc, argv, &cmd_fork_info, 1, XENFORK_LIST_JOURNALS,
                    print_info);
}

const struct cmd cmd_fork_info = {
    .name = "fork-info",
    .run = main_fork_info,
    .usage = "[--json] DOMAIN|IMAGE|CLONE",
    .help =
        "Show all about a clone, an image, a frozen source, or a domain's images\n"
        "\n"
        "An image or a clone is given by name, UUID or domid; a forked\n"
        "domain by name or domid, or by its last name when it is gone.\n"
        "\n"
        "      --json     print a list of all that was found as JSON\n"
        "  -v, --verbose  show each stage; twice: every call to Xen\n"
        "  -h, --help     this text\n"
        "\n"
        "Exit status: 0 done; 1 failed or not found; 2 usage.\n",
};
