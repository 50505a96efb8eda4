/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker-main.c: what one worker does, and what it answers the guest. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/log.h"
#include "daemon/worker-main.h"
#include "daemon/worker-pool.h"
#include "../lib/fake-host.h"
#include "host/host.h"
#include "../lib/scene.h"
#include "state/files.h"
#include "state/lock.h"
#include "state/record.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src;
    char text[16]; /* its domid */
} s;

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    fake_host_setup();
    /* Failures are what is tested: they are not logged. */
    log_open("xenforkd", true);
    log_set_level(LOG_LEVEL_ERROR);
    s.ctx = scene_open();
    snprintf(s.text, sizeof(s.text), "%u", s.src);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_host_teardown();
    scene_close(s.ctx);
    return 0;
}

static void test_usage(void **state)
{
    static const char *const wrong[] = {"", "0", "x", "-1", "1 ", "99999"};
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(wrong); i++) {
        assert_int_equal(work(s.ctx, WORKER_FREEZE, wrong[i], 1), 2);
        assert_int_equal(work(s.ctx, WORKER_POLICY, wrong[i], 0), 2);
        assert_int_equal(work(s.ctx, WORKER_ACK, wrong[i], 0), 2);
        assert_int_equal(work(s.ctx, WORKER_RESTART, wrong[i], 0), 2);
        assert_int_equal(work(s.ctx, WORKER_HYDRATE, wrong[i], 0), 2);
        assert_int_equal(work(s.ctx, WORKER_ATTEND, wrong[i], 0), 2);
    }
}

static void test_freeze(void **state)
{
    (void)state;
    fake_request(s.src, "1");
    strcpy(fake_domain(s.src)->told, "of another time");
    assert_int_equal(work(s.ctx, WORKER_FREEZE, s.text, 30), 0);
    assert_string_equal(fake_domain(s.src)->guest.role, "frozen");
    assert_string_equal(fake_domain(s.src)->told, "");
}

static void test_freeze_fails(void **state)
{
    (void)state;
    fake_request(s.src, "1");
    fake_domain(s.src)->on_suspend = FAKE_IGNORES;
    assert_int_equal(work(s.ctx, WORKER_FREEZE, s.text, 1), 1);
    assert_string_equal(fake_domain(s.src)->told, "TIMEOUT");
    assert_string_equal(fake_domain(s.src)->asks, "0");
    assert_false(fake_domain(s.src)->is_shutdown);
}

/* Before it began: the guest is told all the same. */
static void test_freeze_refused(void **state)
{
    (void)state;
    fake_request(s.src, "1");
    fake_domain(s.src)->type = XENFORK__TYPE_PV;
    assert_int_equal(work(s.ctx, WORKER_FREEZE, s.text, 1), 1);
    assert_string_equal(fake_domain(s.src)->told, "PV");
    assert_string_equal(fake_domain(s.src)->asks, "0");
}

/* A fork of it is under way, and stays so: the freeze gives up in its time. */
static void test_freeze_of_what_is_forked(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS];
    uint64_t start_ns = xenfork__now_ns();

    (void)state;
    fake_request(s.src, "1");
    xenfork__uuid_print(fake_domain(s.src)->uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    assert_int_equal(work(s.ctx, WORKER_FREEZE, s.text, 1), 1);
    assert_true(xenfork__now_ns() - start_ns >= 1000000000U);
    assert_string_equal(fake_domain(s.src)->asks, "0");
    xenfork__lock_drop(lock);
    assert_false(fake_domain(s.src)->is_shutdown);
}

/* Another operation is on the domain: nobody's place is kept by waiting. */
static void test_busy(void **state)
{
    struct xenfork__lock *lock;
    char uuid[XENFORK__UUID_CHARS];

    (void)state;
    fake_shut_down(s.src, XENFORK__SHUTDOWN_REBOOT);
    xenfork__uuid_print(fake_domain(s.src)->uuid, uuid);
    assert_int_equal(xenfork__lock_take(s.ctx, uuid, false, &lock), 0);
    assert_int_equal(work(s.ctx, WORKER_POLICY, s.text, 0), WORK_BUSY);
    assert_int_equal(work(s.ctx, WORKER_RESTART, uuid, 0), WORK_BUSY);
    xenfork__lock_drop(lock);
    assert_int_equal(work(s.ctx, WORKER_RESTART, uuid, 0), 0);
}

static struct xenfork__record *clone_record(void)
{
    struct xenfork__record *record;

    assert_int_equal(xenfork__record_load(s.ctx, XENFORK_KIND_CLONE,
                                          fake_domain_named("src-1")->uuid,
                                          &record),
                     0);
    return record;
}

static void test_hydrate(void **state)
{
    struct xenfork__record *record;
    char journal[XENFORK__UUID_CHARS];

    (void)state;
    assert_int_equal(scene_fork(s.src, 2, 0), 0);
    record = clone_record();
    strcpy(journal, record->journal);
    xenfork__record_free(record);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-2", 0), 0);
    assert_int_equal(work(s.ctx, WORKER_HYDRATE, journal, 0), 0);
    record = clone_record();
    assert_int_equal(record->hydrated, 100);
    xenfork__record_free(record);
}

/* Its fork is neither committed nor undone. */
static void test_hydrate_too_early(void **state)
{
    struct xenfork__record *record;
    char *journal;

    (void)state;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    record = clone_record();
    journal = xenfork__state_path(s.ctx, "journals", record->journal, NULL);
    assert_int_equal(xenfork__make_dir(s.ctx, journal), 0);
    assert_int_equal(work(s.ctx, WORKER_HYDRATE, record->journal, 0), 1);
    assert_int_equal(xenfork__dir_remove(s.ctx, journal), 0);
    free(journal);
    xenfork__record_free(record);
    record = clone_record();
    assert_int_not_equal(record->hydrated, 100);
    xenfork__record_free(record);
}

static char *frozen_journal(void)
{
    struct xenfork__record *record;
    char *journal;

    assert_int_equal(xenfork__record_load(s.ctx, XENFORK_KIND_FROZEN,
                                          fake_domain(s.src)->uuid, &record),
                     0);
    journal = strdup(record->journal);
    assert_non_null(journal);
    xenfork__record_free(record);
    return journal;
}

/* As xl shutdown does, in the third event. */
static void shut_down_at_last(void)
{
    static uint32_t events;

    if (++events == 3)
        fake_domain(s.src)->wants_to_run = true;
}

static void test_answer(void **state)
{
    char *journal;

    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, s.src, 1000), 0);
    journal = frozen_journal();
    fake->on_wait = shut_down_at_last;
    assert_int_equal(work(s.ctx, WORKER_ATTEND, journal, 0), 0);
    fake->on_wait = NULL;
    assert_false(fake_domain(s.src)->is_shutdown);
    /* It runs: there is nothing to answer any more. */
    assert_int_equal(work(s.ctx, WORKER_ATTEND, journal, 0), 0);
    free(journal);
}

static void test_answer_fails(void **state)
{
    char *journal;

    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, s.src, 1000), 0);
    journal = frozen_journal();
    fake_fail_function("xenfork__xen_wait_event", XENFORK_E_XEN, 0);
    assert_int_equal(work(s.ctx, WORKER_ATTEND, journal, 0), 1);
    fake_disarm();
    assert_true(fake_domain(s.src)->is_shutdown);
    free(journal);
}

static void test_ack(void **state)
{
    struct fake_domain *clone;
    char text[16];

    (void)state;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    clone = fake_domain_named("src-1");
    snprintf(text, sizeof(text), "%u", clone->domid);
    assert_int_equal(work(s.ctx, WORKER_ACK, text, 0), 0);
    assert_false(clone->nics[0].is_up);
    fake_ack(clone->domid, NULL);
    fake_fail_function("xenfork__sys_connect", XENFORK_E_XEN, 0);
    assert_int_equal(work(s.ctx, WORKER_ACK, text, 0), 1);
    fake_disarm();
    assert_int_equal(work(s.ctx, WORKER_ACK, text, 0), 0);
    assert_true(clone->nics[0].is_up);
    assert_string_equal(clone->guest.entropy, "");
}

/* An image whose last clone was destroyed by hand. */
static void test_recover(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_int_equal(
        xenfork__xen_destroy(s.ctx, fake_domain_named("src-1")->domid), 0);
    fake_fail_function("xenfork__xen_destroy", XENFORK_E_XEN, 0);
    assert_int_equal(work(s.ctx, WORKER_RECOVER, "all", 0), 1);
    fake_disarm();
    assert_int_not_equal(scene_image(), XENFORK_DOMID_NONE);
    assert_int_equal(work(s.ctx, WORKER_RECOVER, "all", 0), 0);
    assert_int_equal(scene_image(), XENFORK_DOMID_NONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_usage),        TEST(test_freeze),
        TEST(test_freeze_fails), TEST(test_freeze_refused),
        TEST(test_busy),         TEST(test_freeze_of_what_is_forked),
        TEST(test_hydrate),      TEST(test_hydrate_too_early),
        TEST(test_answer),       TEST(test_answer_fails),
        TEST(test_ack),          TEST(test_recover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
