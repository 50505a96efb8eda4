/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domids that were recorded before a boot of the host are not believed after
 * it, whatever another domain has in common with the recorded one.
 */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "op/domain.h"
#include "op/frozen.h"
#include "op/recover.h"
#include "op/restarted.h"
#include "op/rollback.h"
#include "op/nic.h"
#include "../lib/scene.h"
#include "state/journal.h"
#include "state/record.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src;
    uint8_t uuid[16];
} s;

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    memcpy(s.uuid, fake_domain(s.src)->uuid, 16);
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(s.ctx);
    return 0;
}

static void reboot(void)
{
    fake_reboot();
    xenfork_close(s.ctx);
    s.ctx = scene_open();
}

/* Another instance of the source, with this number. */
static struct fake_domain *again(uint32_t domid)
{
    struct fake_domain *d;

    fake->next_domid = domid;
    d = fake_domain(fake_add_guest("src"));
    assert_int_equal(d->domid, domid);
    memcpy(d->uuid, s.uuid, 16);
    return d;
}

/* A journal of the source, left by one who was killed. */
static void leave_journal(bool was_paused, bool is_suspended)
{
    struct xenfork__journal *journal;
    char id[XENFORK__UUID_CHARS];
    char from[FAKE_PATH + 64], to[FAKE_PATH + 64];

    assert_int_equal(xenfork__journal_begin(s.ctx, &journal), 0);
    strcpy(id, xenfork__journal_id(journal));
    assert_int_equal(
        xenfork__journal_source(s.ctx, journal, s.uuid, s.src, was_paused), 0);
    assert_int_equal(is_suspended
                         ? xenfork__journal_suspending(s.ctx, journal, false)
                         : xenfork__journal_pausing(s.ctx, journal),
                     0);
    /* It survives its own rollback under another name. */
    snprintf(from, sizeof(from), "%s/state/journals/%s", fake->dir, id);
    snprintf(to, sizeof(to), "%s/kept", fake->dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(xenfork__journal_rollback(s.ctx, journal), 0);
    assert_int_equal(rename(to, from), 0);
}

static void suspend(struct fake_domain *d)
{
    d->is_shutdown = true;
    d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
}

/* It is believed of the very domain that it is about. */
static void test_suspended(void **state)
{
    (void)state;
    leave_journal(false, true);
    suspend(fake_domain(s.src));
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_shutdown);
}

/* Somebody saves it, or has moved it, since we were killed: he suspended it. */
static void test_suspended_saved(void **state)
{
    struct fake_domain *d = fake_domain(s.src);
    uint32_t i;

    (void)state;
    for (i = 0; i < 2; i++) {
        leave_journal(false, true);
        suspend(d);
        d->resumptions = 0;
        fake->saved = i ? 0 : s.src;
        strcpy(d->name, i ? "src--migratedaway" : "src");
        assert_int_equal(xenfork__recover(s.ctx), XENFORK_E_RESIDUE);
        assert_true(d->is_shutdown);
        assert_int_equal(d->resumptions, 0);
        /* It was not: the source runs on. */
        fake->saved = 0;
        strcpy(d->name, "src");
        assert_int_equal(xenfork__recover(s.ctx), 0);
        assert_false(d->is_shutdown);
    }
}

/* In the middle of xl save: what is saved would be spoilt. */
static void test_suspended_other(void **state)
{
    struct fake_domain *d;

    (void)state;
    leave_journal(true, true);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.src), 0);
    d = again(s.src + 5);
    suspend(d);
    d->resumptions = 0;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_true(d->is_shutdown);
    assert_false(d->is_paused);
    assert_int_equal(d->resumptions, 0);
}

static void test_suspended_other_boot(void **state)
{
    struct fake_domain *d;

    (void)state;
    leave_journal(true, true);
    reboot();
    d = again(s.src);
    suspend(d);
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_true(d->is_shutdown);
    assert_false(d->is_paused);
}

static void test_paused_other_boot(void **state)
{
    (void)state;
    leave_journal(false, false);
    reboot();
    again(s.src)->is_paused = true;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_true(fake_domain(s.src)->is_paused);
    /* Nor is one that runs paused. */
    leave_journal(true, true);
    reboot();
    again(s.src)->is_paused = false;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_paused);
}

/* Domains and images are gone with the host, whoever has their numbers. */
static void test_nodes(void **state)
{
    struct xenfork__records records = {0};
    struct xenfork__dominfo info;
    uint8_t uuid[16];
    uint32_t domid;
    xenfork_list *list;

    (void)state;
    assert_int_equal(scene_fork(s.src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    domid = scene_image();
    memcpy(uuid, fake_domain(domid)->uuid, 16);
    reboot();
    again(domid);
    memcpy(fake_domain(domid)->uuid, uuid, 16);
    assert_int_equal(xenfork__records_load(s.ctx, XENFORK_KIND_IMAGE, &records),
                     0);
    assert_int_equal(records.count, 1);
    assert_int_equal(xenfork__record_info(s.ctx, records.records[0], &info),
                     XENFORK_E_NOTFOUND);
    xenfork__records_free(&records);
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "lost");
    xenfork_list_free(list);
    assert_int_equal(xenfork_image_destroy(s.ctx, "src@fork-1"), 0);
    assert_non_null(fake_domain(domid));
    assert_false(fake_domain(domid)->is_dying);
}

/* A source that its user suspends after a boot was not frozen by us. */
static void test_frozen(void **state)
{
    struct xenfork__record *record;
    struct fake_domain *d;

    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, s.src, 1000), 0);
    assert_int_equal(xenfork__frozen_load(s.ctx, s.uuid, &record), 0);
    xenfork__record_free(record);
    reboot();
    d = again(s.src);
    suspend(d);
    assert_int_equal(xenfork__frozen_load(s.ctx, s.uuid, &record),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_thaw(s.ctx, s.src), XENFORK_E_NOTFROZEN);
    assert_true(d->is_shutdown);
}

/* Killed before a clone was made; its UUID is a domain of its user's. */
static void leave_clone(const uint8_t uuid[16], const char *name)
{
    struct xenfork__journal *journal;
    char from[FAKE_PATH + 64], to[FAKE_PATH + 64];

    assert_int_equal(xenfork__journal_begin(s.ctx, &journal), 0);
    assert_int_equal(
        xenfork__journal_clone(s.ctx, journal, uuid, name, NULL, 0), 0);
    assert_int_equal(xenfork__journal_chosen(s.ctx, journal), 0);
    snprintf(from, sizeof(from), "%s/state/journals/%s", fake->dir,
             xenfork__journal_id(journal));
    snprintf(to, sizeof(to), "%s/kept", fake->dir);
    assert_int_equal(link(from, to), 0);
    assert_int_equal(xenfork__journal_commit(s.ctx, journal), 0);
    assert_int_equal(rename(to, from), 0);
}

static void test_clone(void **state)
{
    struct fake_domain *d;
    uint32_t domid;

    (void)state;
    leave_clone(s.uuid, "c");
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_dying);
    /* Paused, but it has run; or by another name. */
    leave_clone(s.uuid, "src");
    fake_domain(s.src)->is_paused = true;
    fake_domain(s.src)->cpu_ns = 1;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_dying);
    leave_clone(s.uuid, "c");
    fake_domain(s.src)->cpu_ns = 0;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_dying);
    /* Half-made indeed: but not of another boot. */
    d = fake_new_domain();
    memset(d->uuid, 7, 16);
    strcpy(d->name, "c");
    d->is_paused = true;
    domid = d->domid;
    leave_clone(d->uuid, "c");
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_null(fake_domain(domid));
    leave_clone(s.uuid, "src");
    reboot();
    again(s.src)->is_paused = true;
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_false(fake_domain(s.src)->is_dying);
}

/* Its user's own, by the clone's number, UUID and name. */
static struct fake_domain *stranger_of(const struct fake_domain *clone)
{
    struct fake_domain before = *clone, *d;

    reboot();
    d = again(before.domid);
    memcpy(d->uuid, before.uuid, 16);
    strcpy(d->name, before.name);
    return d;
}

/* Nobody does anything to it, nor to the clone, which is stopped. */
static void assert_left_alone(const struct fake_domain *d)
{
    static const int codes[] = {XENFORK_E_NOTOURS, XENFORK_E_UUIDTAKEN};
    char uuid[XENFORK__UUID_CHARS], number[16];
    const char *names[] = {"src-1", uuid, number};
    struct fake_domain before = *d;
    uint32_t domid;
    size_t i;

    xenfork__uuid_print(d->uuid, uuid);
    snprintf(number, sizeof(number), "%u", d->domid);
    for (i = 0; i < ARRAY_SIZE(names); i++) {
        int code = codes[i > 0];

        assert_int_equal(xenfork_clone_destroy(s.ctx, names[i], 0), code);
        assert_true(xenfork_error_remedy(s.ctx)[0]);
        assert_int_equal(
            xenfork_clone_destroy(s.ctx, names[i], XENFORK_DESTROY_LEFT), code);
        assert_int_equal(xenfork_clone_start(s.ctx, names[i], 0, &domid), code);
        assert_int_equal(xenfork_clone_set_nic_link(
                             s.ctx, names[i], XENFORK_ALL, XENFORK_LINK_HOLD),
                         code);
        assert_int_equal(
            xenfork_clone_set_nic_bridge(s.ctx, names[i], 0, "xenbr1"), code);
        assert_int_equal(xenfork_detach(s.ctx, names[i], NULL, NULL, 0), code);
        assert_int_equal(xenfork_hydrate(s.ctx, names[i], 0), code);
    }
    assert_int_equal(xenfork_recover(s.ctx), 0);
    assert_memory_equal(d, &before, sizeof(before));
}

static void test_stranger(void **state)
{
    struct fake_domain *d;
    bool is_done = false;
    xenfork_list *list;
    char disk[FAKE_PATH];

    (void)state;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    d = fake_domain_named("src-1");
    fake_copy_string(disk, sizeof(disk), d->disks[0].path);
    d = stranger_of(d);
    /* As after xl cd-eject. */
    d->disks[d->disk_count] = d->disks[0];
    d->disks[d->disk_count++].path[0] = '\0';
    assert_left_alone(d);
    assert_int_equal(xenfork__nics_hold_restored(s.ctx, d->domid, &is_done), 0);
    assert_true(d->nics[0].is_up);
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    assert_string_equal(xenfork_entry_state(xenfork_list_entry(list, 0)),
                        "stopped");
    xenfork_list_free(list);
    /* It starts again: the clone's record is not about it. */
    assert_int_equal(
        xenfork__restarted_begin(s.ctx, d->uuid, d->domid, NULL, NULL), 0);
    assert_left_alone(d);
    assert_int_equal(access(disk, F_OK), 0);
    /* With the clone's disk it is the clone. */
    fake_copy_string(d->disks[0].path, sizeof(d->disks[0].path), disk);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_null(fake_domain_named("src-1"));
}

/* Where a clone has no disk of its own, its MACs tell. */
static void test_stranger_without_disk(void **state)
{
    struct fake_domain *d, *src = fake_domain(s.src);
    uint8_t mac[6];

    (void)state;
    src->disks[0].is_readwrite = false;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    d = fake_domain_named("src-1");
    memcpy(mac, d->nics[0].mac, 6);
    d = stranger_of(d);
    assert_left_alone(d);
    memcpy(d->nics[0].mac, mac, 6);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_null(fake_domain_named("src-1"));
}

/* --uuid is reserved as names are, and nobody else's clone is undone. */
static void test_uuid_reserved(void **state)
{
    static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct xenfork__journal *journal;
    xenfork_spec *spec;
    xenfork_result *result = NULL;

    (void)state;
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_uuid(spec, 0, uuid), 0);
    assert_int_equal(xenfork__journal_begin(s.ctx, &journal), 0);
    assert_int_equal(xenfork__journal_clone(s.ctx, journal, uuid, "c", NULL, 0),
                     0);
    assert_int_equal(xenfork__journal_chosen(s.ctx, journal), 0);
    {
        xenfork_ctx *other = scene_open();

        assert_int_equal(xenfork_fork(other, s.src, spec, &result),
                         XENFORK_E_UUIDTAKEN);
        xenfork_close(other);
    }
    assert_int_equal(xenfork__journal_rollback(s.ctx, journal), 0);
    assert_int_equal(xenfork_fork(s.ctx, s.src, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    /* A journal that came back names the clone of another fork. */
    leave_clone(uuid, "src-1");
    assert_int_equal(xenfork__recover(s.ctx), 0);
    assert_non_null(fake_domain_named("src-1"));
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_suspended),
        TEST(test_suspended_saved),
        TEST(test_suspended_other),
        TEST(test_suspended_other_boot),
        TEST(test_paused_other_boot),
        TEST(test_nodes),
        TEST(test_frozen),
        TEST(test_clone),
        TEST(test_uuid_reserved),
        TEST(test_stranger),
        TEST(test_stranger_without_disk),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
