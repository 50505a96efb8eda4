/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* restart.c: what is found half done, and what others did meanwhile. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "daemon/log.h"
#include "daemon/restart.h"
#include "daemon/state.h"
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "state/files.h"
#include "state/keyfile.h"
#include "state/record.h"
#include "state/restart.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t clone;
    uint8_t uuid[16];
    char uuid_text[XENFORK__UUID_CHARS];
    uint32_t pauses;
} s;

int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
    (void)left;
    if (!t->tv_sec) /* a fork's pace */
        return 0;
    assert_int_equal(t->tv_sec, 2);
    s.pauses++;
    return 0;
}

static int setup(void **state)
{
    struct fake_domain *d;

    (void)state;
    memset(&s, 0, sizeof(s));
    scene_source();
    fake_host_setup();
    log_set_level(LOG_LEVEL_ERROR);
    assert_int_equal(scene_fork(fake_domain_named("src")->domid, 1, 0), 0);
    d = fake_domain_named("src-1");
    s.clone = d->domid;
    memcpy(s.uuid, d->uuid, 16);
    xenfork__uuid_print(s.uuid, s.uuid_text);
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    xenfork_close(s.ctx);
    fake_keeps = NULL;
    assert_string_equal(fake->violation, "");
    fake_host_teardown();
    fake_teardown();
    return 0;
}

static int begin(int mode)
{
    struct xenfork__dominfo info;
    struct xenfork__host_config *config;
    int rc;

    fake_shut_down(s.clone, XENFORK__SHUTDOWN_REBOOT);
    assert_int_equal(xenfork__xen_info(s.ctx, s.clone, &info), 0);
    assert_int_equal(xenfork__host_config_get(s.ctx, s.clone, &config), 0);
    rc = restart_begin(s.ctx, &info, config, mode, true);
    xenfork__host_config_free(config);
    return rc;
}

/* Begun, and the domain is gone; what comes in its place is not made. */
static void begin_half(int mode)
{
    fake_fail_function("xenfork__xen_create", XENFORK_E_XEN, 0);
    assert_int_equal(begin(mode), XENFORK_E_XEN);
    fake_disarm();
    assert_null(fake_domain_named("src-1"));
}

static void count_one(void *opaque, const char *uuid)
{
    assert_string_equal(uuid, s.uuid_text);
    ++*(uint32_t *)opaque;
}

static uint32_t pending(void)
{
    uint32_t count = 0;

    assert_int_equal(state_restarts(s.ctx, count_one, &count), 0);
    return count;
}

static void write_file(const char *file, const char *text)
{
    char *dir = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, s.uuid_text,
                                    NULL);
    char *path = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, s.uuid_text,
                                     file, NULL);

    assert_int_equal(xenfork__make_dir(s.ctx, dir), 0);
    assert_int_equal(xenfork__file_write(s.ctx, path, text, strlen(text)), 0);
    free(dir);
    free(path);
}

static void test_all_of_it(void **state)
{
    struct xenfork__record *record;
    struct fake_domain *d;

    (void)state;
    fake_keeps = XENFORK__FILE_RECORD;
    assert_int_equal(begin(RESTART_DESTROY), 0);
    d = fake_domain_named("src-1");
    assert_memory_equal(d->uuid, s.uuid, 16);
    assert_null(fake_domain(s.clone));
    assert_false(d->is_paused);
    assert_int_equal(pending(), 0);
    assert_int_equal(
        xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, s.uuid, &record), 0);
    assert_int_equal(record->domid, d->domid);
    assert_int_equal(record->hydrated, 100);
    xenfork__record_free(record);
}

static void test_nics(void **state)
{
    (void)state;
    fake_domain(s.clone)->nic_count = 2;
    fake_domain(s.clone)->nics[1] = (struct fake_nic){.devid = 1,
                                                      .is_up = true};
    assert_false(fake_domain(s.clone)->nics[0].is_up);
    assert_int_equal(begin(RESTART_DESTROY), 0);
    assert_false(fake_domain_named("src-1")->nics[0].is_up);
    assert_true(fake_domain_named("src-1")->nics[1].is_up);
}

/* Backends take their time to go: three attempts, with pauses. */
static void test_attempts(void **state)
{
    (void)state;
    fake_fail_function("xenfork__xen_create", XENFORK_E_XEN, 0);
    fake->fail_name_count = 2;
    assert_int_equal(begin(RESTART_DESTROY), 0);
    assert_int_equal(s.pauses, 2);
    assert_int_equal(fake->created, 1);
}

static void test_resume(void **state)
{
    (void)state;
    begin_half(RESTART_DESTROY);
    assert_int_equal(s.pauses, 2);
    assert_int_equal(pending(), 1);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_false(fake_domain_named("src-1")->is_paused);
    assert_int_equal(pending(), 0);
    /* Twice is once. */
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_int_equal(fake->created, 1);
}

/* Its user was faster: his domain runs on, and no second one is made. */
static void test_user_was_faster(void **state)
{
    struct fake_domain *d;

    (void)state;
    begin_half(RESTART_DESTROY);
    d = fake_new_domain();
    memcpy(d->uuid, s.uuid, 16);
    strcpy(d->name, "mine");
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_ptr_equal(fake_domain_named("mine"), d);
    assert_int_equal(fake->created, 0);
    assert_int_equal(pending(), 0);
}

/* A paused domain that has the UUID: made for this restart, or not. */
static struct fake_domain *paused_one(bool is_made_for_it)
{
    char *path = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, s.uuid_text,
                                     XENFORK__FILE_RECORD, NULL);
    struct fake_domain *d = fake_new_domain();
    struct xenfork__keyfile *keyfile;

    memcpy(d->uuid, s.uuid, 16);
    strcpy(d->name, "src-1");
    d->is_paused = true;
    assert_int_equal(xenfork__keyfile_read(s.ctx, path, &keyfile), 0);
    if (is_made_for_it)
        strcpy(d->made_for, xenfork__keyfile_get(keyfile, "mark"));
    xenfork__keyfile_free(keyfile);
    free(path);
    return d;
}

/* Its user has it: he keeps it, and the restart is over. */
static void assert_kept(const struct fake_domain *d)
{
    uint32_t domid = d->domid;

    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_ptr_equal(fake_domain(domid), d);
    assert_false(d->is_dying);
    assert_string_equal(d->name, "src-1");
    assert_int_equal(fake->created, 0);
    assert_int_equal(pending(), 0);
}

/* xl create -p, or in the middle of xl create. */
static void test_paused_by_user(void **state)
{
    struct fake_domain *d;

    (void)state;
    begin_half(RESTART_DESTROY);
    d = paused_one(false);
    assert_kept(d);
    assert_true(d->is_paused);
}

/* Ours, but its user has let it run, and has paused it. */
static void test_has_run(void **state)
{
    struct fake_domain *d;

    (void)state;
    begin_half(RESTART_DESTROY);
    d = paused_one(true);
    d->cpu_ns = 1;
    assert_kept(d);
    assert_true(d->is_paused);
}

/* The domain that had shut down runs: nobody destroys it. */
static void test_runs_again(void **state)
{
    (void)state;
    fake_fail_function("xenfork__xen_destroy", XENFORK_E_XEN, 0);
    assert_int_equal(begin(RESTART_DESTROY), XENFORK_E_XEN);
    fake_disarm();
    fake_domain(s.clone)->is_shutdown = false;
    assert_kept(fake_domain(s.clone));
}

/*
 * After a boot of the host its user's domain has the number and the UUID, and
 * has shut down, as he wants it: not even then.
 */
static void test_other_boot(void **state)
{
    struct fake_domain *d;

    (void)state;
    begin_half(RESTART_DESTROY);
    fake_reboot();
    fake_host_setup();
    xenfork_close(s.ctx);
    s.ctx = scene_open();
    fake->next_domid = s.clone;
    d = fake_new_domain();
    assert_int_equal(d->domid, s.clone);
    memcpy(d->uuid, s.uuid, 16);
    strcpy(d->name, "src-1");
    fake_shut_down(d->domid, XENFORK__SHUTDOWN_POWEROFF);
    assert_kept(d);
    assert_true(d->is_shutdown);
}

/* Nor is a domain begun that nobody asks for. */
static void test_other_boot_alone(void **state)
{
    (void)state;
    begin_half(RESTART_DESTROY);
    fake_reboot();
    xenfork_close(s.ctx);
    s.ctx = scene_open();
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_int_equal(fake->created, 0);
    assert_int_equal(pending(), 0);
}

/* Made by somebody who was killed: it never ran. */
static void test_half_made(void **state)
{
    (void)state;
    begin_half(RESTART_DESTROY);
    paused_one(true);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_int_equal(fake->created, 1);
    assert_false(fake_domain_named("src-1")->is_paused);
}

/* It has run, and its user has paused it: a retry leaves it so. */
static void test_paused_after_unpause(void **state)
{
    struct fake_domain *d;

    (void)state;
    fake_fail_function("xenfork__xen_unpause", XENFORK_E_XEN, 0);
    assert_int_equal(begin(RESTART_DESTROY), XENFORK_E_XEN);
    fake_disarm();
    d = fake_domain_named("src-1");
    assert_true(d->is_paused);
    d->cpu_ns = 1;
    d->nics[0].is_up = true;
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_true(d->is_paused);
    assert_true(d->nics[0].is_up);
    assert_int_equal(pending(), 0);
}

/* It was made, and its user has destroyed it before it ran. */
static void test_user_destroyed_it(void **state)
{
    (void)state;
    fake_fail_function("xenfork__host_set_mark", XENFORK_E_XEN, 0);
    assert_int_equal(begin(RESTART_DESTROY), XENFORK_E_XEN);
    fake_disarm();
    assert_int_equal(pending(), 1);
    assert_int_equal(
        xenfork__xen_destroy(s.ctx, fake_domain_named("src-1")->domid), 0);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_null(fake_domain_named("src-1"));
    assert_int_equal(pending(), 0);
}

/* A clone that is kept must not go on needing the image. */
static void test_preserve(void **state)
{
    uint32_t image = scene_image();

    (void)state;
    assert_int_equal(fake_domain(s.clone)->parent, image);
    assert_int_equal(begin(RESTART_PRESERVE), 0);
    assert_int_equal(xenfork__xen_destroy(s.ctx, image), 0);
    assert_true(fake_domain(s.clone)->shutdown_reason ==
                XENFORK__SHUTDOWN_REBOOT);
    assert_string_equal(fake_host_domain(s.clone)->mark,
                        XENFORK__XENFORKD_KEEP);
    assert_memory_not_equal(fake_domain(s.clone)->uuid, s.uuid, 16);
    assert_int_not_equal(fake_domain_named("src-1")->domid, s.clone);
}

/* Killed before anything was done. */
static void test_no_record(void **state)
{
    (void)state;
    write_file(XENFORK__FILE_CONFIG, "src-1");
    assert_int_equal(pending(), 1);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_int_equal(pending(), 0);
    assert_int_equal(fake_domain_named("src-1")->domid, s.clone);
}

/* With a boot, and a mark. */
static void write_record(const char *boot, const char *rest)
{
    char *path = xenfork__state_path(s.ctx, XENFORK__RESTART_DIR, s.uuid_text,
                                     XENFORK__FILE_RECORD, NULL);
    char text[512];
    int bytes = snprintf(text, sizeof(text), "xenfork 1\nboot %s\nmark %s\n%s",
                         boot, s.uuid_text, rest);

    scene_put_record(path, text, (size_t)bytes);
    free(path);
}

static const char *const malformed[] = {
    "",
    "domid 3\nmode 0\nclone 0\n",
    "domid 3\nmode 0\nmade 4294967295\n",
    "domid 3\nmode 2\nclone 0\nmade 4294967295\n",
    "domid 4294967296\nmode 0\nclone 0\nmade 4294967295\n",
    "domid 3\nmode 0\nclone 0\nmade nobody\n",
    "domid 3\nmode 0\nclone 0\nmade 4294967295\nheld.0 x\n",
};

/* Said, and nothing is touched. */
static void test_malformed(void **state)
{
    size_t i;

    (void)state;
    write_file(XENFORK__FILE_CONFIG, "src-1");
    write_file(XENFORK__FILE_RECORD, "");
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), XENFORK_E_STATE);
    write_record("yesterday", malformed[ARRAY_SIZE(malformed) - 1]);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), XENFORK_E_STATE);
    for (i = 0; i < ARRAY_SIZE(malformed); i++) {
        write_record(s.ctx->boot, malformed[i]);
        assert_int_equal(restart_resume(s.ctx, s.uuid_text), XENFORK_E_STATE);
        assert_int_equal(pending(), 1);
    }
    assert_int_equal(fake_domain_named("src-1")->domid, s.clone);
    assert_int_equal(restart_resume(s.ctx, "../clones"), XENFORK_E_INVAL);
    /* The last of these, had it been good, is one. */
    write_record(s.ctx->boot,
                 "domid 12345\nmode 0\nclone 0\nmade 4294967295\n");
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
}

static void assert_state(const char *state)
{
    const xenfork_entry *clone;
    xenfork_list *list;

    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    clone = xenfork_list_entry(list, xenfork_list_entry_count(list) - 1);
    assert_int_equal(xenfork_entry_kind(clone), XENFORK_KIND_CLONE);
    assert_string_equal(xenfork_entry_state(clone), state);
    xenfork_list_free(list);
}

/* Nothing comes back from the dead. */
static void test_destroyed(void **state)
{
    (void)state;
    begin_half(RESTART_DESTROY);
    assert_state("restarting");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_equal(pending(), 0);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_null(fake_domain_named("src-1"));
}

/* Its disk may be in use elsewhere. */
static void test_forgotten(void **state)
{
    (void)state;
    begin_half(RESTART_DESTROY);
    assert_int_equal(xenfork_clone_forget(s.ctx, "src-1"), 0);
    assert_int_equal(pending(), 0);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_null(fake_domain_named("src-1"));
}

/* Its record has gone by another way; what was half made goes, too. */
static void test_orphaned(void **state)
{
    (void)state;
    fake_fail_function("xenfork__xen_unpause", XENFORK_E_XEN, 0);
    assert_int_equal(begin(RESTART_DESTROY), XENFORK_E_XEN);
    fake_disarm();
    assert_true(fake_domain_named("src-1")->is_paused);
    assert_int_equal(xenfork__record_remove(s.ctx, XENFORK_KIND_CLONE, s.uuid),
                     0);
    assert_int_equal(restart_resume(s.ctx, s.uuid_text), 0);
    assert_int_equal(pending(), 0);
    assert_null(fake_domain_named("src-1"));
}

/* Its user was faster; when it ends again, that is another end. */
static void test_started(void **state)
{
    uint32_t domid;

    (void)state;
    begin_half(RESTART_DESTROY);
    assert_int_equal(xenfork_detach(s.ctx, "src-1", fake->dir, NULL, 0),
                     XENFORK_E_BUSY);
    assert_true(xenfork_error_remedy(s.ctx)[0]);
    assert_int_equal(xenfork_clone_start(s.ctx, "src-1", 0, &domid), 0);
    assert_int_equal(pending(), 0);
    assert_int_equal(xenfork__xen_destroy(s.ctx, domid), 0);
    assert_state("stopped");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_of_it),         TEST(test_nics),
        TEST(test_attempts),          TEST(test_resume),
        TEST(test_user_was_faster),   TEST(test_half_made),
        TEST(test_user_destroyed_it), TEST(test_preserve),
        TEST(test_no_record),         TEST(test_malformed),
        TEST(test_paused_by_user),    TEST(test_has_run),
        TEST(test_runs_again),        TEST(test_other_boot),
        TEST(test_other_boot_alone),  TEST(test_destroyed),
        TEST(test_forgotten),         TEST(test_orphaned),
        TEST(test_started),           TEST(test_paused_after_unpause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
