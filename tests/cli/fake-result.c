/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-xenfork.h"

#include <inttypes.h>
#include <stdbool.h>
#include <unistd.h>

static bool has_waited;

int xenfork_check_open(xenfork_ctx *ctx, uint32_t domid,
                       const xenfork_spec *spec, xenfork_check **check_out)
{
    (void)ctx;
    note("check %" PRIu32 " %s", domid, spec ? "spec" : "default");
    *check_out = FAKE_OBJECT(xenfork_check);
    return 0;
}

void xenfork_check_free(xenfork_check *check)
{
    (void)check;
}

uint32_t xenfork_check_finding_count(const xenfork_check *check)
{
    (void)check;
    return fails("check") ? 1 : 0;
}

const xenfork_finding *xenfork_check_finding(const xenfork_check *check,
                                             uint32_t index)
{
    (void)check;
    (void)index;
    return FAKE_OBJECT(xenfork_finding);
}

int xenfork_finding_code(const xenfork_finding *finding)
{
    (void)finding;
    return fails("check");
}

const char *xenfork_finding_text(const xenfork_finding *finding)
{
    (void)finding;
    return "web1 is a PV guest";
}

const char *xenfork_finding_remedy(const xenfork_finding *finding)
{
    (void)finding;
    return "make it PVH";
}

/* One disk, unless the check fails. */
uint32_t xenfork_check_disk_count(const xenfork_check *check)
{
    (void)check;
    return fails("check") ? 0 : 1;
}

const xenfork_disk *xenfork_check_disk(const xenfork_check *check,
                                       uint32_t index)
{
    static const struct xenfork_disk disk = {"xvda", NULL};

    (void)check;
    (void)index;
    return &disk;
}

const char *xenfork_disk_why(const xenfork_disk *disk)
{
    (void)disk;
    return "it can";
}

int xenfork_fork(xenfork_ctx *ctx, uint32_t domid, const xenfork_spec *spec,
                 xenfork_result **result_out)
{
    (void)ctx;
    (void)spec;
    note("fork %" PRIu32, domid);
    if (draw) {
        draw(NULL, XENFORK_STAGE_SHARE, XENFORK_ALL, 128, 256);
        draw(NULL, XENFORK_STAGE_RESUME, XENFORK_ALL, 0, 0);
    }
    if (fails("fork"))
        return fails("fork");
    *result_out = FAKE_OBJECT(xenfork_result);
    return 0;
}

int xenfork_clone_reset(xenfork_ctx *ctx, const char *name, uint32_t flags,
                        xenfork_result **result_out)
{
    (void)ctx;
    note("reset %s%s", name, flags & XENFORK_RESET_PAUSED ? " paused" : "");
    if (fails(name))
        return fails(name);
    *result_out = FAKE_OBJECT(xenfork_result);
    return 0;
}

void xenfork_result_free(xenfork_result *result)
{
    (void)result;
}

uint32_t xenfork_result_clone_count(const xenfork_result *result)
{
    (void)result;
    return clones;
}

uint32_t xenfork_result_image_domid(const xenfork_result *result)
{
    (void)result;
    return 4;
}

const char *xenfork_result_image_name(const xenfork_result *result)
{
    (void)result;
    return "web1-image";
}

struct xenfork_clone {
    const char *name;
};

/* All after the third are called like the second. */
static const struct xenfork_clone made[] = {{"web1-1"}, {"web1-2"}, {"web1-3"}};

const xenfork_clone *xenfork_result_clone(const xenfork_result *result,
                                          uint32_t index)
{
    (void)result;
    return &made[index < 3 ? index : 1];
}

static uint32_t index_of(const xenfork_clone *clone)
{
    return (uint32_t)(clone - made);
}

uint32_t xenfork_clone_domid(const xenfork_clone *clone)
{
    return 5 + index_of(clone);
}

const char *xenfork_clone_name(const xenfork_clone *clone)
{
    return clone->name;
}

const char *xenfork_clone_uuid(const xenfork_clone *clone)
{
    (void)clone;
    return "01234567-89ab-cdef-0123-456789abcdef";
}

/* The first clone acknowledges, the second does not. */
int xenfork_wait_ready(xenfork_ctx *ctx, xenfork_result *result,
                       uint32_t timeout_ms)
{
    (void)ctx;
    (void)result;
    note("wait %" PRIu32, timeout_ms);
    if (fails("wait"))
        sleep(1);
    has_waited = true;
    return clones > 1 ? XENFORK_E_TIMEOUT : 0;
}

const char *xenfork_clone_generation(const xenfork_clone *clone)
{
    return index_of(clone) ? "generation-2" : "generation-1";
}

int xenfork_clone_is_ready(const xenfork_clone *clone)
{
    return has_waited && !index_of(clone);
}

int xenfork_clone_is_reseeded(const xenfork_clone *clone)
{
    return has_waited && index_of(clone) != 1;
}

/* The third one has reseeded, and failed thereafter. */
const char *xenfork_clone_error(const xenfork_clone *clone)
{
    return has_waited && index_of(clone) == 2 ? "40-network: no \"way\"" : NULL;
}

const char *xenfork_clone_why_libxl(const xenfork_clone *clone)
{
    return index_of(clone) ? "it has SPICE" : NULL;
}

static const struct xenfork_nic nics[] = {
    {"vif5.0", "00:16:3e:00:00:01", XENFORK_LINK_HOLD},
    {"vif5.1", "00:16:3e:00:00:02", XENFORK_LINK_CONNECT}};

uint32_t xenfork_clone_nic_count(const xenfork_clone *clone)
{
    return index_of(clone) ? 0 : 2;
}

const xenfork_nic *xenfork_clone_nic(const xenfork_clone *clone, uint32_t index)
{
    return index < xenfork_clone_nic_count(clone) ? &nics[index] : NULL;
}

static uint64_t ns_of(int stage)
{
    if (stage == XENFORK_STAGE_STUN)
        return 210000000;
    return stage == XENFORK_STAGE_TOTAL ? 1500000000 : 0;
}

uint64_t xenfork_result_ns(const xenfork_result *result, int stage)
{
    (void)result;
    return ns_of(stage);
}

uint64_t xenfork_clone_ns(const xenfork_clone *clone, int stage)
{
    if (stage == XENFORK_STAGE_READY && has_waited && !index_of(clone))
        return 340000000;
    return ns_of(stage);
}

uint64_t xenfork_result_kib(const xenfork_result *result, int what)
{
    (void)result;
    return what == XENFORK_RESULT_SOURCE ? 131072
                                         : 65536U << 2 * (uint32_t)what;
}

uint64_t xenfork_result_counter(const xenfork_result *result, int counter)
{
    (void)result;
    return 10 + counter;
}
