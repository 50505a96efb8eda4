/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file in memory, for parsers that want a path. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <stddef.h>
#include <stdint.h>

struct memory_file {
    int fd;
    char path[32];
};

/* Make one with these contents; aborts when it cannot. */
void memory_file_open(struct memory_file *file, const uint8_t *data,
                      size_t bytes);
void memory_file_close(struct memory_file *file);

#endif
