/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "stream-parser.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct cursor {
    const uint8_t *at;
    size_t left;
    const char *why; /* the first complaint */
};

static const uint8_t *take(struct cursor *c, size_t bytes)
{
    const uint8_t *at = c->at;

    if (c->left < bytes) {
        if (!c->why)
            c->why = "the stream is truncated";
        return NULL;
    }
    c->at += bytes;
    c->left -= bytes;
    return at;
}

static uint64_t le(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | p[bytes];
    return value;
}

static void expect(struct cursor *c, const char *bytes, size_t count,
                   const char *why)
{
    const uint8_t *p = take(c, count);

    if (p && memcmp(p, bytes, count) && !c->why)
        c->why = why;
}

/* One record: header, body, zeroes up to the next multiple of 8. */
static const uint8_t *record(struct cursor *c, uint32_t *type_out,
                             size_t *bytes_out)
{
    const uint8_t *header = take(c, 8), *body, *padding;
    size_t bytes, i;

    if (!header)
        return NULL;
    bytes = le(header + 4, 4);
    body = take(c, bytes);
    padding = take(c, (8 - bytes % 8) % 8);
    if (!body || !padding)
        return NULL;
    /* REC_LENGTH_MAX, xg_sr_stream_format.h */
    if (bytes > 128U << 20 && !c->why)
        c->why = "a record is longer than libxc reads";
    for (i = 0; i < (8 - bytes % 8) % 8; i++)
        if (padding[i] && !c->why)
            c->why = "padding is not zero";
    *type_out = (uint32_t)le(header, 4);
    *bytes_out = bytes;
    return body;
}

/* A record of libxl's part about QEMU upstream, which is emulator 0. */
static void emulator(struct cursor *c, uint32_t type, const uint8_t **body_out,
                     size_t *bytes_out)
{
    uint32_t found;
    const uint8_t *body;
    size_t bytes;

    if (c->left < 8 || le(c->at, 4) != type)
        return;
    body = record(c, &found, &bytes);
    if (!body)
        return;
    if ((bytes <= 8 || memcmp(body, "\2\0\0\0\0\0\0\0", 8)) && !c->why)
        c->why = "no header of an emulator";
    *body_out = body + 8;
    *bytes_out = bytes - 8;
}

static void headers(struct cursor *c, struct stream *s)
{
    const uint8_t *p;

    expect(c, "LibxlFmt", 8, "no libxl magic");
    expect(c, "\0\0\0\2", 4, "libxl stream is not version 2");
    expect(c, "\0\0\0\0", 4, "libxl options are set");
    /* LIBXC_CONTEXT, empty */
    expect(c, "\1\0\0\0\0\0\0\0", 8, "no LIBXC_CONTEXT");
    expect(c, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, "no libxc marker");
    expect(c, "XENF", 4, "no libxc id");
    expect(c, "\0\0\0\3", 4, "libxc stream is not version 3");
    expect(c, "\0\0\0\0\0\0\0\0", 8, "libxc options are set");
    expect(c, "\2\0\0\0", 4, "domain is not x86 HVM");
    expect(c, "\14\0", 2, "pages are not 4 KiB");
    expect(c, "\0\0", 2, "reserved field is set");
    p = take(c, 8);
    if (!p)
        return;
    s->xen_major = (uint32_t)le(p, 4);
    s->xen_minor = (uint32_t)le(p + 4, 4);
}

/* Note the pages of a record, which come after those of the last one. */
static void pages(struct cursor *c, struct stream *s, const uint8_t *body,
                  size_t bytes)
{
    uint64_t count = bytes < 8 ? 0 : le(body, 4), i;

    if (!count || le(body + 4, 4) || bytes != 8 + count * (8 + 4096)) {
        c->why = "PAGE_DATA is malformed";
        return;
    }
    s->gfns = reallocarray(s->gfns, s->page_count + count, sizeof(*s->gfns));
    if (!s->gfns)
        abort();
    if (!s->pages)
        s->pages = body + 8 + 8 * count;
    for (i = 0; i < count; i++) {
        uint64_t gfn = le(body + 8 + 8 * i, 8);

        /* Bits 60 to 63 are the type, 52 to 59 reserved. */
        if (gfn >> 52 || (s->page_count && gfn <= s->gfns[s->page_count - 1]))
            c->why = "a gfn of PAGE_DATA is malformed";
        s->gfns[s->page_count++] = gfn;
    }
}

/* The order that libxc's restore asks for: static data, pages, the rest. */
static void check_order(struct cursor *c, const struct stream *s)
{
    bool is_static = true;
    uint32_t i;

    for (i = 0; i < s->record_count; i++) {
        bool is_policy = s->types[i] == 0x11 || s->types[i] == 0x12;

        if (s->types[i] == 0x10 ? !is_static : is_policy != is_static)
            c->why = "a record on the wrong side of STATIC_DATA_END";
        if (s->types[i] == 0x10)
            is_static = false;
    }
    if (!c->why && is_static)
        c->why = "no STATIC_DATA_END";
}

static void check_sizes(struct cursor *c, const struct stream *s)
{
    uint32_t i;

    for (i = 0; i < s->record_count; i++) {
        size_t n = s->lengths[i];
        const uint8_t *body = s->bodies[i];
        bool ok;

        switch (s->types[i]) {
        case 0x00: /* END */
        case 0x10: /* STATIC_DATA_END */
            ok = n == 0;
            break;
        case 0x01: /* PAGE_DATA: see pages() */
            ok = true;
            break;
        case 0x08: /* X86_TSC_INFO */
            ok = n == 24 && !le(body + 20, 4);
            break;
        case 0x09: /* HVM_CONTEXT */
            ok = n > 0;
            break;
        case 0x0a: /* HVM_PARAMS */
            ok = n >= 8 && n == 8 + 16 * le(body, 4) && !le(body + 4, 4);
            break;
        case 0x11: /* X86_CPUID_POLICY */
            ok = n && n % 24 == 0;
            break;
        case 0x12: /* X86_MSR_POLICY */
            ok = n && n % 16 == 0;
            break;
        default:
            ok = false;
        }
        if (!ok)
            c->why = "a record of unknown type or wrong size";
    }
}

struct stream *stream_parse(const uint8_t *data, size_t bytes,
                            const char **why_out)
{
    struct cursor c = {.at = data, .left = bytes};
    struct stream *s = calloc(1, sizeof(*s));
    uint32_t type = 1;

    if (!s)
        abort();
    s->data = data;
    s->bytes = bytes;
    headers(&c, s);
    while (!c.why && type && s->record_count < STREAM_RECORDS) {
        size_t length = 0;
        const uint8_t *body = record(&c, &type, &length);

        if (!body)
            break;
        if (type == 0x01)
            pages(&c, s, body, length);
        s->types[s->record_count] = type;
        s->lengths[s->record_count] = length;
        s->bodies[s->record_count++] = body;
    }
    if (!c.why && type)
        c.why = "too many records";
    if (!c.why)
        check_sizes(&c, s);
    if (!c.why)
        check_order(&c, s);
    emulator(&c, 2, &s->nodes, &s->nodes_bytes);
    emulator(&c, 3, &s->emulator, &s->emulator_bytes);
    expect(&c, "\0\0\0\0\0\0\0\0", 8, "no END of libxl's part");
    if (!c.why && c.left)
        c.why = "bytes after the END";
    *why_out = c.why;
    if (!c.why)
        return s;
    stream_free(s);
    return NULL;
}

void stream_free(struct stream *stream)
{
    if (!stream)
        return;
    free(stream->gfns);
    free(stream);
}

const uint8_t *stream_record(const struct stream *stream, uint32_t type,
                             size_t *bytes_out)
{
    uint32_t i;

    for (i = 0; i < stream->record_count; i++)
        if (stream->types[i] == type) {
            *bytes_out = stream->lengths[i];
            return stream->bodies[i];
        }
    return NULL;
}
