/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a stream of ours that QEMU is started with: see stream.c. */
#include "op/stream.h"

#include <endian.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "state/record.h"

#define LIBXL_HEADER_BYTES  16
#define LIBXC_HEADER_BYTES  40 /* of the image, and of the domain */
#define RECORD_HEADER_BYTES 8
#define EMULATOR_BYTES      8 /* which emulator, before what is of it */
#define LIBXL_END           0U
#define LIBXL_LIBXC_CONTEXT 1U
#define LIBXL_EMU_XENSTORE  2U
#define LIBXL_EMU_CONTEXT   3U
#define LIBXC_END           0U
#define ALIGNMENT           8U
#define MAX_NODES_BYTES     (1U << 20)

struct record {
    uint32_t type, bytes;
    off_t at; /* its contents */
};

static bool read_part(int fd, void *to, size_t bytes, off_t at)
{
    return pread(fd, to, bytes, at) == (ssize_t)bytes;
}

/* Read a record's header, and find the next one. */
static bool read_record(int fd, off_t *at, struct record *record_out)
{
    uint32_t header[2];

    if (!read_part(fd, header, sizeof(header), *at))
        return false;
    record_out->type = le32toh(header[0]);
    record_out->bytes = le32toh(header[1]);
    record_out->at = *at + RECORD_HEADER_BYTES;
    *at = record_out->at +
          (off_t)((record_out->bytes + (uint64_t)ALIGNMENT - 1) / ALIGNMENT *
                  ALIGNMENT);
    return true;
}

/* Pass over what is libxc's. */
static bool pass_libxc(int fd, off_t *at)
{
    struct record record;

    *at += LIBXC_HEADER_BYTES;
    do
        if (!read_record(fd, at, &record))
            return false;
    while (record.type != LIBXC_END);
    return true;
}

/* Take the nodes; each text of them has to end, as names and values do. */
static bool take_nodes(int fd, const struct record *record, char **nodes_out,
                       size_t *bytes_out)
{
    size_t bytes = record->bytes - EMULATOR_BYTES, i, ends = 0;
    char *nodes;

    if (!bytes || bytes > MAX_NODES_BYTES || *nodes_out)
        return !bytes;
    nodes = malloc(bytes);
    if (!nodes)
        return false;
    if (!read_part(fd, nodes, bytes, record->at + EMULATOR_BYTES))
        bytes = 0;
    for (i = 0; i < bytes; i++)
        ends += !nodes[i];
    if (!bytes || nodes[bytes - 1] || ends % 2) {
        free(nodes);
        return false;
    }
    *nodes_out = nodes;
    *bytes_out = bytes;
    return true;
}

/* Find the state, and take the nodes. */
static bool find_state(int fd, char **nodes_out, size_t *bytes_out,
                       off_t *state_out)
{
    off_t at = LIBXL_HEADER_BYTES;
    struct record record;

    *state_out = 0;
    do {
        if (!read_record(fd, &at, &record) ||
            (record.type == LIBXL_LIBXC_CONTEXT && !pass_libxc(fd, &at)))
            return false;
        if ((record.type == LIBXL_EMU_XENSTORE ||
             record.type == LIBXL_EMU_CONTEXT) &&
            record.bytes < EMULATOR_BYTES)
            return false;
        if (record.type == LIBXL_EMU_XENSTORE &&
            !take_nodes(fd, &record, nodes_out, bytes_out))
            return false;
        if (record.type == LIBXL_EMU_CONTEXT)
            *state_out = record.at + EMULATOR_BYTES;
    } while (record.type != LIBXL_END);
    return *state_out;
}

int xenfork__stream_emulator(xenfork_ctx *ctx, int fd, char **nodes_out,
                             size_t *bytes_out)
{
    cleanup_free char *nodes = NULL;
    size_t bytes = 0;
    off_t state;

    if (!find_state(fd, &nodes, &bytes, &state) ||
        lseek(fd, state, SEEK_SET) != state)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "the stream of the image has no state of a device "
                             "model");
    *nodes_out = steal_ptr(nodes);
    *bytes_out = bytes;
    return 0;
}

int xenfork__stream_open(xenfork_ctx *ctx, const struct xenfork__record *image,
                         int *fd_out)
{
    cleanup_free char *path = xenfork__record_path(
        ctx, XENFORK_KIND_IMAGE, image->uuid, XENFORK__FILE_STREAM);
    int fd;

    if (!path)
        return xenfork__nomem(ctx);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return xenfork__fail(ctx, XENFORK_E_STATE, errno, "cannot open %s",
                             path);
    *fd_out = fd;
    return 0;
}
