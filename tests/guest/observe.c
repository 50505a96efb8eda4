/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ticking itself, and what is published of it in xenstore. */
#include "observe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* dom0 has one emulated CPU for the disks and the xenstore of all guests. */
#define TICK_MS    500
#define PUBLISH_MS 1000
#define ASK_MS     2000 /* when a watch tells nothing */

struct state state = { .lock = PTHREAD_MUTEX_INITIALIZER,
                       .domid = DOMID_UNKNOWN,
                       .pace_ms = TICK_MS };

void sleep_ms(unsigned ms)
{
    struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
}

void start_thread(void *(*run)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 * 1024);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
}

static void draw_token(void)
{
    uint8_t random[16];

    if (getrandom(random, sizeof random, 0) != sizeof random)
        abort();
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(state.token + 2 * i, 3, "%02x", random[i]);
}

/* One record a tick; the tick counts as acknowledged only once the disk has it. */
static void *tick_forever(void *unused)
{
    static struct record record __attribute__((aligned(4096)));
    int fd = disk_open();

    (void)unused;
    for (;;) {
        unsigned pace_ms;
        int r;

        memset(&record, 0, sizeof record);
        pthread_mutex_lock(&state.lock);
        record.tick = ++state.tick;
        record.domid = state.domid;
        memcpy(record.token, state.token, sizeof state.token);
        memcpy(record.mark, state.mark, sizeof record.mark);
        pthread_mutex_unlock(&state.lock);

        r = disk_write(fd, &record);

        pthread_mutex_lock(&state.lock);
        if (r < 0) {
            state.disk_errno = -r;
            /* Tried again, so that none is missing below one that is acknowledged. */
            state.tick -= fd >= 0;
        } else {
            state.acked = record.tick;
            if (!state.mark_acked && !strcmp(record.mark, state.mark))
                state.mark_acked = record.tick;
        }
        pace_ms = r < 0 ? TICK_MS : state.pace_ms;
        pthread_mutex_unlock(&state.lock);
        sleep_ms(pace_ms);
    }
    return NULL;
}

/* Write once what stays the same in one domain. */
static void publish(void)
{
    static uint32_t published = DOMID_UNKNOWN;
    uint64_t tick;
    uint32_t domid;
    char text[64];

    read_domid();
    pthread_mutex_lock(&state.lock);
    tick = state.tick;
    domid = state.domid;
    pthread_mutex_unlock(&state.lock);

    if (domid != published) {
        snprintf(text, sizeof text, "%u", domid);
        if (store_write("data/domid", text) == 0 &&
            store_write("data/token", state.token) == 0)
            published = domid;
        read_mac(text, sizeof text);
        store_write("data/mac", text);
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)tick);
    store_write("data/tick", text);
}

static void *publish_forever(void *unused)
{
    (void)unused;
    for (;;) {
        publish();
        sleep_ms(PUBLISH_MS);
    }
    return NULL;
}

/* data/ask holds "SEQ COMMAND"; a new SEQ is answered in data/answer as "SEQ JSON". */
static void *answer_forever(void *unused)
{
    static char last[512];

    int fd = store_watch("data/ask");

    (void)unused;
    for (;; store_wait(fd, ASK_MS)) {
        char ask[512], answer[ANSWER_BYTES], reply[ANSWER_BYTES + 512], *space;

        if (store_read("data/ask", ask, sizeof ask) < 0)
            continue;
        space = strchr(ask, ' ');
        if (!space)
            continue;
        *space = '\0';
        if (!strcmp(ask, last))
            continue;
        run_command(space + 1, answer, sizeof answer);
        snprintf(reply, sizeof reply, "%s %s", ask, answer);
        if (store_write("data/answer", reply) == 0)
            snprintf(last, sizeof last, "%s", ask);
    }
    return NULL;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    read_domid();
    draw_token();
    printf("observe: token %s\n", state.token);
    fflush(stdout);
    start_thread(tick_forever, NULL);
    start_thread(publish_forever, NULL);
    start_thread(answer_forever, NULL);
    net_start();
    for (;;) {
        uint64_t tick;

        sleep_ms(10000);
        pthread_mutex_lock(&state.lock);
        tick = state.tick;
        pthread_mutex_unlock(&state.lock);
        printf("observe: tick %llu\n", (unsigned long long)tick);
        fflush(stdout);
    }
}
