/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "op/stream.h"

#include <endian.h>
#include <string.h>

/* libxl-migration-stream.pandoc: header big-endian, records little-endian */
#define LIBXL_IDENT         0x4c6962786c466d74ULL /* "LibxlFmt" */
#define LIBXL_VERSION       2U
#define LIBXL_END           0U
#define LIBXL_LIBXC_CONTEXT 1U
#define LIBXL_EMU_XENSTORE  2U
#define LIBXL_EMU_CONTEXT   3U
#define QEMU_UPSTREAM       2U

/* libxc-migration-stream.pandoc */
#define XC_MARKER           0xffffffffffffffffULL
#define XC_ID               0x58454e46U /* "XENF" */
#define XC_VERSION          3U
#define XC_X86_HVM          2U
#define XC_PAGE_SHIFT       12U
#define XC_END              0x00000000U
#define XC_PAGE_DATA        0x00000001U
#define XC_X86_TSC_INFO     0x00000008U
#define XC_HVM_CONTEXT      0x00000009U
#define XC_HVM_PARAMS       0x0000000aU
#define XC_STATIC_DATA_END  0x00000010U
#define XC_X86_CPUID_POLICY 0x00000011U
#define XC_X86_MSR_POLICY   0x00000012U
#define ALIGNMENT           8U
#define BATCH_PAGES         1024U /* MAX_BATCH_SIZE, xg_save_restore.h, 4.17 */

static void put(FILE *f, const void *data, size_t bytes)
{
    if (bytes)
        fwrite(data, bytes, 1, f);
}

static void put16(FILE *f, uint16_t value)
{
    value = htole16(value);
    put(f, &value, sizeof(value));
}

static void put32(FILE *f, uint32_t value)
{
    value = htole32(value);
    put(f, &value, sizeof(value));
}

static void put64(FILE *f, uint64_t value)
{
    value = htole64(value);
    put(f, &value, sizeof(value));
}

static void put32_be(FILE *f, uint32_t value)
{
    value = htobe32(value);
    put(f, &value, sizeof(value));
}

static void put64_be(FILE *f, uint64_t value)
{
    value = htobe64(value);
    put(f, &value, sizeof(value));
}

static void put_padding(FILE *f, size_t bytes)
{
    static const uint8_t zero[ALIGNMENT];

    put(f, zero, (ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT);
}

static void put_record_header(FILE *f, uint32_t type, size_t bytes)
{
    put32(f, type);
    put32(f, (uint32_t)bytes);
}

static void put_record(FILE *f, uint32_t type, const void *data, size_t bytes)
{
    put_record_header(f, type, bytes);
    put(f, data, bytes);
    put_padding(f, bytes);
}

static void put_headers(FILE *f, const struct xenfork__capture *capture)
{
    put64_be(f, LIBXL_IDENT);
    put32_be(f, LIBXL_VERSION);
    put32_be(f, 0); /* options: records are little-endian */
    put_record(f, LIBXL_LIBXC_CONTEXT, NULL, 0);

    put64(f, XC_MARKER);
    put32_be(f, XC_ID);
    put32_be(f, XC_VERSION);
    put64(f, 0); /* options: little-endian; reserved */
    put32(f, XC_X86_HVM);
    put16(f, XC_PAGE_SHIFT);
    put16(f, 0);
    put32(f, capture->xen_major);
    put32(f, capture->xen_minor);
}

static void put_static_data(FILE *f, const struct xenfork__capture *capture)
{
    if (capture->cpuid_bytes)
        put_record(f, XC_X86_CPUID_POLICY, capture->cpuid,
                   capture->cpuid_bytes);
    if (capture->msrs_bytes)
        put_record(f, XC_X86_MSR_POLICY, capture->msrs, capture->msrs_bytes);
    put_record(f, XC_STATIC_DATA_END, NULL, 0);
}

/* Put a record about QEMU, the first emulator of the domain. */
static void put_emulator(FILE *f, uint32_t type, const void *data, size_t bytes)
{
    if (!bytes)
        return;
    put_record_header(f, type, 8 + bytes);
    put32(f, QEMU_UPSTREAM);
    put32(f, 0);
    put(f, data, bytes);
    put_padding(f, 8 + bytes);
}

/* Put pages from @first on, as many as libxc itself puts into a record. */
static uint32_t put_batch(FILE *f, const struct xenfork__capture *capture,
                          uint32_t first)
{
    uint32_t left = capture->page_count - first, i;
    uint32_t count = left < BATCH_PAGES ? left : BATCH_PAGES;
    size_t bytes = 8 + (size_t)count * (8 + XENFORK__PAGE_SIZE);

    put_record_header(f, XC_PAGE_DATA, bytes);
    put32(f, count);
    put32(f, 0);
    for (i = 0; i < count; i++)
        put64(f, capture->page_gfns[first + i]); /* type 0: ordinary memory */
    put(f, capture->pages + (size_t)first * XENFORK__PAGE_SIZE,
        (size_t)count * XENFORK__PAGE_SIZE);
    put_padding(f, bytes);
    return count;
}

/* Put all pages.  libxc refuses a record of more than 128 MiB. */
static void put_pages(FILE *f, const struct xenfork__capture *capture)
{
    uint32_t done = 0;

    while (done < capture->page_count)
        done += put_batch(f, capture, done);
}

static void put_tsc(FILE *f, const struct xenfork__capture *capture)
{
    put_record_header(f, XC_X86_TSC_INFO, 24);
    put32(f, capture->tsc_mode);
    put32(f, capture->tsc_khz);
    put64(f, capture->tsc_ns);
    put32(f, capture->tsc_incarnation);
    put32(f, 0);
}

static void put_params(FILE *f, const struct xenfork__capture *capture)
{
    uint32_t i;

    if (!capture->param_count)
        return;
    put_record_header(f, XC_HVM_PARAMS, 8 + (size_t)capture->param_count * 16);
    put32(f, capture->param_count);
    put32(f, 0);
    for (i = 0; i < capture->param_count; i++) {
        put64(f, capture->params[i].index);
        put64(f, capture->params[i].value);
    }
}

int xenfork__stream_build(xenfork_ctx *ctx,
                          const struct xenfork__capture *capture,
                          uint8_t **stream_out, size_t *bytes_out)
{
    char *stream = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&stream, &bytes);
    bool is_short;

    if (!f)
        return xenfork__nomem(ctx);
    put_headers(f, capture);
    put_static_data(f, capture);
    put_pages(f, capture);
    put_tsc(f, capture);
    put_record(f, XC_HVM_CONTEXT, capture->context, capture->context_bytes);
    put_params(f, capture);
    put_record(f, XC_END, NULL, 0);
    put_emulator(f, LIBXL_EMU_XENSTORE, capture->emulator_nodes,
                 capture->emulator_nodes_bytes);
    put_emulator(f, LIBXL_EMU_CONTEXT, capture->emulator,
                 capture->emulator_bytes);
    put_record(f, LIBXL_END, NULL, 0);
    is_short = ferror(f);
    if (fclose(f) || is_short) {
        free(stream);
        return xenfork__nomem(ctx);
    }
    *stream_out = (uint8_t *)stream;
    *bytes_out = bytes;
    return 0;
}
