/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks that a domain's QEMU serves (xen-block, qdisk).  libxl calls the node
 * of a disk VDEV-FORMAT (libxl_dm.c, hw/block/xen-block.c); ours end in -VDEV,
 * so a disk's are told by their names.
 *
 * QEMU opens a node's file again by the name that it was opened by, when it
 * becomes read-only, say (raw_reconfigure_getfd(), block/file-posix.c).  So a
 * file is given to it by a name that never leads to another file; where the
 * name is gone, it stays as it was opened.
 */
#include "host/qmp.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define LIMIT_MS   60000U
#define POLL_NS    2000000L
#define MAX_ROUNDS 256U
#define ID_CHARS   20U

static int odd_answer(xenfork_ctx *ctx, uint32_t domid)
{
    return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                         "QEMU of domain %u sent an unexpected reply", domid);
}

static yajl_val at(yajl_val object, const char *a, const char *b)
{
    const char *path[] = {a, b, NULL};

    return object ? yajl_tree_get(object, path, yajl_t_any) : NULL;
}

static const char *text_at(yajl_val object, const char *a, const char *b)
{
    return YAJL_GET_STRING(at(object, a, b));
}

/* Return the list in an answer; NULL: there is none. */
static yajl_val list_of(yajl_val reply, const char *name)
{
    yajl_val list = at(reply, "return", name);

    return YAJL_IS_ARRAY(list) ? list : NULL;
}

/*
 * Tell whether a node or job was made by xenfork for this disk, see
 * disk/qcow2/driver.h.
 */
static bool is_named_for(const char *name, const char *vdev)
{
    size_t i;

    if (!name || strlen(name) < ID_CHARS + 2 || !strchr("omsdf", name[0]))
        return false;
    for (i = 1; i <= ID_CHARS; i++)
        if (!isxdigit((unsigned char)name[i]))
            return false;
    return name[i] == '-' && !strcmp(name + i + 1, vdev);
}

static bool is_of_disk(const char *name, const char *vdev)
{
    size_t n = strlen(vdev);

    return name && (is_named_for(name, vdev) ||
                    (!strncmp(name, vdev, n) && !strcmp(name + n, "-qcow2")));
}

/* Tell whether a node serves the disk, of whatever format. */
static bool is_node_of(const char *name, const char *vdev)
{
    size_t n = strlen(vdev);

    return name && (is_named_for(name, vdev) ||
                    (!strncmp(name, vdev, n) && name[n] == '-'));
}

/* Find the first node of the device that serves the disk; NULL: none. */
static yajl_val find_inserted(yajl_val devices, const char *vdev,
                              bool (*is_it)(const char *name, const char *vdev))
{
    size_t i;

    for (i = 0; i < devices->u.array.len; i++) {
        yajl_val inserted = at(devices->u.array.values[i], "inserted", NULL);

        if (is_it(text_at(inserted, "node-name", NULL), vdev))
            return inserted;
    }
    return NULL;
}

static int query_devices(xenfork_ctx *ctx, uint32_t domid, yajl_val *reply_out,
                         yajl_val *devices_out)
{
    int rc = xenfork__qmp(ctx, domid, "query-block", NULL, reply_out);

    if (rc < 0)
        return rc;
    *devices_out = list_of(*reply_out, NULL);
    return *devices_out ? 0 : odd_answer(ctx, domid);
}

static int take_top(xenfork_ctx *ctx, uint32_t domid, yajl_val inserted,
                    struct xenfork__qemu_top *out)
{
    const char *node = text_at(inserted, "node-name", NULL);
    const char *backing = text_at(inserted, "image", "backing-filename");
    char *copy;

    if (strlen(node) >= sizeof(out->node))
        return odd_answer(ctx, domid);
    copy = strdup(backing ? backing : "");
    if (!copy)
        return xenfork__nomem(ctx);
    strcpy(out->node, node);
    out->backing = copy;
    out->is_direct = YAJL_IS_TRUE(at(inserted, "cache", "direct"));
    return 0;
}

void xenfork__qemu_top_free(struct xenfork__qemu_top *top)
{
    xenfork__free_ptr(&top->backing);
}

int xenfork__sys_qemu_top(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_top *out)
{
    cleanup_reply yajl_val reply = NULL;
    yajl_val devices, inserted;
    int rc = query_devices(ctx, domid, &reply, &devices);

    if (rc < 0)
        return rc;
    inserted = find_inserted(devices, vdev, is_of_disk);
    if (inserted)
        return take_top(ctx, domid, inserted, out);
    return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                         "QEMU of domain %u serves no disk %s from a qcow2 "
                         "file",
                         domid, vdev);
}

int xenfork__qmp_add(xenfork_ctx *ctx, uint32_t domid, const char *node,
                     const struct xenfork__image_file *image, bool is_direct,
                     const char *rest)
{
    cleanup_free char *file = xenfork__qmp_quote(image->path);

    if (!file)
        return xenfork__nomem(ctx);
    return xenfork__qmp_run(ctx, domid, "blockdev-add",
                            "{\"driver\":\"%s\",\"node-name\":\"%s\","
                            "\"discard\":\"unmap\",\"cache\":{\"direct\":%s},"
                            "\"file\":{\"driver\":\"file\",\"locking\":\"off\","
                            "\"filename\":%s}%s}",
                            image->format, node, is_direct ? "true" : "false",
                            file, rest);
}

int xenfork__sys_qemu_add(xenfork_ctx *ctx, uint32_t domid,
                          const struct xenfork__qemu_top *top, const char *node,
                          const char *path)
{
    const struct xenfork__image_file image = {.path = path, .format = "qcow2"};

    return xenfork__qmp_add(ctx, domid, node, &image, top->is_direct,
                            ",\"backing\":null");
}

int xenfork__sys_qemu_snapshot(xenfork_ctx *ctx, uint32_t domid,
                               const char *node, const char *overlay)
{
    return xenfork__qmp_run(ctx, domid, "blockdev-snapshot",
                            "{\"node\":\"%s\",\"overlay\":\"%s\"}", node,
                            overlay);
}

/* Remove a node.  DISK, not logged: it is in use, or does not exist. */
static int remove_node(xenfork_ctx *ctx, uint32_t domid, const char *node)
{
    char arguments[96];

    snprintf(arguments, sizeof(arguments), "{\"node-name\":\"%.40s\"}", node);
    return xenfork__qmp_try(ctx, domid, "blockdev-del", arguments);
}

int xenfork__sys_qemu_remove(xenfork_ctx *ctx, uint32_t domid, const char *node)
{
    int rc = remove_node(ctx, domid, node);

    return rc == XENFORK_E_DISK ? 0 : rc;
}

/* Walk the nodes and their backing nodes; see x-debug-query-block-graph. */
static int query_graph(xenfork_ctx *ctx, uint32_t domid, yajl_val *reply_out)
{
    cleanup_reply yajl_val reply = NULL;
    int rc = xenfork__qmp(ctx, domid, "x-debug-query-block-graph", NULL,
                          &reply);

    if (rc < 0)
        return rc;
    if (!list_of(reply, "nodes") || !list_of(reply, "edges"))
        return odd_answer(ctx, domid);
    *reply_out = steal_ptr(reply);
    return 0;
}

static long long number_at(yajl_val object, const char *name)
{
    yajl_val v = at(object, name, NULL);

    return YAJL_IS_INTEGER(v) ? YAJL_GET_INTEGER(v) : -1;
}

/* Find a member of the list by an integer, or by a text. */
static yajl_val find_member(yajl_val nodes, long long id, const char *name)
{
    size_t i;

    for (i = 0; i < nodes->u.array.len; i++) {
        yajl_val node = nodes->u.array.values[i];
        const char *own = text_at(node, "name", NULL);

        if (name ? own && !strcmp(own, name) : number_at(node, "id") == id)
            return node;
    }
    return NULL;
}

static long long backing_of(yajl_val edges, long long id)
{
    size_t i;

    for (i = 0; i < edges->u.array.len; i++) {
        yajl_val edge = edges->u.array.values[i];
        const char *name = text_at(edge, "name", NULL);

        if (number_at(edge, "parent") == id && name && !strcmp(name, "backing"))
            return number_at(edge, "child");
    }
    return -1;
}

/* Return the backing node that is @depth below another one. */
static const char *node_below(yajl_val reply, const char *name, uint32_t depth)
{
    yajl_val nodes = list_of(reply, "nodes");
    yajl_val node = find_member(nodes, 0, name);

    while (node && depth--)
        node = find_member(
            nodes, backing_of(list_of(reply, "edges"), number_at(node, "id")),
            NULL);
    return node ? text_at(node, "name", NULL) : NULL;
}

int xenfork__sys_qemu_stream(xenfork_ctx *ctx, uint32_t domid,
                             const struct xenfork__qemu_top *top,
                             const char *id, uint32_t depth,
                             const char *backing)
{
    cleanup_reply yajl_val reply = NULL;
    cleanup_free char *file = xenfork__qmp_quote(backing);
    const char *base;
    int rc = query_graph(ctx, domid, &reply);

    if (rc < 0)
        return rc;
    base = node_below(reply, top->node, depth);
    if (!base || !file)
        return file ? odd_answer(ctx, domid) : xenfork__nomem(ctx);
    return xenfork__qmp_run(ctx, domid, "block-stream",
                            "{\"job-id\":\"%s\",\"device\":\"%s\","
                            "\"base-node\":\"%.40s\",\"backing-file\":%s}",
                            id, top->node, base, file);
}

static enum xenfork__qemu_job job_state(const char *status)
{
    if (!strcmp(status, "ready") || !strcmp(status, "standby"))
        return XENFORK__QEMU_JOB_READY;
    return XENFORK__QEMU_JOB_RUNNING;
}

static uint64_t progress_of(yajl_val job, const char *name)
{
    long long n = number_at(job, name);

    return n > 0 ? (uint64_t)n : 0;
}

int xenfork__sys_qemu_allocated(xenfork_ctx *ctx, uint32_t domid,
                                const char *vdev, uint64_t *bytes_out)
{
    cleanup_reply yajl_val reply = NULL;
    yajl_val devices, inserted;
    long long bytes;
    int rc = query_devices(ctx, domid, &reply, &devices);

    if (rc < 0)
        return rc;
    inserted = find_inserted(devices, vdev, is_node_of);
    bytes = number_at(at(inserted, "image", NULL), "actual-size");
    if (bytes < 0)
        return xenfork__miss(ctx, XENFORK_E_NOTFOUND,
                             "QEMU of domain %u does not say how large disk "
                             "%s is",
                             domid, vdev);
    *bytes_out = (uint64_t)bytes;
    return 0;
}

int xenfork__sys_qemu_job(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                          struct xenfork__qemu_job_info *out)
{
    cleanup_reply yajl_val reply = NULL;
    yajl_val jobs;
    size_t i;
    int rc = xenfork__qmp(ctx, domid, "query-jobs", NULL, &reply);

    if (rc < 0)
        return rc;
    jobs = list_of(reply, NULL);
    if (!jobs)
        return odd_answer(ctx, domid);
    *out = (struct xenfork__qemu_job_info){.state = XENFORK__QEMU_JOB_NONE};
    for (i = 0; i < jobs->u.array.len; i++) {
        const char *id = text_at(jobs->u.array.values[i], "id", NULL);
        const char *status = text_at(jobs->u.array.values[i], "status", NULL);

        if (!status || !is_named_for(id, vdev) || strlen(id) >= sizeof(out->id))
            continue;
        strcpy(out->id, id);
        out->state = job_state(status);
        out->done = progress_of(jobs->u.array.values[i], "current-progress");
        out->total = progress_of(jobs->u.array.values[i], "total-progress");
    }
    return 0;
}

/* Wait until no job of ours works on the disk. */
static int wait_job_end(xenfork_ctx *ctx, uint32_t domid, const char *vdev)
{
    uint64_t end_ns = xenfork__now_ns() + LIMIT_MS * 1000000ULL;
    struct xenfork__qemu_job_info job;
    int rc;

    while ((rc = xenfork__sys_qemu_job(ctx, domid, vdev, &job)) == 0 &&
           job.state != XENFORK__QEMU_JOB_NONE) {
        if (xenfork__now_ns() >= end_ns)
            return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                                 "QEMU of domain %u does not end a job on "
                                 "disk %s",
                                 domid, vdev);
        xenfork__sleep_ns(POLL_NS);
    }
    return rc;
}

int xenfork__sys_qemu_flush(xenfork_ctx *ctx, uint32_t domid, const char *node)
{
    cleanup_reply yajl_val reply = NULL;
    char arguments[128];
    const char *output;
    int rc;

    snprintf(arguments, sizeof(arguments),
             "{\"command-line\":\"qemu-io %.40s flush\"}", node);
    rc = xenfork__qmp(ctx, domid, "human-monitor-command", arguments, &reply);
    if (rc < 0)
        return rc;
    output = text_at(reply, "return", NULL);
    if (!output || output[0])
        return xenfork__fail(ctx, XENFORK_E_DISK, 0,
                             "QEMU of domain %u cannot flush: %.200s", domid,
                             output ? output : "");
    return 0;
}

int xenfork__sys_qemu_complete(xenfork_ctx *ctx, uint32_t domid,
                               const char *vdev, const char *id)
{
    cleanup_qemu_top struct xenfork__qemu_top top = {.node = ""};
    int rc;

    if ((rc = xenfork__qmp_run(ctx, domid, "job-complete", "{\"id\":\"%s\"}",
                               id)) < 0 ||
        (rc = wait_job_end(ctx, domid, vdev)) < 0 ||
        (rc = xenfork__sys_qemu_top(ctx, domid, vdev, &top)) < 0)
        return rc;
    if (strcmp(top.node, id))
        return xenfork__fail(
            ctx, XENFORK_E_DISK, 0,
            "QEMU of domain %u has not switched back to the backing file of "
            "disk %s",
            domid, vdev);
    return 0;
}

int xenfork__sys_qemu_cancel(xenfork_ctx *ctx, uint32_t domid, const char *vdev)
{
    struct xenfork__qemu_job_info job;
    char arguments[96];
    int rc = xenfork__sys_qemu_job(ctx, domid, vdev, &job);

    if (rc < 0 || job.state == XENFORK__QEMU_JOB_NONE)
        return rc;
    snprintf(arguments, sizeof(arguments), "{\"device\":\"%s\",\"force\":true}",
             job.id);
    rc = xenfork__qmp_try(ctx, domid, "block-job-cancel", arguments);
    return rc < 0 && rc != XENFORK_E_DISK ? rc : wait_job_end(ctx, domid, vdev);
}

int xenfork__sys_qemu_sweep(xenfork_ctx *ctx, uint32_t domid, const char *vdev,
                            const char *top)
{
    cleanup_reply yajl_val reply = NULL;
    uint32_t round, removed = 1;
    yajl_val nodes;
    size_t i;
    int rc = query_graph(ctx, domid, &reply);

    if (rc < 0)
        return rc;
    nodes = list_of(reply, "nodes");
    /* Repeat: a node that backs others can be removed after them. */
    for (round = 0; round < MAX_ROUNDS && removed; round++) {
        removed = 0;
        for (i = 0; i < nodes->u.array.len; i++) {
            const char *name = text_at(nodes->u.array.values[i], "name", NULL);

            if (is_of_disk(name, vdev) && strcmp(name, top))
                removed += remove_node(ctx, domid, name) == 0;
        }
    }
    return 0;
}
