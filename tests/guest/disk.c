/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The data file, or a disk without file system: preallocated, written in place past the page cache, so that what
 * is on the disk depends neither on the journal nor on write-back.
 */
#define _GNU_SOURCE
#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_FILE "/mnt/data"

#define SEEN_MAX 8

uint32_t crc32_of(const void *data, size_t bytes)
{
    static uint32_t table[256];
    const uint8_t *at = data;
    uint32_t crc = 0xffffffffu;

    if (!table[1]) {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;

            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? (value >> 1) ^ 0xedb88320u : value >> 1;
            table[i] = value;
        }
    }
    while (bytes--)
        crc = table[(crc ^ *at++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static uint32_t crc_of_record(const struct record *record)
{
    return crc32_of((const char *)record + 8, sizeof *record - 8);
}

static const char *data_path(void)
{
    const char *path = getenv("XF_DATA");

    return path ? path : DATA_FILE;
}

int disk_open(void)
{
    return open(data_path(), O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC);
}

int disk_write(int fd, const struct record *record)
{
    static struct record page __attribute__((aligned(4096)));
    off_t at = (off_t)(record->tick % RECORD_SLOTS) * (off_t)sizeof page;

    page = *record;
    page.magic = RECORD_MAGIC;
    page.crc = crc_of_record(&page);
    if (pwrite(fd, &page, sizeof page, at) != (ssize_t)sizeof page)
        return errno ? -errno : -EIO;
    return 0;
}

/* A few different values seen, in order of first sight; more than fit are dropped. */
struct seen {
    size_t count;
    char text[SEEN_MAX][RECORD_MARK_BYTES];
};

static void see(struct seen *seen, const char *text)
{
    for (size_t i = 0; i < seen->count; i++)
        if (!strcmp(seen->text[i], text))
            return;
    if (seen->count < SEEN_MAX)
        snprintf(seen->text[seen->count++], RECORD_MARK_BYTES, "%s", text);
}

static void list_seen(const struct seen *seen, char *text, size_t text_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < seen->count && used < text_bytes; i++)
        used += (size_t)snprintf(text + used, text_bytes - used, "%s\"%s\"",
                                 i ? "," : "", seen->text[i]);
}

static bool is_blank(const struct record *record)
{
    return (record->magic == 0xffffffffu && record->tick == UINT64_MAX) ||
           (record->magic == 0 && record->tick == 0);
}

struct census {
    uint64_t records, highest, errors;
    struct seen marks, domids, tokens;
};

static void count_slot(struct census *census, const struct record *record,
                       uint64_t slot)
{
    char domid[16];

    if (is_blank(record))
        return;
    if (record->magic != RECORD_MAGIC || record->crc != crc_of_record(record) ||
        record->tick % RECORD_SLOTS != slot) {
        census->errors++;
        return;
    }
    census->records++;
    if (record->tick > census->highest)
        census->highest = record->tick;
    if (record->mark[0])
        see(&census->marks, record->mark);
    snprintf(domid, sizeof domid, "%d", (int)record->domid);
    see(&census->domids, domid);
    see(&census->tokens, record->token);
}

void disk_verify(char *answer, size_t answer_bytes)
{
    static struct record records[64] __attribute__((aligned(4096)));
    static struct census census;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static char marks[1200], domids[200], tokens[320];
    int fd = open(data_path(), O_RDONLY | O_DIRECT | O_CLOEXEC);

    pthread_mutex_lock(&lock);
    memset(&census, 0, sizeof census);
    if (fd < 0)
        census.errors++;
    for (uint64_t slot = 0; fd >= 0 && slot < RECORD_SLOTS; slot += 64) {
        if (read(fd, records, sizeof records) != (ssize_t)sizeof records) {
            census.errors++;
            break;
        }
        for (uint64_t i = 0; i < 64; i++)
            count_slot(&census, &records[i], slot + i);
    }
    list_seen(&census.marks, marks, sizeof marks);
    list_seen(&census.domids, domids, sizeof domids);
    list_seen(&census.tokens, tokens, sizeof tokens);
    snprintf(answer, answer_bytes,
             "{\"records\":%llu,\"highest\":%llu,\"errors\":%llu,"
             "\"marks\":[%s],\"domids\":[%s],\"tokens\":[%s]}",
             (unsigned long long)census.records,
             (unsigned long long)census.highest,
             (unsigned long long)census.errors, marks, domids, tokens);
    pthread_mutex_unlock(&lock);
    if (fd >= 0)
        close(fd);
}
