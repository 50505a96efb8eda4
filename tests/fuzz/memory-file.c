/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "memory-file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void memory_file_open(struct memory_file *file, const uint8_t *data,
                      size_t bytes)
{
    file->fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (file->fd < 0 || write(file->fd, data, bytes) != (ssize_t)bytes)
        abort();
    snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
}

void memory_file_close(struct memory_file *file)
{
    close(file->fd);
}
