/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ephemeral.c: which end removes a clone, and which never does. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "daemon/ephemeral.h"
#include "daemon/halt.h"
#include "daemon/restart.h"
#include "daemon/worker-main.h"
#include "../lib/ephemeral-scene.h"
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "../lib/serving.h"
#include "state/files.h"
#include "state/lock.h"
#include "state/record.h"
#include "state/restart.h"

#define BUSY (3 << 8)

static void test_destroyed(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    destroy_clone();
    assert_clone_removed();
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

/* Made and destroyed before the watch of its control/shutdown has spoken. */
static void test_destroyed_at_once(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(POWEROFF);
    serve_event(&s.daemon, XENFORK__EVENT_DOMAINS, XENFORK_DOMID_NONE,
                s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    destroy_clone();
    assert_clone_removed();
}

/* The daemon knew of its domain before its key was made. */
static void test_known_before_its_key(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(POWEROFF);
    fake_asked(ephemeral.clone, XENFORK__ASKED_NO_KEY);
    serve_event(&s.daemon, XENFORK__EVENT_DOMAINS, XENFORK_DOMID_NONE,
                s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    /* The watch's first word, and its key's two. */
    fake_asked(ephemeral.clone, XENFORK__ASKED);
    serve_event(&s.daemon, XENFORK__EVENT_ASKED, ephemeral.clone, s.now_ms);
    serve_event(&s.daemon, XENFORK__EVENT_ASKED, ephemeral.clone, s.now_ms);
    turn();
    destroy_clone();
    assert_clone_removed();
}

/* As above; it is asked to suspend, and answers, before we look. */
static void test_asked_after_its_key_keeps(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(CRASH);
    fake_asked(ephemeral.clone, XENFORK__ASKED_NO_KEY);
    turn();
    fake_asked(ephemeral.clone, XENFORK__ASKED);
    turn();
    sleep_until(s.now_ms + 1000);
    fake_asked(ephemeral.clone, XENFORK__ASKED);
    turn();
    destroy_clone();
    assert_clone_kept();
}

/* It was asked to suspend before the daemon knew of it. */
static void test_asked_before_it_was_known_keeps(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(CRASH);
    fake_asked(ephemeral.clone, XENFORK__ASKED_SUSPEND);
    serve_event(&s.daemon, XENFORK__EVENT_DOMAINS, XENFORK_DOMID_NONE,
                s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    destroy_clone();
    assert_clone_kept();
}

static void test_poweroff(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    shut_clone_down(XENFORK__SHUTDOWN_POWEROFF);
    destroy_clone();
    assert_clone_removed();
}

static void test_crash(void **state)
{
    (void)state;
    make_ephemeral(CRASH);
    shut_clone_down(XENFORK__SHUTDOWN_CRASH);
    destroy_clone();
    assert_clone_removed();
}

static void test_watchdog(void **state)
{
    (void)state;
    make_ephemeral(CRASH);
    shut_clone_down(XENFORK__SHUTDOWN_WATCHDOG);
    destroy_clone();
    assert_clone_removed();
}

/* Never: a clone that was not made so. */
static void test_not_asked_for(void **state)
{
    (void)state;
    make_ephemeral(0);
    destroy_clone();
    assert_clone_kept();
}

static void keeps_after(uint32_t flags, int reason)
{
    make_ephemeral(flags);
    shut_clone_down(reason);
    destroy_clone();
    assert_clone_kept();
}

static void test_crash_keeps(void **state)
{
    (void)state;
    keeps_after(POWEROFF, XENFORK__SHUTDOWN_CRASH);
}

static void test_watchdog_keeps(void **state)
{
    (void)state;
    keeps_after(POWEROFF, XENFORK__SHUTDOWN_WATCHDOG);
}

static void test_reboot_keeps(void **state)
{
    (void)state;
    keeps_after(CRASH, XENFORK__SHUTDOWN_REBOOT);
}

static void test_save_keeps(void **state)
{
    (void)state;
    keeps_after(CRASH, XENFORK__SHUTDOWN_SUSPEND);
}

/* It was asked to suspend, and gone before it was seen suspended. */
static void test_quick_migration_keeps(void **state)
{
    (void)state;
    make_ephemeral(CRASH);
    fake_asked(ephemeral.clone, XENFORK__ASKED_SUSPEND);
    turn();
    fake_asked(ephemeral.clone, XENFORK__ASKED);
    turn();
    destroy_clone();
    assert_clone_kept();
}

/* Asked, and it has answered before we looked. */
static void test_answered_at_once_keeps(void **state)
{
    (void)state;
    make_ephemeral(CRASH);
    fake_asked(ephemeral.clone, XENFORK__ASKED);
    turn();
    destroy_clone();
    assert_clone_kept();
}

/* A fork of the clone suspends it, too; then it runs on. */
static void test_after_a_fork_of_it(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    fake_asked(ephemeral.clone, XENFORK__ASKED_SUSPEND);
    shut_clone_down(XENFORK__SHUTDOWN_SUSPEND);
    fake_domain(ephemeral.clone)->is_shutdown = false;
    fake_host->has_domain_event = true;
    turn();
    destroy_clone();
    assert_clone_removed();
}

/* The request was given up long ago. */
static void test_long_after_it_was_asked(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    fake_asked(ephemeral.clone, XENFORK__ASKED_SUSPEND);
    sleep_until(s.now_ms + 130000);
    destroy_clone();
    assert_clone_removed();
}

/* xl shutdown, of which the guest makes nothing, and xl destroy. */
static void test_shutdown_then_destroyed(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    fake_asked(ephemeral.clone, XENFORK__ASKED_NOTHING);
    destroy_clone();
    assert_clone_removed();
}

static void test_noted_as_left_keeps(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    assert_int_equal(xenfork_clone_leaves(s.ctx, "src-1", "saved in /x", 0), 0);
    destroy_clone();
    assert_clone_kept_after_all();
}

/* It goes when nobody writes to its disk any more. */
static void test_in_use_keeps(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    snprintf(fake->written, sizeof(fake->written), "%s", ephemeral.disk);
    destroy_clone();
    assert_int_equal(started(WORKER_REMOVE, text_of(ephemeral.clone)), 1);
    assert_int_equal(run_remove(), XENFORK_E_INUSE);
    assert_true(is_clone_there());
    fake->written[0] = '\0';
    assert_int_equal(run_remove(), 0);
    assert_false(is_clone_there());
}

/* Ended before the daemon knew of it: how, nobody knows. */
static void test_not_seen_keeps(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.a, 1, CRASH), 0);
    ephemeral.clone = fake_domain_named("src-1")->domid;
    memcpy(ephemeral.uuid, fake_domain(ephemeral.clone)->uuid, 16);
    snprintf(ephemeral.root, sizeof(ephemeral.root), "%s", fake->dir);
    assert_int_equal(xenfork__xen_destroy(s.ctx, ephemeral.clone), 0);
    start_up();
    sleep_until(s.now_ms + 200000);
    assert_int_equal(started(WORKER_REMOVE, NULL), 0);
    assert_non_null(fake);
}

/* on_poweroff = restart: the worker that does it has the lock, then the
 * journal. */
static void test_restart_keeps(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS], *dir;

    (void)state;
    make_ephemeral(POWEROFF);
    shut_clone_down(XENFORK__SHUTDOWN_POWEROFF);
    xenfork__uuid_print(ephemeral.uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    destroy_clone();
    assert_int_equal(run_remove(), XENFORK_E_BUSY);
    assert_true(is_clone_there());
    end(WORKER_REMOVE, BUSY);
    sleep_until(s.now_ms + 1999);
    assert_int_equal(started(WORKER_REMOVE, NULL), 1);
    sleep_until(s.now_ms + 1);
    assert_int_equal(started(WORKER_REMOVE, NULL), 2);
    xenfork__lock_drop(lock);
    dir = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, uuid, NULL);
    assert_int_equal(xenfork__make_dir(s.ctx, dir), 0);
    free(dir);
    assert_int_equal(run_remove(), 0);
    assert_true(is_clone_there());
}

/* Its user was faster: it has started again. */
static void test_started_again_keeps(void **state)
{
    uint32_t domid;

    (void)state;
    make_ephemeral(POWEROFF);
    destroy_clone();
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_clone_kept_after_all();
    /* And what it is made for stays. */
    ephemeral.clone = domid;
    s.count = 0;
    fake_host->has_domain_event = true;
    sleep_until(s.now_ms + 1000);
    destroy_clone();
    assert_int_equal(started(WORKER_REMOVE, text_of(domid)), 1);
    assert_int_equal(run_remove(), 0);
    assert_false(is_clone_there());
}

/* A stranger has its UUID. */
static void test_uuid_is_here_keeps(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    destroy_clone();
    memcpy(fake_domain(s.b)->uuid, ephemeral.uuid, 16);
    assert_clone_kept_after_all();
    assert_non_null(fake_domain(s.b));
}

/* Its domid is of another boot of the host. */
static void test_other_boot_keeps(void **state)
{
    struct xenfork__record *record;

    (void)state;
    make_ephemeral(POWEROFF);
    record = load_clone();
    strcpy(record->boot, "11111111-1111-4111-8111-111111111111");
    assert_int_equal(xenfork__record_save(s.ctx, record), 0);
    xenfork__record_free(record);
    destroy_clone();
    assert_clone_kept();
    assert_int_equal(run_remove(), 0);
    assert_true(is_clone_there());
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_destroyed),
        TEST(test_destroyed_at_once),
        TEST(test_known_before_its_key),
        TEST(test_asked_after_its_key_keeps),
        TEST(test_asked_before_it_was_known_keeps),
        TEST(test_poweroff),
        TEST(test_crash),
        TEST(test_watchdog),
        TEST(test_not_asked_for),
        TEST(test_crash_keeps),
        TEST(test_watchdog_keeps),
        TEST(test_reboot_keeps),
        TEST(test_save_keeps),
        TEST(test_quick_migration_keeps),
        TEST(test_answered_at_once_keeps),
        TEST(test_after_a_fork_of_it),
        TEST(test_long_after_it_was_asked),
        TEST(test_shutdown_then_destroyed),
        TEST(test_noted_as_left_keeps),
        TEST(test_in_use_keeps),
        TEST(test_not_seen_keeps),
        TEST(test_restart_keeps),
        TEST(test_started_again_keeps),
        TEST(test_uuid_is_here_keeps),
        TEST(test_other_boot_keeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
