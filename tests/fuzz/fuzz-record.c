/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz records: of images, clones and frozen sources, and journals.  The input
 * is one without its last line, the checksum.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "fuzz.h"
#include "memory-file.h"
#include "state/keyfile.h"
#include "state/record-text.h"

/* A record that was accepted must be written as one that is accepted. */
static void check_node(xenfork_ctx *ctx, const struct xenfork__record *record)
{
    struct xenfork__node *node = calloc(1, sizeof(*node));
    struct xenfork__record *again = NULL;

    if (!node)
        abort();
    if (xenfork__node_from_record(ctx, node, record)) {
        struct xenfork__node *copy = calloc(1, sizeof(*copy));

        if (!copy || xenfork__record_new(ctx, &again) < 0 ||
            xenfork__node_to_record(ctx, node, again) < 0 ||
            !xenfork__node_from_record(ctx, copy, again) ||
            copy->disk_count != node->disk_count ||
            copy->nic_count != node->nic_count ||
            strcmp(copy->name, node->name) != 0)
            abort();
        xenfork__node_free(copy);
    }
    xenfork__record_free(again);
    xenfork__node_free(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__record *record = NULL;
    struct memory_file file;
    xenfork_ctx ctx = {.guard_fd = -1};
    uint64_t value;

    memory_file_open(&file, data, len);
    dprintf(file.fd, "sum %016" PRIx64 "\n", xenfork__digest(data, len));
    if (xenfork__record_read(&ctx, file.path, &record) == 0) {
        check_node(&ctx, record);
        xenfork__record_get_u64(record, "domid", &value);
        xenfork__record_get_nth(record, "disk.path", 0);
    }
    xenfork__record_free(record);
    memory_file_close(&file);
    return 0;
}
