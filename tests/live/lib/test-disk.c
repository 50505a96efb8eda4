/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-disk FILE-OR-DEVICE: the records that a test guest has left on a disk,
 * as JSON.  They are found wherever they lie, so that no file system is needed
 * to read them; see tests/guest/record.h.  It is quick enough for the emulator.
 *
 * Every record is tried until the disk has it, so none is missing below the
 * highest, but for those that are overwritten by later ones.  "sum" is of
 * every byte: two disks that have the same are taken to be the same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/guest/record.h"

#define CHUNK_BYTES  (1U << 20)
#define EXT_MAGIC_AT 1080U
#define SEEN_MAX     64U

struct seen {
    size_t count;
    char text[SEEN_MAX][RECORD_MARK_BYTES];
};

struct census {
    uint64_t sum, records, highest, bad, twice;
    uint64_t tick[RECORD_SLOTS]; /* 0: none */
    bool is_ext;
    struct seen marks, domids, tokens;
};

static uint32_t crc_table[256];

static void make_crc_table(void)
{
    uint32_t i, value;
    int bit;

    for (i = 0; i < 256; i++) {
        value = i;
        for (bit = 0; bit < 8; bit++)
            value = value & 1 ? (value >> 1) ^ 0xedb88320U : value >> 1;
        crc_table[i] = value;
    }
}

static uint32_t crc_of(const void *data, size_t bytes)
{
    const uint8_t *at = data;
    uint32_t crc = 0xffffffffU;

    while (bytes--)
        crc = crc_table[(crc ^ *at++) & 0xff] ^ (crc >> 8);
    return ~crc;
}

static void see(struct seen *seen, const char *text)
{
    size_t i;

    for (i = 0; i < seen->count; i++)
        if (!strncmp(seen->text[i], text, RECORD_MARK_BYTES - 1))
            return;
    if (seen->count < SEEN_MAX && text[0])
        snprintf(seen->text[seen->count++], RECORD_MARK_BYTES, "%.*s",
                 RECORD_MARK_BYTES - 1, text);
}

static void count_record(struct census *census, const struct record *record)
{
    uint64_t *tick = &census->tick[record->tick % RECORD_SLOTS];
    char text[RECORD_MARK_BYTES];

    if (record->crc != crc_of((const char *)record + 8, sizeof(*record) - 8) ||
        !record->tick) {
        census->bad++;
        return;
    }
    census->twice += *tick != 0;
    *tick = record->tick;
    census->records++;
    if (record->tick > census->highest)
        census->highest = record->tick;
    see(&census->marks, record->mark);
    snprintf(text, sizeof(text), "%" PRId32, (int32_t)record->domid);
    see(&census->domids, text);
    snprintf(text, sizeof(text), "%.*s", (int)sizeof(record->token),
             record->token);
    see(&census->tokens, text);
}

static void count_chunk(struct census *census, const uint8_t *chunk,
                        size_t bytes)
{
    const uint64_t *words = (const uint64_t *)chunk;
    const struct record *records = (const struct record *)chunk;
    size_t i;

    for (i = 0; i < bytes / sizeof(*words); i++)
        census->sum = (((census->sum << 5) | (census->sum >> 59)) ^ words[i]) *
                      0x9e3779b97f4a7c15U;
    for (i = 0; i < bytes / sizeof(*records); i++)
        if (records[i].magic == RECORD_MAGIC)
            count_record(census, &records[i]);
}

/* Backends' writes to a device pass its cache by. */
static int open_disk(const char *path)
{
    struct stat st;
    bool is_device = stat(path, &st) == 0 && S_ISBLK(st.st_mode);

    return open(path, O_RDONLY | O_CLOEXEC | (is_device ? O_DIRECT : 0));
}

static bool take_census(const char *path, struct census *census)
{
    static uint8_t chunk[CHUNK_BYTES] __attribute__((aligned(4096)));
    int fd = open_disk(path);
    bool is_first = true;
    ssize_t r;

    if (fd < 0)
        return false;
    while ((r = read(fd, chunk, sizeof(chunk))) > 0) {
        if (is_first)
            census->is_ext = chunk[EXT_MAGIC_AT] == 0x53 &&
                             chunk[EXT_MAGIC_AT + 1] == 0xef;
        is_first = false;
        count_chunk(census, chunk, (size_t)r);
    }
    close(fd);
    return r == 0;
}

static uint64_t count_missing(const struct census *census)
{
    uint64_t tick = census->highest < RECORD_SLOTS
                        ? 1
                        : census->highest - RECORD_SLOTS + 1;
    uint64_t missing = 0;

    for (; tick <= census->highest; tick++)
        missing += census->tick[tick % RECORD_SLOTS] != tick;
    return missing;
}

static void print_list(const char *name, const struct seen *seen)
{
    size_t i, n;

    printf("\"%s\":[", name);
    for (i = 0; i < seen->count; i++) {
        fputs(i ? ",\"" : "\"", stdout);
        for (n = 0; seen->text[i][n]; n++)
            if (seen->text[i][n] >= ' ' && !strchr("\"\\", seen->text[i][n]))
                putchar(seen->text[i][n]);
        putchar('"');
    }
    fputs("],", stdout);
}

static void print_errors(const struct census *census)
{
    const struct {
        uint64_t count;
        const char *what;
    } errors[] = {
        {census->bad, "records damaged"},
        {census->twice, "records twice"},
        {count_missing(census), "records missing"},
    };
    const char *comma = "";
    size_t i;

    fputs("\"errors\":[", stdout);
    for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
        if (errors[i].count) {
            printf("%s\"%" PRIu64 " %s\"", comma, errors[i].count,
                   errors[i].what);
            comma = ",";
        }
    fputs("]", stdout);
}

int main(int argc, char **argv)
{
    static struct census census;

    if (argc != 2) {
        fputs("usage: test-disk FILE-OR-DEVICE\n", stderr);
        return 2;
    }
    make_crc_table();
    if (!take_census(argv[1], &census)) {
        perror(argv[1]);
        return 1;
    }
    printf("{\"records\":%" PRIu64 ",\"highest\":%" PRIu64
           ",\"sum\":\"%016" PRIx64 "\",\"is_ext\":%s,",
           census.records, census.highest, census.sum,
           census.is_ext ? "true" : "false");
    print_list("marks", &census.marks);
    print_list("domids", &census.domids);
    print_list("tokens", &census.tokens);
    print_errors(&census);
    puts("}");
    return 0;
}
