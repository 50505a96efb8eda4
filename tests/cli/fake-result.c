/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-xenfork.h"

#include <inttypes.h>
#include <stdbool.h>

static bool has_waited;

int xenfork_check_domain(xenfork_ctx *ctx, uint32_t domid,
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

uint32_t xenfork_check_count(const xenfork_check *check)
{
    (void)check;
    return fails("check") ? 1 : 0;
}

int xenfork_check_code(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return fails("check");
}

const char *xenfork_check_text(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return "web1 is a PV guest";
}

const char *xenfork_check_remedy(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return "make it PVH";
}

/* One disk, unless the check fails. */
uint32_t xenfork_check_disk_count(const xenfork_check *check)
{
    (void)check;
    return fails("check") ? 0 : 1;
}

const char *xenfork_check_disk_vdev(const xenfork_check *check, uint32_t disk)
{
    (void)check;
    (void)disk;
    return "xvda";
}

const char *xenfork_check_disk_driver(const xenfork_check *check, uint32_t disk)
{
    (void)check;
    (void)disk;
    return "reflink";
}

const char *xenfork_check_disk_why(const xenfork_check *check, uint32_t disk)
{
    (void)check;
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

void xenfork_result_free(xenfork_result *result)
{
    (void)result;
}

uint32_t xenfork_result_count(const xenfork_result *result)
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

uint32_t xenfork_result_clone_domid(const xenfork_result *result,
                                    uint32_t clone)
{
    (void)result;
    return 5 + clone;
}

const char *xenfork_result_clone_name(const xenfork_result *result,
                                      uint32_t clone)
{
    static const char *const names[] = {"web1-1", "web1-2", "web1-3"};

    (void)result;
    return names[clone < 3 ? clone : 1];
}

const char *xenfork_result_clone_uuid(const xenfork_result *result,
                                      uint32_t clone)
{
    (void)result;
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
    has_waited = true;
    return clones > 1 ? XENFORK_E_TIMEOUT : 0;
}

const char *xenfork_result_clone_generation(const xenfork_result *result,
                                            uint32_t clone)
{
    (void)result;
    return clone ? "generation-2" : "generation-1";
}

int xenfork_result_clone_is_ready(const xenfork_result *result, uint32_t clone)
{
    (void)result;
    return has_waited && !clone;
}

int xenfork_result_clone_is_reseeded(const xenfork_result *result,
                                     uint32_t clone)
{
    (void)result;
    return has_waited && clone != 1;
}

/* The third one has reseeded, and failed thereafter. */
const char *xenfork_result_clone_error(const xenfork_result *result,
                                       uint32_t clone)
{
    (void)result;
    return has_waited && clone == 2 ? "40-network: no \"way\"" : NULL;
}

uint32_t xenfork_result_nic_count(const xenfork_result *result, uint32_t clone)
{
    (void)result;
    return clone ? 0 : 2;
}

const char *xenfork_result_nic_vif(const xenfork_result *result, uint32_t clone,
                                   uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic ? "vif5.1" : "vif5.0";
}

const char *xenfork_result_nic_mac(const xenfork_result *result, uint32_t clone,
                                   uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic ? "00:16:3e:00:00:02" : "00:16:3e:00:00:01";
}

int xenfork_result_nic_is_held(const xenfork_result *result, uint32_t clone,
                               uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic == 0;
}

uint64_t xenfork_result_ns(const xenfork_result *result, uint32_t clone,
                           int stage)
{
    (void)result;
    if (stage == XENFORK_STAGE_STUN)
        return 210000000;
    if (stage == XENFORK_STAGE_READY && has_waited && !clone)
        return 340000000;
    return stage == XENFORK_STAGE_TOTAL ? 1500000000 : 0;
}

uint64_t xenfork_result_counter(const xenfork_result *result, int counter)
{
    (void)result;
    return 10 + counter;
}
