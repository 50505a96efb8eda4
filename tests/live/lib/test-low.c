/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-low MIB DOMID…: wait until the host has less free memory; say how much
 * it had just before, and has then, and how many milliseconds later the first
 * of these domains is paused.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xenctrl.h>

#define LOOK_MS       5U /* dom0 has one CPU */
#define WAIT_MS       120000U
#define PAGES_PER_MIB 256U

static uint64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000U + (uint64_t)time.tv_nsec / 1000000U;
}

/* Return what is free and not reserved. */
static uint64_t free_mib(xc_interface *xch)
{
    xc_physinfo_t info = {0};

    if (xc_physinfo(xch, &info))
        return UINT64_MAX;
    return info.free_pages > info.outstanding_pages
               ? (info.free_pages - info.outstanding_pages) / PAGES_PER_MIB
               : 0;
}

static bool is_paused(xc_interface *xch, int count, char **domids)
{
    xc_domaininfo_t info;
    int i;

    for (i = 0; i < count; i++) {
        uint32_t domid = (uint32_t)strtoul(domids[i], NULL, 10);

        if (xc_domain_getinfolist(xch, domid, 1, &info) == 1 &&
            info.domain == domid && info.flags & XEN_DOMINF_paused)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000};
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint64_t mib, start = now_ms(), low = 0, before = 0, now = 0;

    if (!xch || argc < 3)
        return 2;
    mib = strtoull(argv[1], NULL, 10);
    while (now_ms() - start < WAIT_MS) {
        if (!low) {
            before = now;
            now = free_mib(xch);
            low = now < mib ? now_ms() : 0;
        }
        if (low && is_paused(xch, argc - 2, argv + 2)) {
            printf("%" PRIu64 " MiB free, then %" PRIu64 "; paused %" PRIu64
                   " ms later\n",
                   before, now, now_ms() - low);
            return 0;
        }
        nanosleep(&pause, NULL);
    }
    return 1;
}
