/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones without libxl's restore: xen/fast.c, host/serve.c, host/vif.c */
#include "fake-xen.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

struct xenfork__fast {
    const struct xenfork__config *source;
};

struct xenfork__plan_configs {
    const struct xenfork__config *source;
    const struct xenfork__clone_config *clone; /* until it is created */
    uint32_t domid;
};

int xenfork__xen_fast_open(xenfork_ctx *ctx,
                           const struct xenfork__config *source,
                           struct xenfork__fast **fast_out,
                           const char **why_out)
{
    FAKE_ENTER(ctx);
    if (!fake->is_fast) {
        *why_out = "the test has not asked for it";
        return fake_leave(0);
    }
    *fast_out = calloc(1, sizeof(**fast_out));
    (*fast_out)->source = source;
    return fake_leave(0);
}

void xenfork__xen_fast_close(struct xenfork__fast *fast)
{
    free(fast);
}

static bool is_forks(const struct xenfork__config *source,
                     const struct xenfork__clone_disk *disk, uint32_t i)
{
    const char *script = disk->script ? disk->script : source->disks[i].script;

    return script && !strcmp(script, "block-fork");
}

static const char *object(const struct xenfork__config *source,
                          const struct xenfork__clone_config *clone)
{
    uint32_t i;

    if (source->type == XENFORK__TYPE_PV)
        return "it is a PV domain";
    if (source->type == XENFORK__TYPE_HVM && fake->has_odd_emulator)
        return "it has SPICE";
    for (i = 0; i < source->disk_count; i++) {
        if (clone->disks[i].is_absent)
            continue;
        if (!clone->disks[i].path)
            return "it shares a disk with its source";
        if (strcmp(source->disks[i].backend, "phy"))
            return "a disk is not served by the kernel";
    }
    return NULL;
}

int xenfork__xen_fast_plan(xenfork_ctx *ctx, const struct xenfork__fast *fast,
                           const struct xenfork__clone_config *clone,
                           struct xenfork__plan **plan_out,
                           const char **why_out)
{
    const struct xenfork__config *source = fast->source;
    struct xenfork__plan *plan;
    const char *why;
    uint32_t i;

    FAKE_ENTER(ctx);
    why = object(source, clone);
    if (why) {
        *why_out = why;
        return fake_leave(0);
    }
    plan = calloc(1, sizeof(*plan));
    plan->configs = calloc(1, sizeof(*plan->configs));
    plan->disks = calloc(FAKE_DISKS, sizeof(*plan->disks));
    plan->nics = calloc(FAKE_NICS, sizeof(*plan->nics));
    plan->configs->source = source;
    plan->configs->clone = clone;
    plan->has_emulator = source->type == XENFORK__TYPE_HVM;
    for (i = 0; i < source->disk_count; i++) {
        struct xenfork__served *disk = &plan->disks[plan->disk_count];

        if (clone->disks[i].is_absent)
            continue;
        plan->disk_count++;
        disk->path = clone->disks[i].path;
        disk->is_forks = is_forks(source, &clone->disks[i], i);
        disk->device.fd = -1;
    }
    for (i = 0; i < source->nic_count; i++) {
        plan->nics[i].devid = clone->nics[i].devid;
        plan->nics[i].bridge = clone->nics[i].bridge;
        plan->nics[i].is_emulated = plan->has_emulator;
    }
    plan->nic_count = source->nic_count;
    *plan_out = plan;
    return fake_leave(0);
}

void xenfork__plan_free(struct xenfork__plan *plan)
{
    uint32_t i;

    if (!plan)
        return;
    for (i = 0; i < plan->disk_count; i++)
        if (plan->disks[i].device.fd >= 0)
            close(plan->disks[i].device.fd);
    free(plan->configs);
    free(plan->disks);
    free(plan->nics);
    free(plan);
}

int xenfork__xen_fast_create(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             uint32_t image, uint32_t *domid_out)
{
    const struct xenfork__config *source = plan->configs->source;
    const struct xenfork__clone_config *clone = plan->configs->clone;
    struct fake_domain *d;
    uint32_t i;

    FAKE_ENTER(ctx);
    if (!fake_domain(image) || !fake_domain(image)->is_loaded)
        fake_violation("image %u has no vCPU state", image);
    for (i = 0; i < plan->disk_count; i++)
        if (!plan->disks[i].device.number)
            fake_violation("disk %s of clone %s is not served",
                           plan->disks[i].path, clone->name);
    d = fake_new_domain();
    memcpy(d->uuid, clone->uuid, 16);
    d->type = source->type;
    d->is_paused = d->can_suspend = d->is_unfinished = true;
    d->max_vcpus = 2;
    d->max_kib = source->max_kib;
    plan->configs->domid = d->domid;
    *domid_out = d->domid;
    if (fake->crash_at == fake->calls)
        return fake_leave(0); /* killed in the middle: without nodes */
    fake_copy_string(d->name, sizeof(d->name), clone->name);
    fake_copy_devices(d, source, clone);
    for (i = 0; i < d->nic_count; i++) {
        d->nics[i].is_up = d->nics[i].was_up = false;
        d->nics[i].on[0] = '\0';
    }
    return fake_leave(0);
}

int xenfork__xen_fast_finish(xenfork_ctx *ctx, struct xenfork__plan *plan,
                             char **json_out)
{
    struct fake_domain *d = fake_domain(plan->configs->domid);

    FAKE_ENTER(ctx);
    if (!d || !d->parent)
        fake_violation("a clone is introduced without memory");
    d->is_unfinished = false;
    *json_out = fake_to_json(d);
    return fake_leave(0);
}

/* Tell whether a state in a stream is what was captured. */
static bool is_captured(const struct xenfork__emulator_state *state)
{
    uint8_t bytes[FAKE_STATE_BYTES];
    size_t i;

    if (read(state->fd, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes) ||
        state->nodes_bytes != sizeof(FAKE_NODES) ||
        memcmp(state->nodes, FAKE_NODES, sizeof(FAKE_NODES)))
        return false;
    for (i = 0; i < sizeof(bytes); i++)
        if (bytes[i] != FAKE_STATE_FIRST + i)
            return false;
    return true;
}

static uint32_t count_loading(void)
{
    uint32_t i, count = 0;

    for (i = 0; i < FAKE_DOMAINS; i++)
        count += fake->domains[i].domid && fake->domains[i].loads;
    return count;
}

int xenfork__xen_fast_emulator(xenfork_ctx *ctx, struct xenfork__plan *plan,
                               const struct xenfork__emulator_state *state)
{
    struct fake_domain *d = fake_domain(plan->configs->domid);

    FAKE_ENTER(ctx);
    if (!d || !d->parent)
        fake_violation("a QEMU is started without the memory of its clone");
    if (!is_captured(state))
        fake_violation("a QEMU is started with another state");
    d->loads = 3;
    if (count_loading() > fake->loaded_at_once)
        fake->loaded_at_once = count_loading();
    return fake_leave(0);
}

int xenfork__xen_fast_serve(xenfork_ctx *ctx, struct xenfork__plan *plan,
                            bool *is_up_out)
{
    struct fake_domain *d = fake_domain(plan->configs->domid);

    FAKE_ENTER(ctx);
    if (d->loads == 1)
        d->loads = 0;
    *is_up_out = !d->loads;
    return fake_leave(0);
}

int xenfork__xen_fast_nics(xenfork_ctx *ctx, const struct xenfork__plan *plan)
{
    struct fake_domain *d = fake_domain(plan->configs->domid);
    uint32_t i;

    FAKE_ENTER(ctx);
    for (i = 0; i < plan->nic_count; i++)
        if (!d->nics[i].on[0] || !plan->nics[i].mtu ||
            plan->nics[i].is_emulated != d->nics[i].is_emulated_joined)
            fake_violation("NIC %u of clone %s is not ready", i, d->name);
    return fake_leave(0);
}

/* A loop device: gone with the process, until it is kept. */
int xenfork__sys_serve(xenfork_ctx *ctx, const char *path, bool is_readonly,
                       struct xenfork__device *device_out)
{
    (void)is_readonly;
    FAKE_ENTER(ctx);
    if (access(path, F_OK))
        fake_violation("%s is served, and is absent", path);
    *device_out = (struct xenfork__device){
        .node = "/dev/loop1",
        .number = 0x701,
        .is_loop = true,
        .fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
    return fake_leave(0);
}

int xenfork__sys_keep_loop(xenfork_ctx *ctx, int fd)
{
    FAKE_ENTER(ctx);
    if (fcntl(fd, F_GETFD) < 0)
        fake_violation("a loop device is kept that has gone");
    return fake_leave(0);
}
