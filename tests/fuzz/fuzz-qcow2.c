/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz the headers of qcow2 files. */
#include "config.h"

#include <stdlib.h>

#include "disk/qcow2/header.h"
#include "fuzz.h"
#include "memory-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__qcow2 qcow2 = {0};
    xenfork_ctx ctx = {.guard_fd = -1};
    struct memory_file file;
    char *parent = NULL;

    memory_file_open(&file, data, len);
    if (xenfork__qcow2_read(&ctx, file.path, &qcow2) == 0) {
        if (qcow2.backing && !qcow2.backing[0])
            abort();
        xenfork__qcow2_free(&qcow2);
    }
    if (xenfork__qcow2_parent(&ctx, file.path, &parent) == 0)
        free(parent);
    memory_file_close(&file);
    return 0;
}
