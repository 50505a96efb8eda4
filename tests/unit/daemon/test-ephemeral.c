/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ephemeral.c, halt.c: which end removes a clone, and which never does. */
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
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "../lib/serving.h"
#include "state/files.h"
#include "state/lock.h"
#include "state/record.h"

#define POWEROFF XENFORK_FORK_EPHEMERAL
#define CRASH    (XENFORK_FORK_EPHEMERAL | XENFORK_FORK_EPHEMERAL_CRASH)
#define BUSY     (3 << 8)

static struct {
    uint32_t clone;
    uint8_t uuid[16];
    char disk[FAKE_PATH];
    char root[FAKE_PATH + 8];
} e;

static struct xenfork__record *load(void)
{
    struct xenfork__record *node = NULL;

    xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, e.uuid, &node);
    return node;
}

static void put(const char *path, const char *text, size_t bytes)
{
    char name[2 * FAKE_PATH];
    FILE *file;

    snprintf(name, sizeof(name), "%s/%s", e.root, path);
    file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void make_dir(const char *path)
{
    char name[2 * FAKE_PATH];

    snprintf(name, sizeof(name), "%s%s", e.root, path);
    assert_int_equal(mkdir(name, 0700), 0);
}

static void make_clone(uint32_t flags)
{
    struct xenfork__record *node;

    assert_int_equal(scene_fork(s.a, 1, flags), 0);
    e.clone = fake_domain_named("src-1")->domid;
    memcpy(e.uuid, fake_domain(e.clone)->uuid, 16);
    node = load();
    assert_non_null(node);
    assert_int_equal(node->disk_count, 1);
    snprintf(e.disk, sizeof(e.disk), "%s", node->disks[0].path);
    assert_int_equal(access(e.disk, F_OK), 0);
    xenfork__record_free(node);
}

static void make_root(void)
{
    snprintf(e.root, sizeof(e.root), "%s/root", fake->dir);
    make_dir("");
    make_dir("/proc");
    make_dir("/proc/1");
    put("proc/1/cmdline", "init", 5);
    s.daemon.root = e.root;
}

/* A daemon that knows a clone which was made so. */
static void make(uint32_t flags)
{
    make_clone(flags);
    make_root();
    start_up();
}

static void xendomains(const char *args, size_t bytes)
{
    make_dir("/proc/77");
    put("proc/77/cmdline", args, bytes);
}

/* Its domain goes, as xl destroy does it. */
static void destroy(void)
{
    assert_int_equal(xenfork__xen_destroy(s.ctx, e.clone), 0);
    fake_host->has_domain_event = true;
    sleep_until(s.now_ms + 100);
}

static void shut_down(int reason)
{
    fake_shut_down(e.clone, reason);
    sleep_until(s.now_ms + 100);
}

static int run_worker(void)
{
    return ephemeral_remove(s.ctx, e.clone, e.root);
}

static bool is_there(void)
{
    struct xenfork__record *node = load();

    xenfork__record_free(node);
    assert_int_equal(access(e.disk, F_OK) == 0, node != NULL);
    return node;
}

/* Begun, and done. */
static void assert_removed(void)
{
    assert_int_equal(started(WORKER_REMOVE, text_of(e.clone)), 1);
    assert_int_equal(run_worker(), 0);
    assert_false(is_there());
    end(WORKER_REMOVE, 0);
    assert_int_equal(s.daemon.removals.count, 0);
}

static void assert_kept(void)
{
    sleep_until(s.now_ms + 200000);
    assert_int_equal(started(WORKER_REMOVE, NULL), 0);
    assert_true(is_there());
}

/* Begun, but under its lock it turns out to live on. */
static void assert_kept_after_all(void)
{
    assert_int_equal(started(WORKER_REMOVE, text_of(e.clone)), 1);
    assert_int_equal(run_worker(), 0);
    assert_true(is_there());
}

static void test_destroyed(void **state)
{
    (void)state;
    make(POWEROFF);
    destroy();
    assert_removed();
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

/* Made and destroyed before the watch of its control/shutdown has spoken. */
static void test_destroyed_at_once(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(POWEROFF);
    serve_event(&s.daemon, HOST_EVENT_DOMAINS, XENFORK_DOMID_NONE, s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    destroy();
    assert_removed();
}

/* The daemon knew of its domain before its key was made. */
static void test_known_before_its_key(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(POWEROFF);
    fake_asked(e.clone, HOST_ASKED_NO_KEY);
    serve_event(&s.daemon, HOST_EVENT_DOMAINS, XENFORK_DOMID_NONE, s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    /* The watch's first word, and its key's. */
    fake_asked(e.clone, HOST_ASKED);
    serve_event(&s.daemon, HOST_EVENT_ASKED, e.clone, s.now_ms);
    turn();
    destroy();
    assert_removed();
}

/* The same, and it is asked to suspend, and answers, before we look. */
static void test_asked_after_its_key_keeps(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(CRASH);
    fake_asked(e.clone, HOST_ASKED_NO_KEY);
    turn();
    fake_asked(e.clone, HOST_ASKED);
    turn();
    fake_asked(e.clone, HOST_ASKED);
    turn();
    destroy();
    assert_kept();
}

/* It was asked to suspend before the daemon knew of it. */
static void test_asked_before_it_was_known_keeps(void **state)
{
    (void)state;
    make_root();
    start_up();
    make_clone(CRASH);
    fake_asked(e.clone, HOST_ASKED_SUSPEND);
    serve_event(&s.daemon, HOST_EVENT_DOMAINS, XENFORK_DOMID_NONE, s.now_ms);
    serve_turn(&s.daemon, s.now_ms);
    destroy();
    assert_kept();
}

static void test_poweroff(void **state)
{
    (void)state;
    make(POWEROFF);
    shut_down(HOST_REASON_POWEROFF);
    destroy();
    assert_removed();
}

static void test_crash(void **state)
{
    (void)state;
    make(CRASH);
    shut_down(HOST_REASON_CRASH);
    destroy();
    assert_removed();
}

static void test_watchdog(void **state)
{
    (void)state;
    make(CRASH);
    shut_down(HOST_REASON_WATCHDOG);
    destroy();
    assert_removed();
}

/* Never: a clone that was not made so. */
static void test_not_asked_for(void **state)
{
    (void)state;
    make(0);
    destroy();
    assert_kept();
}

static void keeps_after(uint32_t flags, int reason)
{
    make(flags);
    shut_down(reason);
    destroy();
    assert_kept();
}

static void test_crash_keeps(void **state)
{
    (void)state;
    keeps_after(POWEROFF, HOST_REASON_CRASH);
}

static void test_watchdog_keeps(void **state)
{
    (void)state;
    keeps_after(POWEROFF, HOST_REASON_WATCHDOG);
}

static void test_reboot_keeps(void **state)
{
    (void)state;
    keeps_after(CRASH, HOST_REASON_REBOOT);
}

static void test_save_keeps(void **state)
{
    (void)state;
    keeps_after(CRASH, HOST_REASON_SUSPEND);
}

/* It was asked to suspend, and gone before it was seen suspended. */
static void test_quick_migration_keeps(void **state)
{
    (void)state;
    make(CRASH);
    fake_asked(e.clone, HOST_ASKED_SUSPEND);
    turn();
    fake_asked(e.clone, HOST_ASKED);
    turn();
    destroy();
    assert_kept();
}

/* Asked, and it has answered before we looked. */
static void test_answered_at_once_keeps(void **state)
{
    (void)state;
    make(CRASH);
    fake_asked(e.clone, HOST_ASKED);
    turn();
    destroy();
    assert_kept();
}

/* A fork of the clone suspends it, too; then it runs on. */
static void test_after_a_fork_of_it(void **state)
{
    (void)state;
    make(POWEROFF);
    fake_asked(e.clone, HOST_ASKED_SUSPEND);
    shut_down(HOST_REASON_SUSPEND);
    fake_domain(e.clone)->is_shutdown = false;
    fake_host->has_domain_event = true;
    turn();
    destroy();
    assert_removed();
}

/* The request was given up long ago. */
static void test_long_after_it_was_asked(void **state)
{
    (void)state;
    make(POWEROFF);
    fake_asked(e.clone, HOST_ASKED_SUSPEND);
    sleep_until(s.now_ms + 130000);
    destroy();
    assert_removed();
}

/* xl shutdown, of which the guest makes nothing, and xl destroy. */
static void test_shutdown_then_destroyed(void **state)
{
    (void)state;
    make(POWEROFF);
    fake_asked(e.clone, HOST_ASKED_NOTHING);
    destroy();
    assert_removed();
}

static void test_noted_as_left_keeps(void **state)
{
    (void)state;
    make(POWEROFF);
    assert_int_equal(xenfork_clone_leaves(s.ctx, "src-1", "saved in /x", 0), 0);
    destroy();
    assert_kept_after_all();
}

/* It goes when nobody writes to its disk any more. */
static void test_in_use_keeps(void **state)
{
    (void)state;
    make(POWEROFF);
    snprintf(fake->written, sizeof(fake->written), "%s", e.disk);
    destroy();
    assert_int_equal(started(WORKER_REMOVE, text_of(e.clone)), 1);
    assert_int_equal(run_worker(), XENFORK_E_INUSE);
    assert_true(is_there());
    fake->written[0] = '\0';
    assert_int_equal(run_worker(), 0);
    assert_false(is_there());
}

/* Ended before the daemon knew of it: how, nobody knows. */
static void test_not_seen_keeps(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.a, 1, CRASH), 0);
    e.clone = fake_domain_named("src-1")->domid;
    memcpy(e.uuid, fake_domain(e.clone)->uuid, 16);
    snprintf(e.root, sizeof(e.root), "%s", fake->dir);
    assert_int_equal(xenfork__xen_destroy(s.ctx, e.clone), 0);
    start_up();
    sleep_until(s.now_ms + 200000);
    assert_int_equal(started(WORKER_REMOVE, NULL), 0);
    assert_non_null(fake);
}

static void test_xendomains_keeps(void **state)
{
    static const char args[] = "/bin/sh\0/usr/lib/xen/bin/xendomains\0stop";

    (void)state;
    make(CRASH);
    xendomains(args, sizeof(args));
    shut_down(HOST_REASON_POWEROFF);
    destroy();
    assert_kept();
}

/* It ends with the last domain, before we look. */
static void test_xendomains_has_just_ended(void **state)
{
    static const char args[] = "/bin/sh\0/etc/init.d/xendomains\0restart";
    char path[2 * FAKE_PATH];

    (void)state;
    make(CRASH);
    xendomains(args, sizeof(args));
    shut_down(HOST_REASON_POWEROFF);
    snprintf(path, sizeof(path), "%s/proc/77/cmdline", e.root);
    assert_int_equal(unlink(path), 0);
    destroy();
    assert_kept();
}

static void test_xendomains_starts(void **state)
{
    static const char args[] = "/bin/sh\0/usr/lib/xen/bin/xendomains\0start";

    (void)state;
    make(POWEROFF);
    xendomains(args, sizeof(args));
    destroy();
    assert_removed();
}

static void test_systemd_keeps(void **state)
{
    (void)state;
    make(POWEROFF);
    destroy();
    make_dir("/run");
    make_dir("/run/systemd");
    make_dir("/run/systemd/system");
    strcpy(fake_host->system_state, "stopping\n");
    assert_kept_after_all();
    /* It does not answer. */
    fake_host->system_state[0] = '\0';
    assert_kept_after_all();
    strcpy(fake_host->system_state, "degraded\n");
    assert_removed();
}

/* on_poweroff = restart: the worker that does it has the lock, then the
 * journal. */
static void test_restart_keeps(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS], *dir;

    (void)state;
    make(POWEROFF);
    shut_down(HOST_REASON_POWEROFF);
    xenfork__uuid_print(e.uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    destroy();
    assert_int_equal(run_worker(), XENFORK_E_BUSY);
    assert_true(is_there());
    end(WORKER_REMOVE, BUSY);
    sleep_until(s.now_ms + 1999);
    assert_int_equal(started(WORKER_REMOVE, NULL), 1);
    sleep_until(s.now_ms + 1);
    assert_int_equal(started(WORKER_REMOVE, NULL), 2);
    xenfork__lock_drop(lock);
    dir = xenfork__state_path(s.ctx, RESTART_DIR, uuid, NULL);
    assert_int_equal(xenfork__make_dir(s.ctx, dir), 0);
    free(dir);
    assert_int_equal(run_worker(), 0);
    assert_true(is_there());
}

/* Its user was faster: it has started again. */
static void test_started_again_keeps(void **state)
{
    uint32_t domid;

    (void)state;
    make(POWEROFF);
    destroy();
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_kept_after_all();
    /* And what it is made for stays. */
    e.clone = domid;
    s.count = 0;
    fake_host->has_domain_event = true;
    sleep_until(s.now_ms + 1000);
    destroy();
    assert_int_equal(started(WORKER_REMOVE, text_of(domid)), 1);
    assert_int_equal(run_worker(), 0);
    assert_false(is_there());
}

/* A stranger has its UUID. */
static void test_uuid_is_here_keeps(void **state)
{
    (void)state;
    make(POWEROFF);
    destroy();
    memcpy(fake_domain(s.b)->uuid, e.uuid, 16);
    assert_kept_after_all();
    assert_non_null(fake_domain(s.b));
}

/* Its domid is of another boot of the host. */
static void test_other_boot_keeps(void **state)
{
    struct xenfork__record *node;

    (void)state;
    make(POWEROFF);
    node = load();
    strcpy(node->boot, "11111111-1111-4111-8111-111111111111");
    assert_int_equal(xenfork__record_save(s.ctx, node), 0);
    xenfork__record_free(node);
    destroy();
    assert_kept();
    assert_int_equal(run_worker(), 0);
    assert_true(is_there());
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
        TEST(test_xendomains_keeps),
        TEST(test_xendomains_has_just_ended),
        TEST(test_xendomains_starts),
        TEST(test_systemd_keeps),
        TEST(test_restart_keeps),
        TEST(test_started_again_keeps),
        TEST(test_uuid_is_here_keeps),
        TEST(test_other_boot_keeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
