/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "fake-xenfork.h"

#include <stdlib.h>
#include <inttypes.h>
#include <string.h>

int xenfork_spec_new(uint32_t count, xenfork_spec **spec_out)
{
    note("new %" PRIu32, count);
    clones = count;
    *spec_out = FAKE_OBJECT(xenfork_spec);
    return 0;
}

void xenfork_spec_free(xenfork_spec *spec)
{
    (void)spec;
}

int xenfork_spec_set_name(xenfork_spec *spec, uint32_t clone, const char *name)
{
    (void)spec;
    note("name %s %s", show(clone), name);
    return strlen(name) > 63 ? XENFORK_E_INVAL : 0;
}

int xenfork_spec_set_uuid(xenfork_spec *spec, uint32_t clone,
                          const uint8_t uuid[16])
{
    (void)spec;
    note("uuid %s %02x..%02x", show(clone), uuid[0], uuid[15]);
    return 0;
}

int xenfork_spec_set_nic_mac(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                             const uint8_t mac[6])
{
    (void)spec;
    note("mac %s %s %02x..%02x", show(clone), show(nic), mac[0], mac[5]);
    return 0;
}

int xenfork_spec_set_mac_prefix(xenfork_spec *spec, const uint8_t prefix[3])
{
    (void)spec;
    note("prefix %02x..%02x", prefix[0], prefix[2]);
    return prefix[0] & 1 ? XENFORK_E_INVAL : 0;
}

int xenfork_spec_set_nic_bridge(xenfork_spec *spec, uint32_t clone,
                                uint32_t nic, const char *bridge)
{
    (void)spec;
    note("bridge %s %s %s", show(clone), show(nic), bridge);
    return 0;
}

int xenfork_spec_set_nic_ip(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                            const char *ip)
{
    (void)spec;
    note("ip %s %s %s", show(clone), show(nic), ip);
    return 0;
}

int xenfork_spec_set_nic_link(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                              int link)
{
    (void)spec;
    note("link %s %s %d", show(clone), show(nic), link);
    return 0;
}

int xenfork_spec_set_param(xenfork_spec *spec, uint32_t clone, const char *key,
                           const char *value)
{
    (void)spec;
    note("param %s %s=%.40s", show(clone), key, value);
    return *key && strcmp(key, "bad") && !xenfork_param_fault(key, value)
               ? 0
               : XENFORK_E_INVAL;
}

int xenfork_spec_set_disk(xenfork_spec *spec, const char *vdev, const char *how)
{
    (void)spec;
    note("disk %s %s", vdev, how);
    return *vdev && *how ? 0 : XENFORK_E_INVAL;
}

int xenfork_spec_set_paused(xenfork_spec *spec, uint32_t clone, int is_paused)
{
    (void)spec;
    note("paused %s %d", show(clone), is_paused);
    return 0;
}

int xenfork_spec_set_reserve_percent(xenfork_spec *spec, uint32_t percent)
{
    (void)spec;
    note("percent %" PRIu32, percent);
    return 0;
}

int xenfork_spec_set_reserve_kib(xenfork_spec *spec, uint64_t reserve_kib)
{
    (void)spec;
    note("kib %" PRIu64, reserve_kib);
    return 0;
}

/* Said where a test wants it, since every fork has it. */
static void note_host(const char *what, uint64_t value)
{
    if (getenv("FAKE_HOST"))
        note("%s %" PRIu64, what, value);
}

int xenfork_spec_set_source_reserve(xenfork_spec *spec, uint32_t percent)
{
    (void)spec;
    note_host("source", percent);
    return 0;
}

int xenfork_spec_set_leave_kib(xenfork_spec *spec, uint64_t leave_kib)
{
    (void)spec;
    note_host("leave", leave_kib);
    return 0;
}

int xenfork_spec_set_priority(xenfork_spec *spec, uint32_t priority)
{
    (void)spec;
    note("priority %" PRIu32, priority);
    return 0;
}

int xenfork_spec_set_quiesce(xenfork_spec *spec, int how)
{
    (void)spec;
    note("quiesce %d", how);
    return 0;
}

int xenfork_spec_set_timeout_ms(xenfork_spec *spec, uint32_t timeout_ms)
{
    (void)spec;
    note("timeout %" PRIu32, timeout_ms);
    return 0;
}

int xenfork_spec_set_max_stun_ms(xenfork_spec *spec, uint32_t max_stun_ms)
{
    (void)spec;
    note("max-stun %" PRIu32, max_stun_ms);
    return 0;
}

int xenfork_spec_set_pace(xenfork_spec *spec, uint32_t percent)
{
    (void)spec;
    note("pace %" PRIu32, percent);
    return 0;
}

int xenfork_spec_set_flags(xenfork_spec *spec, uint32_t flags)
{
    (void)spec;
    note("flags %" PRIu32, flags);
    return 0;
}
