/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-memory DOMID DOMID: compare all pages of two domains that do not run,
 * and say how many are the same, differ, or are in one of them only, with the
 * first that are not the same.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>

#define BATCH 512U
#define PAGE  4096U
#define SHOWN 16U

struct domain {
    xenforeignmemory_handle *fmem;
    uint32_t domid;
    int errors[BATCH];
    uint8_t *memory; /* NULL: none of them is there */
};

static uint64_t same, differ, only_first, only_second, shown;
static xencall_handle *call;
static struct look *buffer;

static void map(struct domain *domain, const xen_pfn_t *pfns)
{
    domain->memory = xenforeignmemory_map(
        domain->fmem, domain->domid, PROT_READ, BATCH, pfns, domain->errors);
}

static void unmap(struct domain *domain)
{
    if (domain->memory)
        xenforeignmemory_unmap(domain->fmem, domain->memory, BATCH);
}

static void show(const char *what, uint64_t gfn, uint32_t at, uint32_t bytes)
{
    if (shown++ < SHOWN)
        printf("%s %" PRIx64 " at %x, %u bytes\n", what, gfn, at, bytes);
}

static void compare_page(const uint8_t *a, const uint8_t *b, uint64_t gfn)
{
    uint32_t i, first = PAGE, bytes = 0;

    if (!memcmp(a, b, PAGE)) {
        same++;
        return;
    }
    for (i = 0; i < PAGE; i++) {
        if (a[i] == b[i])
            continue;
        if (first == PAGE)
            first = i;
        bytes++;
    }
    differ++;
    show("differs", gfn, first, bytes);
}

/* Return how many pages Xen counts, its own in the domain not among them. */
static uint64_t counted(xc_interface *xch, uint32_t domid)
{
    xc_domaininfo_t info;

    if (xc_domain_getinfolist(xch, domid, 1, &info) != 1 ||
        info.domain != domid) {
        fprintf(stderr, "test-memory: no domain %u\n", domid);
        exit(2);
    }
    return info.tot_pages + info.shr_pages;
}

/* Buffers for the hypervisor. */
struct look {
    struct xen_domctl domctl;
    xen_pfn_t types[BATCH];
};

/* Tell which pages are there, and not Xen's own. */
static bool look(struct look *l, uint32_t domid, const xen_pfn_t *pfns,
                 bool *is_there)
{
    bool any = false;
    uint32_t i;

    memcpy(l->types, pfns, sizeof(l->types));
    memset(&l->domctl, 0, sizeof(l->domctl));
    l->domctl.cmd = XEN_DOMCTL_getpageframeinfo3;
    l->domctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    l->domctl.domain = (domid_t)domid;
    l->domctl.u.getpageframeinfo3.num = BATCH;
    set_xen_guest_handle_raw(l->domctl.u.getpageframeinfo3.array, l->types);
    if (xencall1(call, __HYPERVISOR_domctl, (uintptr_t)&l->domctl) < 0) {
        perror("test-memory");
        exit(2);
    }
    for (i = 0; i < BATCH; i++)
        any |= is_there[i] = l->types[i] != XEN_DOMCTL_PFINFO_XTAB &&
                             l->types[i] != XEN_DOMCTL_PFINFO_BROKEN;
    return any;
}

static void compare_batch(struct domain *a, struct domain *b, uint64_t gfn)
{
    bool there_a[BATCH], there_b[BATCH], any;
    xen_pfn_t pfns[BATCH];
    uint32_t i;

    for (i = 0; i < BATCH; i++)
        pfns[i] = gfn + i;
    any = look(buffer, a->domid, pfns, there_a);
    if (!look(buffer, b->domid, pfns, there_b) && !any)
        return;
    map(a, pfns);
    map(b, pfns);
    for (i = 0; i < BATCH; i++) {
        bool in_a = there_a[i] && a->memory && !a->errors[i];
        bool in_b = there_b[i] && b->memory && !b->errors[i];

        if (in_a && in_b)
            compare_page(a->memory + i * PAGE, b->memory + i * PAGE, gfn + i);
        else if (in_a)
            only_first++, show("only first", gfn + i, 0, 0);
        else if (in_b)
            only_second++, show("only second", gfn + i, 0, 0);
    }
    unmap(a);
    unmap(b);
}

int main(int argc, char **argv)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    struct domain a = {.fmem = fmem}, b = {.fmem = fmem};
    xen_pfn_t end;
    uint64_t gfn, first, second;

    call = xencall_open(NULL, 0);
    if (argc != 3 || !fmem || !xch || !call)
        return 2;
    buffer = xencall_alloc_buffer(call, sizeof(*buffer));
    if (!buffer)
        return 2;
    a.domid = (uint32_t)atoi(argv[1]);
    b.domid = (uint32_t)atoi(argv[2]);
    if (xc_domain_maximum_gpfn(xch, a.domid, &end) < 0) {
        perror("test-memory");
        return 2;
    }
    for (gfn = 0; gfn <= end; gfn += BATCH)
        compare_batch(&a, &b, gfn);
    first = counted(xch, a.domid);
    second = counted(xch, b.domid);
    printf("same %" PRIu64 " differ %" PRIu64 " only_first %" PRIu64
           " only_second %" PRIu64 " pages %" PRIu64 " %" PRIu64 "\n",
           same, differ, only_first, only_second, first, second);
    return differ || only_first || only_second || first != second;
}
