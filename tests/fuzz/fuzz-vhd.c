/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz the footers and headers of VHDs, of which one becomes another. */
#include "config.h"

#include "base/internal.h"
#include "fuzz.h"
#include "host/host.h"
#include "memory-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    xenfork_ctx ctx = {.guard_fd = -1};
    struct memory_file file, like;

    memory_file_open(&file, data, len);
    memory_file_open(&like, data, len);
    xenfork__sys_vhd_stand_alone(&ctx, file.path, like.path);
    memory_file_close(&like);
    memory_file_close(&file);
    return 0;
}
