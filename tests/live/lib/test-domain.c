/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-domain DOMID [GFN]: what the hypervisor has of a domain, to compare two
 * of them; or put a page there, as its guest might do.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>
#include <xen/hvm/params.h>

#define PORTS 8U

static void print_info(const xc_domaininfo_t *info)
{
    printf("flags %#x\n", info->flags);
    /* How many of them are shared depends on who has looked at them. */
    printf("pages %" PRIu64 ", at most %" PRIu64 "\n",
           (uint64_t)(info->tot_pages + info->shr_pages),
           (uint64_t)info->max_pages);
    printf("paged %" PRIu64 ", claimed %" PRIu64 "\n",
           (uint64_t)info->paged_pages, (uint64_t)info->outstanding_pages);
    printf("vcpus %u online, %u at most\n", info->nr_online_vcpus,
           info->max_vcpu_id + 1);
    printf("pool %u, label %u, gpaddr bits %u\n", info->cpupool, info->ssidref,
           info->gpaddr_bits);
    printf("emulation %#x, misc %#x\n", info->arch_config.emulation_flags,
           info->arch_config.misc_flags);
}

static void print_params(xc_interface *xch, uint32_t domid)
{
    uint64_t value;
    uint32_t i;

    for (i = 0; i < HVM_NR_PARAMS; i++) {
        value = 0;
        if (xc_hvm_param_get(xch, domid, i, &value))
            printf("param %u: none\n", i);
        else
            printf("param %u: %#" PRIx64 "\n", i, value);
    }
}

static void print_ports(xc_interface *xch, uint32_t domid)
{
    uint32_t port;

    for (port = 0; port < PORTS; port++) {
        xc_evtchn_status_t status = {.dom = (domid_t)domid, .port = port};

        if (xc_evtchn_status(xch, &status))
            printf("port %u: none\n", port);
        else
            printf("port %u: status %u, vcpu %u, other %u\n", port,
                   status.status, status.vcpu,
                   status.status == EVTCHNSTAT_interdomain
                       ? status.u.interdomain.dom
                       : status.u.unbound.dom);
    }
}

static void print_map(const char *what, xc_cpumap_t map, int bytes)
{
    int i;

    printf("%s ", what);
    for (i = 0; i < bytes; i++)
        printf("%02x", map[i]);
    printf("\n");
}

static void print_places(xc_interface *xch, const xc_domaininfo_t *info)
{
    int cpus = xc_get_cpumap_size(xch), nodes = xc_get_nodemap_size(xch);
    xc_cpumap_t hard, soft;
    xc_nodemap_t node;
    uint32_t i;

    for (i = 0; i <= info->max_vcpu_id; i++) {
        hard = xc_cpumap_alloc(xch);
        soft = xc_cpumap_alloc(xch);
        if (hard && soft &&
            !xc_vcpu_getaffinity(xch, info->domain, (int)i, hard, soft,
                                 XEN_VCPUAFFINITY_HARD |
                                     XEN_VCPUAFFINITY_SOFT)) {
            print_map("hard", hard, cpus);
            print_map("soft", soft, cpus);
        }
        free(hard);
        free(soft);
    }
    node = xc_nodemap_alloc(xch);
    if (node && !xc_domain_node_getaffinity(xch, info->domain, node))
        print_map("nodes", node, nodes);
    free(node);
}

static void print_rest(xc_interface *xch, uint32_t domid)
{
    uint32_t mode = 0, khz = 0, incarnation = 0;
    struct xen_domctl_sched_credit2 sched = {0};
    uint64_t ns = 0, pool = 0;
    xen_pfn_t max = 0;

    xc_get_paging_mempool_size(xch, domid, &pool);
    xc_domain_get_tsc_info(xch, domid, &mode, &ns, &khz, &incarnation);
    xc_domain_maximum_gpfn(xch, domid, &max);
    xc_sched_credit2_domain_get(xch, domid, &sched);
    printf("paging pool %" PRIu64 "\n", pool);
    printf("tsc mode %u, %u kHz, incarnation %u\n", mode, khz, incarnation);
    printf("highest page %#" PRIx64 "\n", (uint64_t)max);
    printf("weight %u, cap %u\n", sched.weight, sched.cap);
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint32_t domid = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    xc_domaininfo_t info;

    if (!xch || xc_domain_getinfolist(xch, domid, 1, &info) != 1 ||
        info.domain != domid) {
        fprintf(stderr, "test-domain: no domain %" PRIu32 "\n", domid);
        return 1;
    }
    if (argc > 2) {
        xen_pfn_t gfn = strtoull(argv[2], NULL, 0);

        if (!xc_domain_populate_physmap_exact(xch, domid, 1, 0, 0, &gfn))
            return 0;
        perror("test-domain: no page");
        return 1;
    }
    print_info(&info);
    print_params(xch, domid);
    print_ports(xch, domid);
    print_places(xch, &info);
    print_rest(xch, domid);
    xc_interface_close(xch);
    return 0;
}
