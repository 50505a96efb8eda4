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
static void check_record(xenfork_ctx *ctx,
                         const struct xenfork__keyfile *keyfile)
{
    struct xenfork__record *record = calloc(1, sizeof(*record));
    struct xenfork__keyfile *again = NULL;

    if (!record)
        abort();
    if (xenfork__record_from_keyfile(ctx, record, keyfile)) {
        struct xenfork__record *copy = calloc(1, sizeof(*copy));

        if (!copy || xenfork__keyfile_new(ctx, &again) < 0 ||
            xenfork__record_to_keyfile(ctx, record, again) < 0 ||
            !xenfork__record_from_keyfile(ctx, copy, again) ||
            copy->disk_count != record->disk_count ||
            copy->nic_count != record->nic_count ||
            strcmp(copy->name, record->name) != 0)
            abort();
        xenfork__record_free(copy);
    }
    xenfork__keyfile_free(again);
    xenfork__record_free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__keyfile *keyfile = NULL;
    struct memory_file file;
    xenfork_ctx ctx = {.guard_fd = -1};
    uint64_t value;

    memory_file_open(&file, data, len);
    dprintf(file.fd, "sum %016" PRIx64 "\n", xenfork__digest(data, len));
    if (xenfork__keyfile_read(&ctx, file.path, &keyfile) == 0) {
        check_record(&ctx, keyfile);
        xenfork__keyfile_get_u64(keyfile, "domid", &value);
        xenfork__keyfile_get_nth(keyfile, "disk.path", 0);
    }
    xenfork__keyfile_free(keyfile);
    memory_file_close(&file);
    return 0;
}
