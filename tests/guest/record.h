/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The layout of a tick on the disk; tests/live/lib/test-disk.c reads it from
 * outside. */
#ifndef RECORD_H
#define RECORD_H

#include <stdint.h>

#define RECORD_MAGIC 0x314b4454u /* "TDK1" */
#define RECORD_SLOTS 4096u       /* tick N is in slot N % RECORD_SLOTS */
#define RECORD_MARK_BYTES 128

/* 4096 bytes, little endian. A slot never written holds only 0xff, or zeros. */
struct record {
    uint32_t magic;
    uint32_t crc; /* CRC-32 (zlib's) of all that follows */
    uint64_t tick;
    char token[40];
    uint32_t domid;
    uint32_t reserved;
    char mark[RECORD_MARK_BYTES];
    uint8_t fill[4096 - 64 - RECORD_MARK_BYTES];
};
_Static_assert(sizeof(struct record) == 4096, "a record is one page");

#endif
