/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find the blocks of which a disk is made.  A partition and its whole disk, a
 * volume and the disk below it, two loop devices over one file have different
 * numbers and some of their blocks in common.
 */
#include "host/dm.h"

#include <dirent.h>
#include <inttypes.h>
#include <linux/major.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/digest.h"

#define SYS_BLOCK "/sys/dev/block"
#define SYS_BYTES 4096 /* a line of sysfs, a page */
#define SECTOR    512U
#define ALL       UINT64_MAX
#define MAX_AREAS 4096U /* no graph of devices is so large */

struct walk {
    xenfork_ctx *ctx;
    struct xenfork__areas *areas;
    struct xenfork__area above; /* what is looked below */
    int rc;
};

void xenfork__areas_free(struct xenfork__areas *areas)
{
    free(areas->at);
    areas->at = NULL;
    areas->count = 0;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > ALL - b ? ALL : a + b;
}

static void add_area(struct walk *walk, const struct xenfork__area *area)
{
    struct xenfork__areas *areas = walk->areas;
    struct xenfork__area *at;

    if (area->start >= area->end || areas->count >= MAX_AREAS || walk->rc < 0)
        return;
    at = reallocarray(areas->at, areas->count + 1, sizeof(*at));
    if (!at) {
        walk->rc = xenfork__nomem(walk->ctx);
        return;
    }
    at[areas->count++] = *area;
    areas->at = at;
}

/*
 * Note that [@from, @from + @bytes) of the device above is stored in @at, from
 * @start on.
 */
static void add_below(struct walk *walk,
                      const struct xenfork__disk_identity *at, uint64_t from,
                      uint64_t bytes, uint64_t start)
{
    const struct xenfork__area *above = &walk->above;
    uint64_t begin = above->start > from ? above->start - from : 0;
    uint64_t end = above->end > from ? above->end - from : 0;

    add_area(walk, &(struct xenfork__area){
                       .at = *at,
                       .start = sum(start, begin),
                       .end = sum(start, end < bytes ? end : bytes),
                       .is_shared = above->is_shared,
                   });
}

static void add_whole(struct walk *walk, uint64_t device, bool is_shared)
{
    add_area(walk, &(struct xenfork__area){
                       .at = {.is_device = true, .device = device},
                       .end = ALL,
                       .is_shared = is_shared || walk->above.is_shared,
                   });
}

/* Read a line of sysfs.  False: there is none */
static bool read_sys(uint64_t device, const char *name, char text[SYS_BYTES])
{
    cleanup_file FILE *f = NULL;
    char path[384];

    snprintf(path, sizeof(path), SYS_BLOCK "/%u:%u/%s", major(device),
             minor(device), name);
    f = fopen(path, "re");
    if (!f || !fgets(text, SYS_BYTES, f))
        return false;
    text[strcspn(text, "\n")] = '\0';
    return text[0] != '\0';
}

static bool read_number(uint64_t device, const char *name, uint64_t *out)
{
    char text[SYS_BYTES];

    return read_sys(device, name, text) && sscanf(text, "%" SCNu64, out) == 1;
}

/* Parse "8:16", and nothing else. */
static bool parse_device(const char *text, uint64_t *out)
{
    unsigned int major, minor;
    char rest;

    if (sscanf(text, "%u:%u%c", &major, &minor, &rest) != 2)
        return false;
    *out = makedev(major, minor);
    return true;
}

static bool read_device(uint64_t device, const char *name, uint64_t *out)
{
    char text[SYS_BYTES];

    return read_sys(device, name, text) && parse_device(text, out);
}

static bool follow_partition(struct walk *walk, uint64_t device)
{
    struct xenfork__disk_identity whole = {.is_device = true};
    uint64_t number, start, sectors;

    if (!read_number(device, "partition", &number) ||
        !read_number(device, "start", &start) ||
        !read_number(device, "size", &sectors) ||
        !read_device(device, "../dev", &whole.device))
        return false;
    add_below(walk, &whole, 0, sectors * SECTOR, start * SECTOR);
    return true;
}

static bool follow_loop(struct walk *walk, uint64_t device)
{
    struct xenfork__loop loop;

    if (!xenfork__sys_loop_file(device, &loop))
        return false;
    add_below(walk, &loop.file, 0, loop.bytes ? loop.bytes : ALL, loop.offset);
    return true;
}

/* Tell whether in this type each device is followed by an offset. */
static bool has_offsets(const char *type)
{
    static const char *const types[] = {"linear",  "crypt", "delay",
                                        "flakey",  "dust",  "mirror",
                                        "striped", "ebs",   "unstriped"};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(types); i++)
        if (!strcmp(type, types[i]))
            return true;
    return false;
}

/* Count the devices in the line that are not written: they come first. */
static uint32_t count_read(const char *type)
{
    return strcmp(type, "snapshot") ? 0 : 1; /* "ORIGIN COW P 8" */
}

/*
 * Return the share of each device: in "3 128 8:16 0 8:32 0 8:48 0" each has a
 * third
 */
static uint64_t device_share(const char *type, const char *params,
                             uint64_t bytes)
{
    uint64_t count;

    return !strcmp(type, "striped") &&
                   sscanf(params, "%" SCNu64, &count) == 1 && count
               ? bytes / count
               : bytes;
}

struct line {
    struct walk *walk;
    const struct xenfork__dm_table *table;
    uint64_t from;   /* where it begins, bytes */
    bool is_striped; /* blocks are elsewhere than their offset says */
};

static void add_device(const struct line *line, uint64_t device,
                       const char *offset)
{
    const struct xenfork__dm_table *table = line->table;
    struct xenfork__disk_identity at = {.is_device = true, .device = device};
    uint64_t start, bytes = table->sectors * SECTOR;

    if (!has_offsets(table->type) || !offset ||
        sscanf(offset, "%" SCNu64, &start) != 1) {
        add_whole(line->walk, device, false);
        return;
    }
    bytes = device_share(table->type, table->params, bytes);
    if (line->is_striped)
        add_area(line->walk, &(struct xenfork__area){
                                 .at = at,
                                 .start = start * SECTOR,
                                 .end = sum(start * SECTOR, bytes),
                                 .is_shared = line->walk->above.is_shared,
                             });
    else
        add_below(line->walk, &at, line->from, bytes, start * SECTOR);
}

/*
 * Follow a line of a device-mapper table: every word that looks like a device.
 * A thin device shares its pool with others; a second device is one that it
 * reads.
 */
static void follow_line(void *opaque, uint64_t start,
                        const struct xenfork__dm_table *table)
{
    struct line line = {.walk = opaque,
                        .table = table,
                        .from = start * SECTOR,
                        .is_striped = !strcmp(table->type, "striped")};
    cleanup_free char *text = strdup(table->params);
    bool is_thin = !strcmp(table->type, "thin");
    char *token, *rest = NULL, *next;
    uint32_t found = 0;
    uint64_t device;

    if (!text) {
        line.walk->rc = xenfork__nomem(line.walk->ctx);
        return;
    }
    for (token = strtok_r(text, " ", &rest); token; token = next) {
        next = strtok_r(NULL, " ", &rest);
        if (!parse_device(token, &device) || found++ < count_read(table->type))
            continue;
        if (is_thin) {
            add_whole(line.walk, device, true);
            return;
        }
        add_device(&line, device, next);
    }
}

static bool follow_dm(struct walk *walk, uint64_t device)
{
    char name[SYS_BYTES];

    return read_sys(device, "dm/name", name) &&
           xenfork__sys_dm_lines(walk->ctx, name, follow_line, walk) == 0;
}

/* Follow md, bcache and DRBD to all devices of which they are made. */
static bool follow_slaves(struct walk *walk, uint64_t device)
{
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;
    bool has_any = false;
    char path[384];

    snprintf(path, sizeof(path), SYS_BLOCK "/%u:%u/slaves", major(device),
             minor(device));
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        uint64_t slave;

        snprintf(path, sizeof(path), "slaves/%s/dev", entry->d_name);
        if (entry->d_name[0] == '.' || !read_device(device, path, &slave))
            continue;
        add_whole(walk, slave, false);
        has_any = true;
    }
    return has_any;
}

/*
 * Follow a disk with several paths, which has a device for each:
 * "naa.5000c500…".
 */
static void follow_wwid(struct walk *walk, uint64_t device)
{
    struct xenfork__disk_identity disk = {.is_device = true};
    char wwid[SYS_BYTES];

    if (!read_sys(device, "wwid", wwid) &&
        !read_sys(device, "device/wwid", wwid))
        return;
    disk.inode = xenfork__digest(wwid, strlen(wwid));
    add_below(walk, &disk, 0, ALL, 0);
}

int xenfork__sys_areas(xenfork_ctx *ctx,
                       const struct xenfork__disk_identity *what,
                       struct xenfork__areas *areas_out)
{
    struct xenfork__areas areas = {0};
    struct walk walk = {.ctx = ctx, .areas = &areas};
    size_t i;

    add_area(&walk, &(struct xenfork__area){.at = *what, .end = ALL});
    for (i = 0; i < areas.count && walk.rc == 0; i++) {
        uint64_t device = areas.at[i].at.device;

        walk.above = areas.at[i];
        if (!walk.above.at.is_device || !device)
            continue;
        if (!follow_partition(&walk, device) && !follow_loop(&walk, device) &&
            !follow_dm(&walk, device) && !follow_slaves(&walk, device))
            follow_wwid(&walk, device);
    }
    if (walk.rc < 0) {
        xenfork__areas_free(&areas);
        return walk.rc;
    }
    *areas_out = areas;
    return 0;
}

static bool meet_areas(const struct xenfork__area *a,
                       const struct xenfork__area *b)
{
    return xenfork__disk_is_same(&a->at, &b->at) && a->start < b->end &&
           b->start < a->end && !(a->is_shared && b->is_shared);
}

bool xenfork__areas_meet(const struct xenfork__areas *a,
                         const struct xenfork__areas *b)
{
    size_t i, k;

    for (i = 0; i < a->count; i++)
        for (k = 0; k < b->count; k++)
            if (meet_areas(&a->at[i], &b->at[k]))
                return true;
    return false;
}
