/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/listen.h"
#include "daemon/log.h"
#include "fake-host.h"
#include "scene.h"
#include "serving.h"

#define FIRST_PID 0x40000000

struct serving s;

static pid_t spawn(void *opaque, int kind, const char *target)
{
    (void)opaque;
    if (s.spawn_error)
        return s.spawn_error;
    assert_in_range(s.count, 0, 4095);
    s.started[s.count].kind = kind;
    snprintf(s.started[s.count].target, WORKER_TARGET_BYTES, "%s", target);
    return (pid_t)(FIRST_PID + s.count++);
}

int serving_setup(void **state)
{
    (void)state;
    memset(&s, 0, sizeof(s));
    s.a = scene_source();
    s.b = fake_add_guest("b");
    fake_host_setup();
    s.ctx = scene_open();
    s.now_ms = 1000000;
    config_default(&s.config);
    s.config.log_level = LOG_LEVEL_ERROR;
    s.config.memory_low_mib = 0; /* it looks often: test-memory.c */
    assert_true(serve_init(&s.daemon, s.ctx, &s.config, spawn, NULL, s.now_ms));
    return 0;
}

int serving_teardown(void **state)
{
    (void)state;
    serve_free(&s.daemon);
    xenfork_close(s.ctx);
    fake_host_teardown();
    fake_teardown();
    return 0;
}

static uint32_t take_events(void)
{
    uint32_t events, domid, n;

    for (n = 0; n < 256; n++) {
        int rc = xenfork__host_event(s.ctx, &events, &domid);

        if (rc < 0 && s.ends) {
            s.ends();
            continue;
        }
        assert_int_equal(rc, 0);
        if (events == XENFORK__EVENT_NONE)
            break;
        serve_event(&s.daemon, events, domid, s.now_ms);
    }
    return n;
}

/* A turn may cause events: a new watch says at once how things are. */
void turn(void)
{
    take_events();
    listen_take(&s.daemon, s.now_ms);
    do
        serve_turn(&s.daemon, s.now_ms);
    while (take_events());
}

void sleep_until(uint64_t ms)
{
    uint32_t turns = 0;

    turn();
    while (s.now_ms < ms) {
        uint64_t wake = serve_wake_ms(&s.daemon, s.now_ms);

        assert_true(wake > s.now_ms);
        s.now_ms = wake <= ms ? wake : ms;
        if (wake <= ms)
            turn();
        assert_in_range(turns++, 0, 100);
    }
}

uint32_t started(int kind, const char *target)
{
    uint32_t i, n = 0;

    for (i = 0; i < s.count; i++)
        n += s.started[i].kind == kind &&
             (!target || !strcmp(s.started[i].target, target));
    return n;
}

const char *text_of(uint32_t domid)
{
    static char text[16];

    snprintf(text, sizeof(text), "%u", domid);
    return text;
}

void end(int kind, int status)
{
    uint32_t i = s.count;

    while (i &&
           (s.started[i - 1].kind != kind ||
            !workers_is_at(&s.daemon.workers, kind, s.started[i - 1].target)))
        i--;
    assert_int_not_equal(i, 0);
    serve_ended(&s.daemon, (pid_t)(FIRST_PID + i - 1), status, s.now_ms);
    turn();
}

void start_up(void)
{
    turn();
    turn();
    assert_int_equal(started(WORKER_RECOVER, "all"), 1);
    end(WORKER_RECOVER, 0);
    assert_int_equal(s.count, 1);
    sleep_until(s.now_ms + 3000);
}
