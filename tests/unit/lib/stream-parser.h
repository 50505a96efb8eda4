/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A second reader of the stream, written from Xen's documents alone
 * (libxl-migration-stream.pandoc, libxc-migration-stream.pandoc, 4.17) and
 * strict: what it does not know, it refuses.
 */
#ifndef STREAM_PARSER_H
#define STREAM_PARSER_H

#include <stddef.h>
#include <stdint.h>

#define STREAM_RECORDS 64U

struct stream {
    const uint8_t *data; /* the caller's; everything points into it */
    size_t bytes;
    uint32_t xen_major, xen_minor;
    uint32_t record_count; /* libxc's */
    uint32_t types[STREAM_RECORDS];
    size_t lengths[STREAM_RECORDS];
    const uint8_t *bodies[STREAM_RECORDS];
    uint32_t page_count;
    uint64_t *gfns;
    const uint8_t *pages;            /* of the first record with pages */
    const uint8_t *nodes, *emulator; /* of libxl's part; NULL: none */
    size_t nodes_bytes, emulator_bytes;
};

/* NULL: malformed, *why_out says where; else *why_out is NULL. */
struct stream *stream_parse(const uint8_t *data, size_t bytes,
                            const char **why_out);
void stream_free(struct stream *stream);
/* The first record of libxc's part with this type; NULL: none. */
const uint8_t *stream_record(const struct stream *stream, uint32_t type,
                             size_t *bytes_out);

#endif
