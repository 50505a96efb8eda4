/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls to Xen whose rules differ from release to release. */
#include "config.h"

#include "xen/handles.h"
#include "xen/xen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>
#include <xen/memory.h>

static xenfork_ctx ctx;
static uint32_t asked_domid, asked_flags;
static int claim_errno;
/* As domain_set_outstanding_pages(), xen/common/page_alloc.c, has it. */
static uint64_t own_pages, claimed_pages, free_pages;
static uint64_t all_claimed_pages, needed_pages;
static bool has_memory;

int __wrap_xc_domain_getinfolist(xc_interface *xch, uint32_t first,
                                 unsigned int count, xc_domaininfo_t *info);
int __wrap_xc_domain_getinfolist(xc_interface *xch, uint32_t first,
                                 unsigned int count, xc_domaininfo_t *info)
{
    (void)xch;
    assert_int_equal(count, 1);
    memset(info, 0, sizeof(*info));
    info->domain = (domid_t)first;
    info->tot_pages = own_pages;
    info->outstanding_pages = claimed_pages;
    return 1;
}

int __wrap_xc_physinfo(xc_interface *xch, xc_physinfo_t *info);
int __wrap_xc_physinfo(xc_interface *xch, xc_physinfo_t *info)
{
    (void)xch;
    memset(info, 0, sizeof(*info));
    info->free_pages = free_pages;
    info->outstanding_pages = all_claimed_pages;
    return 0;
}

int __wrap_libxl_domain_config_from_json(libxl_ctx *xl,
                                         libxl_domain_config *config,
                                         const char *json);
int __wrap_libxl_domain_config_from_json(libxl_ctx *xl,
                                         libxl_domain_config *config,
                                         const char *json)
{
    (void)xl;
    (void)json;
    config->c_info.name = strdup("web-1");
    return config->c_info.name ? 0 : ERROR_NOMEM;
}

int __wrap_libxl_domain_need_memory(libxl_ctx *xl, libxl_domain_config *config,
                                    uint32_t domid, uint64_t *need_kib);
int __wrap_libxl_domain_need_memory(libxl_ctx *xl, libxl_domain_config *config,
                                    uint32_t domid, uint64_t *need_kib)
{
    (void)xl;
    (void)config;
    (void)domid;
    *need_kib = needed_pages * XENFORK__PAGE_KIB;
    return 0;
}

int __wrap_xc_domain_create(xc_interface *xch, uint32_t *domid,
                            struct xen_domctl_createdomain *config);
int __wrap_xc_domain_create(xc_interface *xch, uint32_t *domid,
                            struct xen_domctl_createdomain *config)
{
    (void)xch;
    asked_domid = *domid;
    asked_flags = config->flags;
    errno = EPERM;
    return -1;
}

int __wrap_xc_domain_claim_pages(xc_interface *xch, uint32_t domid,
                                 unsigned long pages);
int __wrap_xc_domain_claim_pages(xc_interface *xch, uint32_t domid,
                                 unsigned long pages)
{
    (void)xch;
    (void)domid;
    if (has_memory) {
        if (pages && (claimed_pages || pages <= own_pages)) {
            errno = EINVAL;
            return -1;
        }
        if (pages && pages - own_pages > free_pages) {
            errno = ENOMEM;
            return -1;
        }
        claimed_pages = pages ? pages - own_pages : 0;
        return 0;
    }
    errno = claim_errno;
    return claim_errno ? -1 : 0;
}

void *__wrap_xencall_alloc_buffer(xencall_handle *xcall, size_t bytes);
void *__wrap_xencall_alloc_buffer(xencall_handle *xcall, size_t bytes)
{
    (void)xcall;
    return calloc(1, bytes);
}

void __wrap_xencall_free_buffer(xencall_handle *xcall, void *buffer);
void __wrap_xencall_free_buffer(xencall_handle *xcall, void *buffer)
{
    (void)xcall;
    free(buffer);
}

static uint32_t mappings; /* so far */
static uint64_t mapped;   /* pages, now */
static xen_pfn_t bad_pfn; /* cannot be mapped; 0: all can */

void *__wrap_xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid,
                                  int prot, size_t count,
                                  const xen_pfn_t pfns[], int errors[])
    __attribute__((visibility("default")));
void *__wrap_xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid,
                                  int prot, size_t count,
                                  const xen_pfn_t pfns[], int errors[])
{
    char *memory = calloc(count, XENFORK__PAGE_SIZE);
    size_t i;

    (void)fmem;
    (void)domid;
    assert_int_equal(prot, PROT_READ);
    for (i = 0; i < count; i++) {
        memcpy(memory + i * XENFORK__PAGE_SIZE, &pfns[i], sizeof(pfns[i]));
        errors[i] = pfns[i] == bad_pfn ? -EINVAL : 0;
    }
    mappings++;
    mapped += count;
    return memory;
}

int __wrap_xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *memory,
                                  size_t count)
    __attribute__((visibility("default")));
int __wrap_xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *memory,
                                  size_t count)
{
    (void)fmem;
    mapped -= count;
    free(memory);
    return 0;
}

static int pauses;      /* more than unpauses */
static int pause_errno; /* 0: it can be done */

int __wrap_xc_domain_pause(xc_interface *xch, uint32_t domid)
    __attribute__((visibility("default")));
int __wrap_xc_domain_pause(xc_interface *xch, uint32_t domid)
{
    (void)xch;
    (void)domid;
    pauses += !pause_errno;
    errno = pause_errno;
    return pause_errno ? -1 : 0;
}

int __wrap_xc_domain_unpause(xc_interface *xch, uint32_t domid)
    __attribute__((visibility("default")));
int __wrap_xc_domain_unpause(xc_interface *xch, uint32_t domid)
{
    (void)xch;
    (void)domid;
    pauses -= !pause_errno;
    errno = pause_errno;
    return pause_errno ? -1 : 0;
}

/* A multicall of claims. */
int __wrap_xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                    uint64_t arg2);
int __wrap_xencall2(xencall_handle *xcall, unsigned int op, uint64_t arg1,
                    uint64_t arg2)
{
    multicall_entry_t *calls = (multicall_entry_t *)(uintptr_t)arg1;
    uint64_t i;

    (void)xcall;
    assert_int_equal(op, __HYPERVISOR_multicall);
    for (i = 0; i < arg2; i++) {
        const xen_memory_reservation_t *claim =
            (const xen_memory_reservation_t *)(uintptr_t)calls[i].args[1];

        assert_int_equal(calls[i].op, __HYPERVISOR_memory_op);
        assert_int_equal(calls[i].args[0], XENMEM_claim_pages);
        calls[i].result = 0;
        if (__wrap_xc_domain_claim_pages(NULL, claim->domid, claim->nr_extents))
            calls[i].result = (unsigned long)-errno;
    }
    return 0;
}

/* 4.22 takes 0 for dom0's id; DOMID_ANY is a reserved id to older ones. */
static void test_any_domid(void **state)
{
    const uint8_t uuid[16] = {1};
    uint32_t image = 1234;

    (void)state;
    assert_int_equal(xenfork__xen_image_create(&ctx, 5, uuid, "i", &image),
                     XENFORK_E_XEN);
    assert_int_equal(image, 1234);
    assert_int_equal(asked_domid, 0x7ff5);
    assert_true(asked_domid >= DOMID_FIRST_RESERVED);
    assert_true(asked_flags & XEN_DOMCTL_CDF_hvm);
#ifdef XEN_DOMCTL_GETDOMSTATE_CAP_XENSTORE
    assert_false(asked_flags & XEN_DOMCTL_CDF_xs_domain);
#else
    assert_true(asked_flags & XEN_DOMCTL_CDF_xs_domain);
#endif
}

/* A domain that is dying, or gone, has no claim any more. */
static void test_claim_of_the_dying(void **state)
{
    (void)state;
    claim_errno = EINVAL;
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 0), 0);
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 100), XENFORK_E_XEN);
    claim_errno = ENOMEM;
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 0), XENFORK_E_HOSTMEM);
    claim_errno = EPERM;
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 0), XENFORK_E_XEN);
    claim_errno = 0;
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 100), 0);
}

static int setup(void **state)
{
    static struct xenfork__xen xen;

    (void)state;
    ctx.xen = &xen;
    return 0;
}

/* A claim that fails leaves the old one. */
static void test_claim_is_kept(void **state)
{
    (void)state;
    has_memory = true;
    own_pages = 100;
    free_pages = 60;
    claimed_pages = 40;
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 161), XENFORK_E_HOSTMEM);
    assert_int_equal(claimed_pages, 40);
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 100), XENFORK_E_XEN);
    assert_int_equal(claimed_pages, 40);
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 160), 0);
    assert_int_equal(claimed_pages, 60);
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 0), 0);
    assert_int_equal(claimed_pages, 0);
    assert_int_equal(xenfork__xen_claim(&ctx, 5, 161), XENFORK_E_HOSTMEM);
    assert_int_equal(claimed_pages, 0);
    has_memory = false;
    own_pages = claimed_pages = 0;
}

/* Memory that is reserved for others is not free for a domain that starts. */
static void test_reserved_is_not_free(void **state)
{
    (void)state;
    free_pages = 200;
    all_claimed_pages = 150;
    needed_pages = 50;
    assert_int_equal(xenfork__xen_check_memory(&ctx, "", XENFORK_DOMID_NONE),
                     0);
    needed_pages = 51;
    assert_int_equal(xenfork__xen_check_memory(&ctx, "", XENFORK_DOMID_NONE),
                     XENFORK_E_HOSTMEM);
    assert_string_equal(xenfork_error_text(&ctx),
                        "web-1 cannot start: it needs 204 KiB, 200 KiB are "
                        "free and not reserved");
    /* The domain that it replaces gives back its own, and what it claims. */
    own_pages = 10;
    claimed_pages = 20;
    needed_pages = 80;
    assert_int_equal(xenfork__xen_check_memory(&ctx, "", 5), 0);
    needed_pages = 81;
    assert_int_equal(xenfork__xen_check_memory(&ctx, "", 5), XENFORK_E_HOSTMEM);
    all_claimed_pages = 201; /* Xen counts them apart */
    needed_pages = 31;
    assert_int_equal(xenfork__xen_check_memory(&ctx, "", 5), XENFORK_E_HOSTMEM);
    own_pages = claimed_pages = all_claimed_pages = 0;
}

/* A frame buffer is thousands of pages: not one mapping for each. */
static void test_read_pages(void **state)
{
    uint64_t gfns[1030], seen;
    uint8_t *pages = calloc(ARRAY_SIZE(gfns), XENFORK__PAGE_SIZE);
    uint32_t i, count = ARRAY_SIZE(gfns);

    (void)state;
    assert_non_null(pages);
    for (i = 0; i < count; i++)
        gfns[i] = 0xf0000 + 3 * i;
    assert_int_equal(xenfork__xen_read_pages(&ctx, 7, gfns, count, pages), 0);
    for (i = 0; i < count; i++) {
        memcpy(&seen, pages + (size_t)i * XENFORK__PAGE_SIZE, sizeof(seen));
        assert_int_equal(seen, gfns[i]);
    }
    assert_int_equal(mappings, 3);
    assert_int_equal(mapped, 0);
    bad_pfn = gfns[700];
    assert_int_equal(xenfork__xen_read_pages(&ctx, 7, gfns, count, pages),
                     XENFORK_E_XEN);
    assert_int_equal(mapped, 0);
    free(pages);
}

/* Without libxl, which is not there: ctx.xen->xl is NULL. */
static void test_pause_vcpus(void **state)
{
    (void)state;
    assert_int_equal(xenfork__xen_pause_vcpus(&ctx, 7), 0);
    assert_int_equal(pauses, 1);
    assert_int_equal(xenfork__xen_unpause_vcpus(&ctx, 7), 0);
    assert_int_equal(pauses, 0);
    pause_errno = ESRCH;
    assert_int_equal(xenfork__xen_pause_vcpus(&ctx, 7), XENFORK_E_XEN);
    assert_int_equal(xenfork__xen_unpause_vcpus(&ctx, 7), XENFORK_E_XEN);
    assert_int_equal(ctx.error.errnoval, ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_domid),
        cmocka_unit_test(test_claim_of_the_dying),
        cmocka_unit_test(test_claim_is_kept),
        cmocka_unit_test(test_reserved_is_not_free),
        cmocka_unit_test(test_read_pages),
        cmocka_unit_test(test_pause_vcpus),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
