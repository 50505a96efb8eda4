/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy.c: whose domain it is, and what its configuration wants. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/log.h"
#include "daemon/policy.h"
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "state/record.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src, clone;
} s;

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    fake_host_setup();
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    s.clone = fake_domain_named("src-1")->domid;
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_teardown();
    scene_close(s.ctx);
    return 0;
}

static int shut_down(uint32_t domid, int reason, int action)
{
    fake_host_domain(domid)->actions[reason] = action;
    fake_shut_down(domid, reason);
    return policy_apply(s.ctx, domid);
}

/* The domain that has its name now. */
static uint32_t now(const char *name)
{
    const struct fake_domain *d = fake_domain_named(name);

    return d ? d->domid : 0;
}

static void test_actions(void **state)
{
    struct xenfork__host_config config;
    int reason;

    (void)state;
    for (reason = 0; reason < XENFORK__SHUTDOWNS; reason++)
        config.actions[reason] = XENFORK__ACTION_RESTART;
    for (reason = 0; reason < XENFORK__SHUTDOWNS; reason++)
        assert_int_equal(policy_action(&config, reason),
                         reason == XENFORK__SHUTDOWN_SUSPEND
                             ? XENFORK__ACTION_DESTROY
                             : XENFORK__ACTION_RESTART);
    /* As xl: what it does not know, it destroys. */
    assert_int_equal(policy_action(&config, XENFORK__SHUTDOWNS),
                     XENFORK__ACTION_DESTROY);
    assert_int_equal(policy_action(&config, -1), XENFORK__ACTION_DESTROY);
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(policy_action_name(XENFORK__ACTION_RENAME),
                        "rename-restart");
    assert_string_equal(policy_action_name(0), "unknown");
    assert_string_equal(policy_action_name(XENFORK__ACTION_SOFT_RESET + 1),
                        "unknown");
    assert_string_equal(policy_reason_name(XENFORK__SHUTDOWN_CRASH), "crash");
    assert_string_equal(policy_reason_name(-1), "unknown");
    assert_string_equal(policy_reason_name(XENFORK__SHUTDOWNS), "unknown");
}

static const struct {
    struct policy_facts facts;
    int owner;
} owners[] = {
    /* xl's, and nothing of ours. */
    {{.mark = ""}, POLICY_OTHERS},
    {{.mark = "", .watcher_survives = true}, POLICY_OTHERS},
    /* Begun by xl create -e. */
    {{.mark = "", .was_suspended = true, .watcher_survives = true},
     POLICY_OTHERS},
    /* Before 4.20 xl has left it. */
    {{.mark = "", .was_suspended = true}, POLICY_SOURCE},
    {{.mark = "", .was_suspended = true, .has_watcher = true}, POLICY_OTHERS},
    {{.mark = "", .was_suspended = true, .is_foreign = true}, POLICY_OTHERS},
    /* A clone as we made it; as xl restored it; that it left again. */
    {{.mark = "", .is_recorded = true, .is_as_recorded = true}, POLICY_CLONE},
    {{.mark = "",
      .is_recorded = true,
      .is_as_recorded = true,
      .watcher_survives = true},
     POLICY_CLONE},
    {{.mark = "", .is_recorded = true, .has_watcher = true}, POLICY_OTHERS},
    {{.mark = "", .is_recorded = true}, POLICY_OTHERS},
    {{.mark = "", .is_recorded = true, .was_suspended = true}, POLICY_CLONE},
    /* Domains that we restarted, or kept. */
    {{.mark = XENFORK__XENFORKD_WATCH, .watcher_survives = true},
     POLICY_SOURCE},
    {{.mark = XENFORK__XENFORKD_WATCH, .is_recorded = true}, POLICY_CLONE},
    {{.mark = XENFORK__XENFORKD_WATCH, .has_watcher = true}, POLICY_OTHERS},
    {{.mark = XENFORK__XENFORKD_KEEP, .was_suspended = true}, POLICY_OTHERS},
    {{.mark = XENFORK__XENFORKD_KEEP,
      .is_recorded = true,
      .is_as_recorded = true},
     POLICY_OTHERS},
};

static void test_owners(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++)
        if (policy_owner(&owners[i].facts) != owners[i].owner)
            fail_msg("row %zu: %d, not %d", i, policy_owner(&owners[i].facts),
                     owners[i].owner);
}

/* However a clone ends: its disk and its record stay. */
static void test_ended(int reason, int action)
{
    cleanup_record struct xenfork__record *record = NULL;
    xenfork_list *list;
    uint8_t uuid[16];

    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    s.clone = fake_domain_named("src-1")->domid;
    memcpy(uuid, fake_domain(s.clone)->uuid, 16);
    assert_int_equal(shut_down(s.clone, reason, action), 0);
    assert_int_equal(now("src-1"), 0);
    assert_int_equal(xenfork_recover(s.ctx), 0);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, uuid, &record), 0);
    assert_int_equal(access(record->disks[0].path, F_OK), 0);
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_int_equal(xenfork_list_entry_count(list), 1);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "stopped");
    xenfork_list_free(list);
    assert_int_equal(now("src"), s.src);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

static void test_destroy_clone(void **state)
{
    static const int actions[] = {XENFORK__ACTION_DESTROY,
                                  XENFORK__ACTION_COREDUMP_DESTROY};
    int reason;
    size_t i;

    (void)state;
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    for (reason = 0; reason < XENFORK__SHUTDOWNS; reason++)
        for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
            if (reason != XENFORK__SHUTDOWN_SUSPEND)
                test_ended(reason, actions[i]);
}

static void test_preserve(void **state)
{
    char *before;

    (void)state;
    fake_host_domain(s.clone)->actions[XENFORK__SHUTDOWN_CRASH] =
        XENFORK__ACTION_PRESERVE;
    fake_shut_down(s.clone, XENFORK__SHUTDOWN_CRASH);
    before = fake_snapshot();
    assert_int_equal(policy_apply(s.ctx, s.clone), 0);
    assert_true(fake_is_same(before, "preserve"));
    free(before);
}

static void test_restart(void **state)
{
    uint8_t uuid[16];

    (void)state;
    memcpy(uuid, fake_domain(s.clone)->uuid, 16);
    assert_int_equal(
        shut_down(s.clone, XENFORK__SHUTDOWN_REBOOT, XENFORK__ACTION_RESTART),
        0);
    assert_int_not_equal(now("src-1"), 0);
    assert_int_not_equal(now("src-1"), s.clone);
    assert_memory_equal(fake_domain_named("src-1")->uuid, uuid, 16);
    assert_false(fake_domain_named("src-1")->is_paused);
    assert_string_equal(fake_host_domain(now("src-1"))->mark,
                        XENFORK__XENFORKD_WATCH);
}

static void test_rename_restart(void **state)
{
    (void)state;
    assert_int_equal(
        shut_down(s.clone, XENFORK__SHUTDOWN_CRASH, XENFORK__ACTION_RENAME), 0);
    assert_int_not_equal(now("src-1"), s.clone);
    assert_memory_equal(fake_domain(s.clone)->name, "src-1-20", 8);
    assert_true(fake_domain(s.clone)->is_shutdown);
    assert_string_equal(fake_host_domain(s.clone)->mark,
                        XENFORK__XENFORKD_KEEP);
    /* Nobody does it a second time. */
    assert_int_equal(policy_apply(s.ctx, s.clone), 0);
    assert_int_equal(fake->created, 1);
}

static void test_core_dumps(void **state)
{
    (void)state;
    assert_int_equal(shut_down(s.clone, XENFORK__SHUTDOWN_CRASH,
                               XENFORK__ACTION_COREDUMP_RESTART),
                     0);
    assert_int_equal(fake->created, 1);
    assert_int_equal(shut_down(now("src-1"), XENFORK__SHUTDOWN_CRASH,
                               XENFORK__ACTION_COREDUMP_DESTROY),
                     0);
    assert_int_equal(now("src-1"), 0);
    assert_int_equal(fake->created, 1);
}

/* Without a dump it goes on, as xl does. */
static void test_no_dump(void **state)
{
    (void)state;
    fake_fail_function("xenfork__host_core_dump", XENFORK_E_XEN, 0);
    assert_int_equal(shut_down(s.clone, XENFORK__SHUTDOWN_CRASH,
                               XENFORK__ACTION_COREDUMP_RESTART),
                     0);
    assert_int_equal(fake->created, 1);
}

static void test_soft_reset(void **state)
{
    (void)state;
    assert_int_equal(shut_down(s.clone, XENFORK__SHUTDOWN_SOFT_RESET,
                               XENFORK__ACTION_SOFT_RESET),
                     0);
    assert_int_equal(fake_host_domain(s.clone)->soft_resets, 1);
    assert_int_equal(now("src-1"), s.clone);
    assert_false(fake_domain(s.clone)->is_paused);
}

/* Its watcher has it, or another toolstack. */
static void test_others(void **state)
{
    (void)state;
    fake_host->watcher_survives = true;
    assert_int_equal(
        shut_down(s.src, XENFORK__SHUTDOWN_REBOOT, XENFORK__ACTION_RESTART), 0);
    assert_int_equal(now("src"), s.src);
    fake_host->watcher_survives = false;
    fake->has_watcher = true;
    assert_int_equal(policy_apply(s.ctx, s.src), 0);
    fake->has_watcher = false;
    fake_host_domain(s.src)->is_foreign = true;
    assert_int_equal(policy_apply(s.ctx, s.src), 0);
    assert_int_equal(now("src"), s.src);
    fake_host_domain(s.src)->is_foreign = false;
    assert_int_equal(policy_apply(s.ctx, s.src), 0);
    assert_int_not_equal(now("src"), s.src);
}

/* xl create -e: nobody watched it before it was forked. */
static void test_never_watched(void **state)
{
    uint32_t src = fake_add_guest("other");

    (void)state;
    fake_domain(src)->is_watched = false;
    assert_int_equal(scene_fork(src, 1, 0), 0);
    assert_int_equal(scene_fork(src, 1, 0), 0);
    assert_int_equal(
        shut_down(src, XENFORK__SHUTDOWN_REBOOT, XENFORK__ACTION_RESTART), 0);
    assert_int_equal(now("other"), src);
    assert_int_equal(fake->created, 0);
    assert_int_equal(shut_down(fake_domain_named("other-1")->domid,
                               XENFORK__SHUTDOWN_REBOOT,
                               XENFORK__ACTION_RESTART),
                     0);
    assert_int_equal(fake->created, 1);
}

/* A watcher of a domain that once had the clone's name. */
static void test_clone_has_no_watcher(void **state)
{
    (void)state;
    fake->has_watcher = true;
    assert_int_equal(
        shut_down(s.clone, XENFORK__SHUTDOWN_REBOOT, XENFORK__ACTION_RESTART),
        0);
    assert_int_equal(fake->created, 1);
}

static void test_suspended(void **state)
{
    (void)state;
    assert_int_equal(
        shut_down(s.clone, XENFORK__SHUTDOWN_SUSPEND, XENFORK__ACTION_DESTROY),
        0);
    assert_int_equal(now("src-1"), s.clone);
}

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(policy_apply(s.ctx, 12345), 0);
    assert_int_equal(policy_apply(s.ctx, s.clone), 0);
    assert_int_equal(now("src-1"), s.clone);
}

/* Then it stays as it was, for the next attempt. */
static void test_no_memory(void **state)
{
    char *before;

    (void)state;
    fake_shut_down(s.clone, XENFORK__SHUTDOWN_REBOOT);
    fake->has_no_memory = true;
    before = fake_snapshot();
    assert_int_equal(policy_apply(s.ctx, s.clone), XENFORK_E_HOSTMEM);
    assert_true(fake_is_same(before, "no memory"));
    free(before);
    fake->has_no_memory = false;
    assert_int_equal(policy_apply(s.ctx, s.clone), 0);
    assert_int_equal(fake->created, 1);
}

/*
 * xl create of the clone after a boot of the host: its number recurs, and
 * xl's own watcher does what there is to do.
 */
static void test_other_boot(void **state)
{
    struct xenfork__record *record;
    struct fake_domain *d;
    uint8_t uuid[16];

    (void)state;
    memcpy(uuid, fake_domain(s.clone)->uuid, 16);
    fake_reboot();
    fake_host_setup();
    xenfork_close(s.ctx);
    s.ctx = scene_open();
    fake->next_domid = s.clone;
    d = fake_new_domain();
    memcpy(d->uuid, uuid, 16);
    strcpy(d->name, "src-1");
    fake->has_watcher = true;
    assert_int_equal(
        shut_down(s.clone, XENFORK__SHUTDOWN_POWEROFF, XENFORK__ACTION_RESTART),
        0);
    assert_ptr_equal(fake_domain(s.clone), d);
    assert_true(d->is_shutdown);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, uuid, &record), 0);
    xenfork__record_free(record);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_actions),        TEST(test_names),
        TEST(test_owners),         TEST(test_destroy_clone),
        TEST(test_preserve),       TEST(test_restart),
        TEST(test_rename_restart), TEST(test_core_dumps),
        TEST(test_no_dump),        TEST(test_soft_reset),
        TEST(test_others),         TEST(test_clone_has_no_watcher),
        TEST(test_never_watched),  TEST(test_suspended),
        TEST(test_nothing_there),  TEST(test_no_memory),
        TEST(test_other_boot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
