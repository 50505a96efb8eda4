/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listen.c: a domain that finds no memory waits, and goes on. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "../lib/serving.h"
#include "state/record.h"
#include "xen/host-memory.h"

#define AMPLE 50000U

static struct fake_domain *clone_of(void)
{
    return fake_domain_named("src-1");
}

static int setup(void **state)
{
    serving_setup(state);
    assert_int_equal(scene_fork(s.a, 1, 0), 0);
    turn();
    end(WORKER_RECOVER, 0);
    assert_int_equal(scene_hydrate(s.ctx, clone_of()->domid), 0);
    sleep_until(s.now_ms + 3000);
    /* It has nothing of its own in reserve. */
    clone_of()->claimed_pages = 0;
    return 0;
}

/* The page that the clone writes is shared, and there is none for a copy. */
static void run_dry(void)
{
    fake->free_pages = fake_claimed();
    fake_write(clone_of()->domid, 3, 4711);
}

static void restart(void)
{
    serve_free(&s.daemon);
    assert_true(serve_init(&s.daemon, s.ctx, &s.config, s.daemon.workers.spawn,
                           NULL, s.now_ms));
}

static void test_who(void **state)
{
    (void)state;
    assert_true(clone_of()->has_ring);
    assert_true(fake_domain(s.a)->has_ring);
    assert_false(fake_domain(s.b)->has_ring);
    assert_false(fake_domain(scene_image())->has_ring);
}

/* A source that waits needs not all in reserve; a clone keeps what it has. */
static void test_lowered(void **state)
{
    struct fake_domain *d = fake_domain(s.a);
    uint64_t all = fake_private_pages(d) + d->page_count;

    (void)state;
    assert_true(d->claimed_pages > 0);
    assert_true(d->claimed_pages <= all / 4 + 1);
}

static void test_wait(void **state)
{
    uint64_t content;

    (void)state;
    run_dry();
    sleep_until(s.now_ms + 5000);
    assert_true(clone_of()->is_waiting);
    assert_false(clone_of()->is_shutdown);
    assert_string_equal(clone_of()->is_short, XENFORK__SHORT_WAITS);
    /* A little memory is for those who undo and end things. */
    fake->free_pages = fake_claimed() + 100;
    sleep_until(s.now_ms + 5000);
    assert_true(clone_of()->is_waiting);
    fake->free_pages = AMPLE;
    sleep_until(s.now_ms + 1000);
    assert_false(clone_of()->is_waiting);
    assert_string_equal(clone_of()->is_short, "");
    /* Repeat the access. */
    fake_write(clone_of()->domid, 3, 4711);
    assert_true(fake_read(clone_of()->domid, 3, &content));
    assert_int_equal(content, 4711);
    /* Then nobody is woken for nothing. */
    sleep_until(s.now_ms + 100000);
    assert_true(serve_wake_ms(&s.daemon, s.now_ms) == SERVE_NEVER);
}

/* Its reservation is its own. */
static void test_reserved(void **state)
{
    (void)state;
    run_dry();
    sleep_until(s.now_ms + 500);
    assert_true(clone_of()->is_waiting);
    fake->free_pages++;
    clone_of()->claimed_pages = 1;
    sleep_until(s.now_ms + 1000);
    assert_false(clone_of()->is_waiting);
}

/* Nobody listens for a while. */
static void test_restart(void **state)
{
    (void)state;
    serve_free(&s.daemon);
    run_dry();
    assert_true(clone_of()->is_waiting);
    restart();
    sleep_until(s.now_ms + 3000);
    assert_true(clone_of()->is_waiting);
    assert_string_equal(clone_of()->is_short, XENFORK__SHORT_WAITS);
    fake->free_pages = AMPLE;
    sleep_until(s.now_ms + 1000);
    assert_false(clone_of()->is_waiting);
    assert_string_equal(clone_of()->is_short, "");
}

/* Memory has come back while nobody listened. */
static void test_restart_late(void **state)
{
    (void)state;
    run_dry();
    sleep_until(s.now_ms + 1000);
    serve_free(&s.daemon);
    fake->free_pages = fake_claimed() + 100;
    restart();
    sleep_until(s.now_ms + 3000);
    assert_false(clone_of()->is_waiting);
    assert_string_equal(clone_of()->is_short, "");
}

/* A domain that waits is no clone any more, and its image is gone. */
static void test_orphan(void **state)
{
    (void)state;
    run_dry();
    serve_free(&s.daemon);
    assert_int_equal(
        xenfork__record_remove(s.ctx, XENFORK_KIND_CLONE, clone_of()->uuid), 0);
    restart();
    fake->free_pages = AMPLE;
    sleep_until(s.now_ms + 3000);
    assert_false(clone_of()->is_waiting);
}

/* No daemon ran while the source had an image: the clone shares its pages. */
static void test_source_without_image(void **state)
{
    (void)state;
    assert_int_equal(xenfork_image_destroy(s.ctx, "src@fork-1"), 0);
    assert_null(fake_domain_named("src@fork-1"));
    fake_domain(s.a)->has_ring = false;
    restart();
    sleep_until(s.now_ms + 3000);
    assert_true(fake_domain(s.a)->has_ring);
    assert_false(fake_domain(s.b)->has_ring);
}

/* There is not even a page for the ring. */
static void test_late(void **state)
{
    (void)state;
    clone_of()->has_ring = false;
    fake->has_no_memory = true;
    restart();
    sleep_until(s.now_ms + 5000);
    assert_false(clone_of()->has_ring);
    fake->has_no_memory = false;
    sleep_until(s.now_ms + 2000);
    assert_true(clone_of()->has_ring);
}

/* Xen has no event channel for us: all else goes on. */
static void test_deaf(void **state)
{
    (void)state;
    clone_of()->has_ring = false;
    fake_fail_function("xenfork__host_rings_open", XENFORK_E_XEN, 0);
    restart();
    sleep_until(s.now_ms + 5000);
    assert_false(clone_of()->has_ring);
    assert_true(fake_host_domain(s.a)->is_watched);
}

/* Every call that fails once is tried again. */
static void test_failures(void **state)
{
    static const char *const names[] = {
        "xenfork__host_ring_add",  "xenfork__host_ring_answer",
        "xenfork__xen_free_pages", "xenfork__xen_short",
        "xenfork__xen_set_short",  "xenfork__xen_info"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        fake_disarm();
        fake->free_pages = fake_claimed();
        clone_of()->has_ring_event = clone_of()->is_waiting = true;
        fake_fail_function(names[i], XENFORK_E_XEN, 0);
        fake->fail_name_count = 1;
        restart();
        sleep_until(s.now_ms + 5000);
        fake->free_pages = AMPLE;
        sleep_until(s.now_ms + 3000);
        assert_false(clone_of()->is_waiting);
        assert_string_equal(clone_of()->is_short, "");
    }
    fake_disarm();
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, setup, serving_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_who),
        TEST(test_lowered),
        TEST(test_wait),
        TEST(test_reserved),
        TEST(test_restart),
        TEST(test_orphan),
        TEST(test_source_without_image),
        TEST(test_restart_late),
        TEST(test_late),
        TEST(test_deaf),
        TEST(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
