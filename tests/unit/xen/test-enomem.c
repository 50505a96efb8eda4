/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/enomem.c: where a ring is set up, on a Xen of the test's. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "xen/events.h"

#include "xen/handles.h"

#include <xenevtchn.h>
#include <xen/hvm/params.h>

#include "xen/xen.h"

#define DOMID    7U
#define SPECIAL  0xfeffcU /* the page that libxl has made for a ring */
#define WIDE_END 0xfc000U

static xenfork_ctx ctx;
static struct xenfork__xen xen;
static xen_pfn_t populated; /* 0: no page is there now */
static uint64_t param, first_populated;
static uint32_t attempts, looks;
static bool is_full, has_no_table;
static char page[XENFORK__PAGE_SIZE];

int xenfork__xen_info(xenfork_ctx *c, uint32_t domid,
                      struct xenfork__dominfo *info_out)
{
    (void)c;
    *info_out = (struct xenfork__dominfo){
        .domid = domid, .max_vcpus = 1, .max_pages = 100};
    return 0;
}

int xenfork__xen_set_max_pages(xenfork_ctx *c, uint32_t domid, uint64_t pages)
{
    (void)c;
    (void)domid;
    (void)pages;
    return 0;
}

/* Every other gfn has a page; or each. */
int xenfork__xen_present_at(xenfork_ctx *c, uint32_t domid,
                            const uint64_t *gfns, uint32_t count,
                            bool *present_out)
{
    (void)c;
    assert_int_equal(domid, DOMID);
    assert_int_equal(count, 1);
    looks++;
    *present_out = gfns[0] % 2 || (is_full && gfns[0] < WIDE_END);
    return 0;
}

bool xenfork__xs_write(xenfork_ctx *c, xs_transaction_t t, const char *value,
                       const char *format, ...)
{
    (void)c;
    (void)t;
    (void)value;
    (void)format;
    return true;
}

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *format,
                       ...)
{
    (void)c;
    (void)t;
    (void)format;
    return NULL;
}

int xc_domain_populate_physmap_exact(xc_interface *xch, uint32_t domid,
                                     unsigned long nr, unsigned int order,
                                     unsigned int flags, xen_pfn_t *gfns)
{
    (void)xch;
    (void)order;
    (void)flags;
    assert_int_equal(domid, DOMID);
    assert_int_equal(nr, 1);
    attempts++;
    if (has_no_table && gfns[0] < WIDE_END) {
        errno = ENOMEM;
        return -1;
    }
    assert_int_equal(populated, 0);
    assert_int_equal(gfns[0] % 2, 0);
    populated = first_populated = gfns[0];
    return 0;
}

int xc_domain_decrease_reservation_exact(xc_interface *xch, uint32_t domid,
                                         unsigned long nr, unsigned int order,
                                         xen_pfn_t *gfns)
{
    (void)xch;
    (void)domid;
    (void)nr;
    (void)order;
    assert_int_equal(gfns[0], populated);
    populated = 0;
    return 0;
}

int xc_hvm_param_get(xc_interface *xch, uint32_t domid, uint32_t what,
                     uint64_t *value)
{
    (void)xch;
    (void)domid;
    assert_int_equal(what, HVM_PARAM_SHARING_RING_PFN);
    *value = param;
    return 0;
}

int xc_hvm_param_set(xc_interface *xch, uint32_t domid, uint32_t what,
                     uint64_t value)
{
    (void)xch;
    (void)domid;
    (void)what;
    param = value;
    return 0;
}

int xc_memshr_ring_enable(xc_interface *xch, uint32_t domid, uint32_t *port)
{
    (void)xch;
    (void)domid;
    assert_int_equal(param, populated);
    *port = 3;
    return 0;
}

int xc_memshr_ring_disable(xc_interface *xch, uint32_t domid)
{
    (void)xch;
    (void)domid;
    return 0;
}

int xc_memshr_domain_resume(xc_interface *xch, uint32_t domid)
{
    (void)xch;
    (void)domid;
    return 0;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid,
                           int prot, size_t pages, const xen_pfn_t gfns[],
                           int errors[])
{
    (void)fmem;
    (void)domid;
    (void)prot;
    (void)pages;
    (void)errors;
    assert_int_equal(gfns[0], populated);
    return page;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr,
                           size_t pages)
{
    (void)fmem;
    (void)addr;
    (void)pages;
    return 0;
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    return (xenevtchn_handle *)page;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    (void)handle;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *handle,
                                              unsigned int virq)
{
    (void)handle;
    return (int)virq;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle,
                                                     uint32_t domid,
                                                     evtchn_port_t remote)
{
    (void)handle;
    (void)domid;
    return (int)remote + 1;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    (void)handle;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

static int setup(void **state)
{
    (void)state;
    ctx = (xenfork_ctx){.guard_fd = -1, .xen = &xen};
    populated = 0;
    attempts = looks = 0;
    is_full = has_no_table = false;
    param = SPECIAL;
    return 0;
}

static uint64_t add(void)
{
    struct xenfork__host_rings *rings;

    assert_int_equal(xenfork__host_rings_open(&ctx, &rings), 0);
    assert_int_equal(xenfork__host_ring_add(&ctx, rings, DOMID), 0);
    assert_true(xenfork__host_ring_has(rings, DOMID));
    /* It is out of the guest's sight, and the parameter as before. */
    assert_int_equal(populated, 0);
    assert_int_equal(param, SPECIAL);
    xenfork__host_rings_close(rings);
    return first_populated;
}

/* Nobody knows where the next ring is set up. */
static void test_random(void **state)
{
    uint64_t first = add();
    uint32_t i, same = 0;

    (void)state;
    for (i = 0; i < 64; i++) {
        uint64_t gfn = add();

        assert_in_range(gfn, 0xf0000, WIDE_END - 1);
        same += gfn == first;
    }
    assert_true(same < 4);
    assert_true(looks > attempts);
}

/* The guest has memory there, or Xen has no page for a table. */
static void test_narrow(void **state)
{
    uint32_t i;

    (void)state;
    is_full = true;
    for (i = 0; i < 16; i++)
        assert_in_range(add(), 0xfee10, 0xfef7f);
    is_full = false;
    has_no_table = true;
    for (i = 0; i < 16; i++)
        assert_in_range(add(), 0xfee10, 0xfef7f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_random),
        TEST(test_narrow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
