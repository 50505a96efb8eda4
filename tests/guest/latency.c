/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How long the disk takes, as a program in the guest has it: past the page cache, one request at a time. */
#define _GNU_SOURCE
#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PROBE_FILE "/mnt/probe" /* preallocated; nothing else uses it */
#define PAGE 4096U
#define PROBE_PAGES 1024U
#define MAX_COUNT 4000U

struct figures {
    size_t count;
    uint64_t ns[MAX_COUNT];
};

static uint64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000U + (uint64_t)time.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, two = *(const uint64_t *)b;

    return one < two ? -1 : one > two;
}

static uint64_t part(const struct figures *figures, unsigned percent)
{
    return figures->ns[(figures->count - 1) * percent / 100];
}

/* A page somewhere: read, or written so that it is on the disk. */
static bool transfer(int fd, bool is_write, uint32_t *random, uint64_t *ns_out)
{
    static uint8_t page[PAGE] __attribute__((aligned(4096)));
    uint64_t start;
    ssize_t r;
    off_t at;

    *random = *random * 1103515245 + 12345;
    at = (off_t)(*random >> 8) % PROBE_PAGES * PAGE;
    memset(page, (int)(*random >> 24), is_write ? sizeof page : 0);
    start = now_ns();
    r = is_write ? pwrite(fd, page, sizeof page, at)
                 : pread(fd, page, sizeof page, at);
    *ns_out = now_ns() - start;
    return r == (ssize_t)sizeof page;
}

static bool measure(size_t count, bool is_write, struct figures *figures)
{
    int fd = open(PROBE_FILE, (is_write ? O_RDWR | O_DSYNC : O_RDONLY) |
                                  O_DIRECT | O_CLOEXEC);
    uint32_t random = 1;
    bool ok = fd >= 0;

    for (figures->count = 0; ok && figures->count < count; figures->count++)
        ok = transfer(fd, is_write, &random, &figures->ns[figures->count]);
    if (fd >= 0)
        close(fd);
    qsort(figures->ns, figures->count, sizeof figures->ns[0], by_value);
    return ok;
}

/* N: of so many reads, and of so many synchronous writes, of 4 KiB each */
void latency(const char *text, char *answer, size_t answer_bytes)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct figures reads, writes;
    size_t count = strtoul(text, NULL, 10);

    if (!count || count > MAX_COUNT)
        count = 200;
    pthread_mutex_lock(&lock);
    if (measure(count, false, &reads) && measure(count, true, &writes))
        snprintf(answer, answer_bytes,
                 "{\"count\":%zu,\"read_ns\":{\"median\":%llu,\"p99\":%llu},"
                 "\"write_ns\":{\"median\":%llu,\"p99\":%llu}}",
                 count, (unsigned long long)part(&reads, 50),
                 (unsigned long long)part(&reads, 99),
                 (unsigned long long)part(&writes, 50),
                 (unsigned long long)part(&writes, 99));
    else
        snprintf(answer, answer_bytes, "{\"error\":\"%s: %s\"}", PROBE_FILE,
                 strerror(errno));
    pthread_mutex_unlock(&lock);
}
