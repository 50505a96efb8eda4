/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "guarded.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#include "scene.h"

struct fake_domain *high, *middle, *low;

/* Fork a hydrated clone without reservation. */
static struct fake_domain *fork_one(const char *name, uint32_t priority)
{
    xenfork_spec *spec = NULL;
    xenfork_result *result = NULL;
    struct fake_domain *d;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_name(spec, 0, name), 0);
    assert_int_equal(xenfork_spec_set_priority(spec, priority), 0);
    assert_int_equal(xenfork_spec_set_reserve_percent(spec, 0), 0);
    assert_int_equal(xenfork_fork(s.ctx, s.a, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    d = fake_domain_named(name);
    assert_int_equal(scene_hydrate(s.ctx, d->domid), 0);
    assert_int_equal(d->claimed_pages, 0);
    return d;
}

void leave(uint64_t pages)
{
    fake->free_pages = fake_claimed() + pages;
}

void restart(void)
{
    serve_free(&s.daemon);
    assert_true(serve_init(&s.daemon, s.ctx, &s.config, s.daemon.workers.spawn,
                           NULL, s.now_ms));
}

void later(uint64_t ms)
{
    while (ms > 2000) {
        sleep_until(s.now_ms + 2000);
        ms -= 2000;
    }
    sleep_until(s.now_ms + ms);
}

int guarded_setup(void **state)
{
    serving_setup(state);
    s.config.memory_low_mib = 64;
    fake->free_pages = AMPLE;
    middle = fork_one("middle", 50);
    low = fork_one("low", 10);
    high = fork_one("high", 90);
    restart();
    turn();
    end(WORKER_RECOVER, 0);
    later(5000);
    return 0;
}
