/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-context DOMID: the emulated devices and vCPUs of an HVM container, as
 * Xen saves them, a record a line; to compare two domains that stand at the
 * same instant.  What goes on with time is left out.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenctrl.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>
#include <xenforeignmemory.h>

#define PAGE 4096U

#define LEAVE_OUT(type, from, to)                                \
    case HVM_SAVE_CODE(type):                                    \
        memset(data + offsetof(HVM_SAVE_TYPE(type), from), 0,    \
               sizeof(((HVM_SAVE_TYPE(type) *)0)->from) * (to)); \
        break

/* Clear what is a clock. */
static void leave_out(uint16_t type, uint8_t *data)
{
    switch (type) {
        LEAVE_OUT(CPU, tsc, 1);
        LEAVE_OUT(RTC, cmos_data, 1);
        LEAVE_OUT(HPET, mc64, 1);
        LEAVE_OUT(PMTIMER, tmr_val, 1);
        LEAVE_OUT(VIRIDIAN_DOMAIN, time_ref_count, 1);
    default:
        break;
    }
}

/* An address, and whether it is used. */
static uint64_t reference_tsc;

static void print_record(const struct hvm_save_descriptor *record,
                         const uint8_t *data)
{
    uint32_t i;

    if (record->typecode == HVM_SAVE_CODE(VIRIDIAN_DOMAIN))
        memcpy(&reference_tsc,
               data + offsetof(HVM_SAVE_TYPE(VIRIDIAN_DOMAIN), reference_tsc),
               sizeof(reference_tsc));
    printf("record %u.%u:", record->typecode, record->instance);
    for (i = 0; i < record->length; i++)
        printf("%s%02x", i % 8 ? "" : " ", data[i]);
    printf("\n");
}

static int print_context(xc_interface *xch, uint32_t domid)
{
    int used, bytes = xc_domain_hvm_getcontext(xch, domid, NULL, 0);
    uint8_t *context = bytes > 0 ? malloc((size_t)bytes) : NULL;

    if (!context)
        return -1;
    bytes = xc_domain_hvm_getcontext(xch, domid, context, (uint32_t)bytes);
    for (used = 0; used + (int)sizeof(struct hvm_save_descriptor) <= bytes;) {
        struct hvm_save_descriptor record;

        memcpy(&record, context + used, sizeof(record));
        used += (int)sizeof(record);
        leave_out(record.typecode, context + used);
        print_record(&record, context + used);
        used += (int)record.length;
    }
    free(context);
    return bytes > 0 ? 0 : -1;
}

/* Print some of what lies at an address. */
static void print_memory(uint32_t domid, uint64_t address, uint32_t bytes,
                         const char *what)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t gfn = address / PAGE;
    uint8_t *page = fmem ? xenforeignmemory_map(fmem, domid, PROT_READ, 1, &gfn,
                                                NULL)
                         : NULL;
    uint32_t i;

    printf("%s ", what);
    for (i = 0; page && i < bytes; i++)
        printf("%02x", page[address % PAGE + i]);
    printf("\n");
    xenforeignmemory_close(fmem);
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint64_t address = 0;
    uint32_t domid = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;

    if (!xch || print_context(xch, domid)) {
        fprintf(stderr, "test-context: no domain %" PRIu32 "\n", domid);
        return 1;
    }
    if (!xc_hvm_param_get(xch, domid, HVM_PARAM_VM_GENERATION_ID_ADDR,
                          &address) &&
        address)
        print_memory(domid, address, 16, "genid");
    if (reference_tsc & 1)
        print_memory(domid, reference_tsc - 1, 4, "reference TSC");
    xc_interface_close(xch);
    return 0;
}
