/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-write DOMID PAGES: have a domain own so many pages more than it does,
 * of those that it shares, as if it had written to them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#define BATCH 256U

static uint64_t own_pages(xc_interface *xch, uint32_t domid)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(xch, domid, 1, &info) != 1 ||
        info.domain != domid) {
        fprintf(stderr, "test-write: no domain %u\n", domid);
        exit(2);
    }
    return info.tot_pages;
}

/* Xen gives a domain its own copy of a page that is mapped to be written. */
static void map(xenforeignmemory_handle *fmem, uint32_t domid, uint64_t gfn,
                uint64_t count)
{
    xen_pfn_t pfns[BATCH];
    int errors[BATCH];
    void *memory;
    uint64_t i;

    for (i = 0; i < count; i++)
        pfns[i] = gfn + i;
    memory = xenforeignmemory_map(fmem, domid, PROT_READ | PROT_WRITE, count,
                                  pfns, errors);
    if (memory)
        xenforeignmemory_unmap(fmem, memory, count);
}

int main(int argc, char **argv)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint64_t gfn = 0, own, wanted;
    uint32_t domid;
    xen_pfn_t end;

    if (argc != 3 || !fmem || !xch)
        return 2;
    domid = (uint32_t)strtoul(argv[1], NULL, 10);
    if (xc_domain_maximum_gpfn(xch, domid, &end) < 0) {
        perror("test-write");
        return 2;
    }
    own = own_pages(xch, domid);
    wanted = own + strtoull(argv[2], NULL, 10);
    while (own < wanted && gfn <= end) {
        uint64_t count = wanted - own < BATCH ? wanted - own : BATCH;

        map(fmem, domid, gfn, count);
        gfn += count;
        own = own_pages(xch, domid);
    }
    printf("%" PRIu64 " pages are its own\n", own);
    return own < wanted;
}
