/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A progress bar on the terminal. */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>

#include <xenfork.h>

#include "progress.h"

#define WIDTH 40

static bool is_drawn;

static const char *what_takes_long(int stage)
{
    switch (stage) {
    case XENFORK_STAGE_SHARE:
        return "sharing memory";
    case XENFORK_STAGE_DETACH:
        return "detaching";
    default:
        return NULL;
    }
}

void progress_draw(void *opaque, int stage, uint32_t clone, uint64_t done,
                   uint64_t total)
{
    unsigned int percent;
    unsigned int i;

    (void)opaque;
    (void)clone;
    if (!what_takes_long(stage) || total == 0) {
        progress_end();
        return;
    }
    percent = done < total ? done * 100 / total : 100;
    fprintf(stderr, "\r%s [", what_takes_long(stage));
    for (i = 0; i < WIDTH; i++)
        fputc(i * 100 < percent * WIDTH ? '#' : ' ', stderr);
    fprintf(stderr, "] %3u%%", percent);
    fflush(stderr);
    is_drawn = true;
}

void progress_end(void)
{
    if (is_drawn)
        fputs("\r\033[K", stderr);
    is_drawn = false;
}
