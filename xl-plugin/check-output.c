/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A check of a domain, and what it prints. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>

#include "check-output.h"
#include "exitcodes.h"
#include "output.h"
#include "session.h"

static void print_check_disks(const xenfork_check *check)
{
    uint32_t i;

    for (i = 0; i < xenfork_check_disk_count(check); i++) {
        const xenfork_disk *disk = xenfork_check_disk(check, i);

        printf("  %s: %s, %s\n", xenfork_disk_vdev(disk),
               xenfork_disk_driver(disk), xenfork_disk_why(disk));
    }
}

static bool print_reasons(const char *domain, const xenfork_check *check)
{
    uint32_t count = xenfork_check_finding_count(check);
    uint32_t i;

    if (count == 0)
        printf("%s can be forked\n", domain);
    else
        printf("%s cannot be forked now:\n", domain);
    for (i = 0; i < count; i++) {
        const xenfork_finding *finding = xenfork_check_finding(check, i);
        const char *remedy = xenfork_finding_remedy(finding);

        printf("  %s\n", xenfork_finding_text(finding));
        if (remedy && *remedy)
            printf("      %s\n", remedy);
    }
    print_check_disks(check);
    return output_flush();
}

static void json_check_disks(struct json *json, const xenfork_check *check)
{
    uint32_t i;

    json_open_list(json, "disks");
    for (i = 0; i < xenfork_check_disk_count(check); i++) {
        const xenfork_disk *disk = xenfork_check_disk(check, i);

        json_open_map(json, NULL);
        json_string(json, "vdev", xenfork_disk_vdev(disk));
        json_string(json, "driver", xenfork_disk_driver(disk));
        json_string(json, "why", xenfork_disk_why(disk));
        json_close_map(json);
    }
    json_close_list(json);
}

static bool print_check_json(const char *domain, uint32_t domid,
                             const xenfork_check *check)
{
    uint32_t count = xenfork_check_finding_count(check);
    struct json *json = json_new();
    uint32_t i;

    if (!json)
        return false;
    json_open_map(json, NULL);
    json_string(json, "domain", domain);
    json_domid(json, "domid", domid);
    json_bool(json, "can_fork", count == 0);
    json_open_list(json, "reasons");
    for (i = 0; i < count; i++) {
        const xenfork_finding *finding = xenfork_check_finding(check, i);

        json_open_map(json, NULL);
        json_string(json, "code",
                    xenfork_code_name(xenfork_finding_code(finding)));
        json_string(json, "text", xenfork_finding_text(finding));
        json_string(json, "remedy", xenfork_finding_remedy(finding));
        json_close_map(json);
    }
    json_close_list(json);
    json_check_disks(json, check);
    json_close_map(json);
    return json_print(json);
}

/* Return the exit status: memory alone may come back by itself. */
static int check_status(const xenfork_check *check)
{
    uint32_t i, count = xenfork_check_finding_count(check);

    for (i = 0; i < count; i++)
        if (xenfork_finding_code(xenfork_check_finding(check, i)) !=
            XENFORK_E_HOSTMEM)
            return EXIT_FAILED;
    return count ? EXIT_MEMORY : EXIT_DONE;
}

int check_and_print(xenfork_ctx *ctx, const char *domain, uint32_t domid,
                    const xenfork_spec *spec, bool is_json)
{
    xenfork_check *check = NULL;
    int status;
    bool ok;
    int rc;

    rc = xenfork_check_open(ctx, domid, spec, &check);
    if (rc < 0)
        return session_failed(ctx, rc);
    status = check_status(check);
    ok = is_json ? print_check_json(domain, domid, check)
                 : print_reasons(domain, check);
    xenfork_check_free(check);
    return ok ? status : EXIT_FAILED;
}
