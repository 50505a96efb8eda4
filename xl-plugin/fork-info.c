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
#include "options.h"
#include "output.h"
#include "session.h"

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

/* NAME is the source that the image was made from. */
static bool is_image_of(const xenfork_list *list, uint32_t index,
                        const char *name)
{
    return xenfork_list_kind(list, index) == XENFORK_KIND_IMAGE &&
           strcmp(xenfork_list_parent(list, index), name) == 0;
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

static void print_entry(const xenfork_list *list, uint32_t index)
{
    bool is_clone = xenfork_list_kind(list, index) == XENFORK_KIND_CLONE;
    uint32_t domid = xenfork_list_domid(list, index);
    uint32_t disk;

    printf("%s: %s of %s\n", xenfork_list_name(list, index),
           is_clone ? "clone" : "image", xenfork_list_parent(list, index));
    if (domid != XENFORK_DOMID_NONE)
        printf("  domid     %u\n", domid);
    printf("  uuid      %s\n", xenfork_list_uuid(list, index));
    printf("  state     %s\n", xenfork_list_state(list, index));
    print_created(xenfork_list_created(list, index));
    printf("  memory    %.1f MiB: %.1f shared, %.1f private\n",
           xenfork_list_total_kib(list, index) / 1024.0,
           xenfork_list_shared_kib(list, index) / 1024.0,
           xenfork_list_private_kib(list, index) / 1024.0);
    if (is_clone)
        printf("  hydrated  %u%%%s\n", xenfork_list_hydrated(list, index),
               xenfork_list_hydrated(list, index) < 100 ? ", needs its image"
                                                        : "");
    else
        printf("  users     %u clones need it%s\n",
               xenfork_list_users(list, index),
               xenfork_list_is_kept(list, index) ? "; kept without any" : "");
    for (disk = 0; disk < xenfork_list_disk_count(list, index); disk++)
        printf("  disk      %s %s\n", xenfork_list_disk_vdev(list, index, disk),
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

static int print_info(const xenfork_list *list,
                      const struct simple_options *options)
{
    const char *name = options->names[0];
    uint32_t found = 0;
    int status;

    status = print_matching(list, name, options->is_json, is_called, &found);
    if (status == EXIT_DONE && found == 0)
        status = print_matching(list, name, options->is_json, is_image_of,
                                &found);
    if (status == EXIT_DONE && found == 0) {
        fprintf(stderr, "xl: no image, clone or forked domain is called %s\n",
                name);
        status = EXIT_FAILED;
    }
    return status;
}

static int main_fork_info(int argc, char **argv)
{
    struct simple_options options;
    xenfork_list *list = NULL;
    xenfork_ctx *ctx = NULL;
    int status;
    int rc;

    if (!parse_simple(argc, argv, &cmd_fork_info, WITH_JSON, 1, 1, &options))
        return options.status;
    status = session_open(&ctx);
    if (status != EXIT_DONE)
        return status;
    rc = xenfork_list_all(ctx, &list);
    if (rc < 0)
        status = session_failed(ctx, rc);
    else
        status = print_info(list, &options);
    xenfork_list_free(list);
    session_close(ctx);
    return status;
}

const struct cmd cmd_fork_info = {
    .name = "fork-info",
    .run = main_fork_info,
    .usage = "[--json] DOMAIN|IMAGE",
    .help = "Show all about a clone, an image, or the images of a domain\n"
            "\n"
            "Images and clones go by name, UUID or domid; a forked domain,\n"
            "which may be gone, by name.\n"
            "\n"
            "      --json     print a list of what is found as JSON\n"
            "  -v, --verbose  say what is done; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed or not found; 2 usage.\n",
};
