/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory full of a pattern, every byte of which is read back: what a guest sees when its host has too little. */
#define _GNU_SOURCE
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define MIB (1024U * 1024U)
#define WORDS 512U /* of a page */

static uint64_t now_ms(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000U + (uint64_t)time.tv_nsec / 1000000U;
}

/* How long nothing went on, at most: a page takes microseconds. */
struct gap {
    uint64_t last_ms, max_ms;
};

static void note(struct gap *gap)
{
    uint64_t now = now_ms();

    if (now - gap->last_ms > gap->max_ms)
        gap->max_ms = now - gap->last_ms;
    gap->last_ms = now;
}

/* Another one for each word of each page of each guest. */
static uint64_t next(uint64_t *random)
{
    *random = *random * 6364136223846793005U + 1442695040888963407U;
    return *random;
}

static uint64_t write_pages(uint64_t *memory, size_t pages, uint64_t seed, struct gap *gap)
{
    for (size_t page = 0; page < pages; page++) {
        uint64_t random = seed + page;

        for (unsigned i = 0; i < WORDS; i++)
            memory[page * WORDS + i] = next(&random);
        note(gap);
    }
    return pages;
}

static uint64_t wrong_words(const uint64_t *memory, size_t pages, uint64_t seed, struct gap *gap)
{
    uint64_t wrong = 0;

    for (size_t page = 0; page < pages; page++) {
        uint64_t random = seed + page;

        for (unsigned i = 0; i < WORDS; i++)
            wrong += memory[page * WORDS + i] != next(&random);
        note(gap);
    }
    return wrong;
}

/* data/filled: "PAGES WRONG GAP_MS", when all is written and read back */
static void *fill_all(void *argument)
{
    size_t pages = *(const size_t *)argument;
    uint64_t *memory = mmap(NULL, pages * WORDS * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gap gap = {.last_ms = now_ms()};
    uint64_t seed, written, wrong;
    char text[96] = "no memory";

    pthread_mutex_lock(&state.lock);
    seed = (uint64_t)state.domid << 32 ^ state.tick << 20;
    pthread_mutex_unlock(&state.lock);
    if (memory != MAP_FAILED) {
        written = write_pages(memory, pages, seed, &gap);
        wrong = wrong_words(memory, pages, seed, &gap);
        snprintf(text, sizeof text, "%llu %llu %llu", (unsigned long long)written, (unsigned long long)wrong,
                 (unsigned long long)gap.max_ms);
        munmap(memory, pages * WORDS * 8);
    }
    while (store_write("data/filled", text) < 0)
        sleep_ms(100);
    return NULL;
}

/* MIB: once at a time */
void fill(const char *text, char *answer, size_t answer_bytes)
{
    static size_t pages;
    unsigned long mib = strtoul(text, NULL, 10);

    pages = mib * MIB / (WORDS * 8);
    store_write("data/filled", "");
    start_thread(fill_all, &pages);
    snprintf(answer, answer_bytes, "{\"fill_mib\":%lu}", mib);
}
