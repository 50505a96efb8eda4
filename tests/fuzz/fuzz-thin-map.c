/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz the metadata of dm-thin: a tree that may be any graph. */
#include "config.h"

#include <stdlib.h>

#include "disk/thin/map.h"
#include "fuzz.h"
#include "memory-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__thin_map map = {0};
    xenfork_ctx ctx = {.guard_fd = -1};
    struct memory_file file;
    size_t i;

    memory_file_open(&file, data, len);
    if (xenfork__thin_map(&ctx, file.path, 0, 1, &map) == 0) {
        for (i = 1; i < map.count; i++)
            if (map.blocks[i - 1] >= map.blocks[i])
                abort();
        xenfork__thin_map_free(&map);
    }
    memory_file_close(&file);
    return 0;
}
