/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a fork makes, and every code that it may return. */
#include "config.h"

#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "ids.h"
#include "internal.h"
#include "scene.h"

struct scene {
    uint32_t src;
    xenfork_ctx *ctx;
    xenfork_spec *spec;
    xenfork_result *result;
};

static int setup(void **state)
{
    static struct scene s;

    s.src = scene_source();
    s.ctx = scene_open();
    s.result = NULL;
    assert_int_equal(xenfork_spec_new(2, &s.spec), 0);
    *state = &s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    xenfork_result_free(s->result);
    xenfork_spec_free(s->spec);
    xenfork_close(s->ctx);
    if (fake->violation[0])
        print_error("%s\n", fake->violation);
    assert_string_equal(fake->violation, "");
    fake_teardown();
    return 0;
}

static int fork_it(struct scene *s, uint32_t domid)
{
    return xenfork_fork(s->ctx, domid, s->spec, &s->result);
}

static struct fake_domain *clone(const struct scene *s, uint32_t i)
{
    struct fake_domain *d = fake_domain(
        xenfork_result_clone_domid(s->result, i));

    assert_non_null(d);
    return d;
}

/* It fails, with this code, and nothing has happened. */
static void refused(struct scene *s, uint32_t domid, int code)
{
    char *before = fake_snapshot();

    assert_int_equal(fork_it(s, domid), code);
    assert_null(s->result);
    assert_int_equal(xenfork_error_code(s->ctx), code);
    assert_true(xenfork_error_text(s->ctx)[0]);
    assert_null(strchr(xenfork_error_text(s->ctx), '\n'));
    assert_true(fake_is_same(before, xenfork_code_name(code)));
    free(before);
}

static void test_clones(void **state)
{
    struct scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);
    char uuid[XENFORK__UUID_CHARS], mac[XENFORK__MAC_CHARS];
    uint32_t i;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_result_count(s->result), 2);
    assert_int_equal(xenfork_result_image_domid(s->result), scene_image());
    for (i = 0; i < 2; i++) {
        const struct fake_domain *c = clone(s, i);

        assert_string_equal(c->name, i ? "src-2" : "src-1");
        assert_string_equal(xenfork_result_clone_name(s->result, i), c->name);
        xenfork__uuid_print(c->uuid, uuid);
        assert_string_equal(xenfork_result_clone_uuid(s->result, i), uuid);
        assert_false(c->is_paused);
        assert_true(fake_memory_hash(c->domid) == memory);
        assert_int_equal(c->nic_count, 1);
        assert_int_equal(xenfork_result_nic_count(s->result, i), 1);
        xenfork__mac_print(c->nics[0].mac, mac);
        assert_string_equal(xenfork_result_nic_mac(s->result, i, 0), mac);
        assert_memory_not_equal(c->nics[0].mac,
                                fake_domain(s->src)->nics[0].mac, 6);
        assert_string_equal(c->nics[0].bridge, "xenbr0");
        assert_false(c->nics[0].is_up); /* held */
        assert_true(xenfork_result_nic_is_held(s->result, i, 0));
        assert_int_equal(c->max_pages, fake_domain(s->src)->max_pages);
    }
    assert_memory_not_equal(clone(s, 0)->uuid, clone(s, 1)->uuid, 16);
    assert_memory_not_equal(clone(s, 0)->nics[0].mac, clone(s, 1)->nics[0].mac,
                            6);
    /* 61 pages of RAM and 8 special ones; 5 cannot be shared. */
    assert_int_equal(
        xenfork_result_counter(s->result, XENFORK_COUNT_PAGES_SHARED), 64);
    assert_int_equal(
        xenfork_result_counter(s->result, XENFORK_COUNT_PAGES_COPIED), 5);
}

static void test_source_runs_on(void **state)
{
    struct scene *s = *state;
    const struct fake_domain *src = fake_domain(s->src);

    assert_int_equal(fork_it(s, s->src), 0);
    assert_false(src->is_shutdown);
    assert_false(src->is_paused);
    assert_int_equal(src->suspensions, 1);
    assert_int_equal(src->resumptions, 1);
    assert_true(src->nics[0].is_up);
    /* It may write to all of its memory. */
    assert_int_equal(fake_private_pages(src) + src->claimed_pages, 69);
}

static void test_paused_source(void **state)
{
    struct scene *s = *state;

    fake_domain(s->src)->is_paused = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_domain(s->src)->is_paused);
    assert_false(fake_domain(s->src)->is_shutdown);
}

/* Nobody sees what another writes. */
static void test_memory_is_apart(void **state)
{
    struct scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src), content;

    assert_int_equal(fork_it(s, s->src), 0);
    fake_write(s->src, 3, 777);
    fake_write(clone(s, 0)->domid, 3, 888);
    assert_true(fake_memory_hash(clone(s, 1)->domid) == memory);
    assert_true(fake_read(clone(s, 0)->domid, 3, &content));
    assert_int_equal(content, 888);
    assert_true(fake_read(s->src, 3, &content));
    assert_int_equal(content, 777);
}

/* The guest writes to a page after it was nominated. */
static void test_write_after_nomination(void **state)
{
    struct scene *s = *state;

    fake->race_gfn = 7;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_true(fake_same_memory(s->src, clone(s, 0)->domid));
}

static void test_disks(void **state)
{
    struct scene *s = *state;
    const struct fake_disk *a, *b, *src = fake_domain(s->src)->disks;
    struct stat st;

    assert_int_equal(fork_it(s, s->src), 0);
    a = clone(s, 0)->disks;
    b = clone(s, 1)->disks;
    assert_string_not_equal(a->path, src->path);
    assert_string_not_equal(a->path, b->path);
    assert_int_equal(stat(a->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_readonly_disk_is_common(void **state)
{
    struct scene *s = *state;

    fake_domain(s->src)->disks[0].is_readwrite = false;
    fake->cannot_reflink = true;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->disks[0].path,
                        fake_domain(s->src)->disks[0].path);
}

static void test_spec_is_obeyed(void **state)
{
    static const uint8_t uuid[16] = {0xee, 1, 2};
    static const uint8_t mac[6] = {0x02, 1, 2, 3, 4, 5};
    struct scene *s = *state;

    assert_int_equal(xenfork_spec_set_name(s->spec, 0, "one"), 0);
    assert_int_equal(xenfork_spec_set_uuid(s->spec, 0, uuid), 0);
    assert_int_equal(xenfork_spec_set_nic_mac(s->spec, 0, 0, mac), 0);
    assert_int_equal(xenfork_spec_set_nic_bridge(s->spec, 0, 0, "br9"), 0);
    assert_int_equal(
        xenfork_spec_set_nic_link(s->spec, 0, 0, XENFORK_LINK_CONNECT), 0);
    assert_int_equal(xenfork_spec_set_paused(s->spec, 0, 1), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(s->spec, 40), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "one");
    assert_memory_equal(clone(s, 0)->uuid, uuid, 16);
    assert_memory_equal(clone(s, 0)->nics[0].mac, mac, 6);
    assert_string_equal(clone(s, 0)->nics[0].bridge, "br9");
    assert_true(clone(s, 0)->nics[0].is_up);
    assert_true(clone(s, 0)->is_paused);
    assert_int_equal(clone(s, 0)->claimed_pages, 10);
    assert_string_equal(clone(s, 1)->name, "src-1");
    assert_false(clone(s, 1)->is_paused);
    assert_false(clone(s, 1)->nics[0].is_up);
}

/* xenfork.h: "names SOURCE-1, SOURCE-2 and on, skipping those taken". */
static void test_made_up_names_skip_asked_ones(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork_spec_set_name(s->spec, 1, "src-1"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "src-2");
    assert_string_equal(clone(s, 1)->name, "src-1");
}

static void test_made_up_names_skip_taken_ones(void **state)
{
    struct scene *s = *state;

    fake_add_guest("src-1");
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(clone(s, 0)->name, "src-2");
    assert_string_equal(clone(s, 1)->name, "src-3");
}

static void test_images_have_names_of_their_own(void **state)
{
    struct scene *s = *state;
    char first[FAKE_NAME];

    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    fake_copy_string(first, sizeof(first), fake_domain(scene_image())->name);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_not_equal(xenfork_result_image_name(s->result), first);
    assert_string_not_equal(fake_domain(scene_image())->name, first);
}

static void test_fork_of_clone(void **state)
{
    struct scene *s = *state;

    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_int_equal(fork_it(s, fake_domain_named("src-1")->domid), 0);
    assert_true(fake_same_memory(s->src, clone(s, 1)->domid));
}

/* The keeper has died: what was made stays, and so does the caller. */
static int fork_without_keeper(void *opaque)
{
    struct scene *s = opaque;
    int rc;

    fake->keeper_dies = true;
    rc = fork_it(s, s->src);
    return rc;
}

static void test_keeper_dies(void **state)
{
    struct scene *s = *state;
    int rc, status = fake_run(fork_without_keeper, s, &rc);

    /* Not killed by SIGPIPE. */
    assert_int_equal(status, 0);
    assert_int_equal(rc, 0);
}

static void test_keeper_is_told(void **state)
{
    struct scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    fake_poll_keepers();
    assert_int_equal(fake->keeper_count, 1);
    assert_true(fake->keepers[0].is_committed);
}

static void test_getters_out_of_range(void **state)
{
    struct scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_result_clone_domid(s->result, 2),
                     XENFORK_DOMID_NONE);
    assert_null(xenfork_result_clone_name(s->result, 2));
    assert_null(xenfork_result_clone_uuid(s->result, XENFORK_ALL));
    assert_int_equal(xenfork_result_nic_count(s->result, 2), 0);
    assert_null(xenfork_result_nic_vif(s->result, 0, 1));
    assert_null(xenfork_result_nic_mac(s->result, 2, 0));
    assert_int_equal(xenfork_result_nic_is_held(s->result, 0, 9), 0);
    assert_int_equal(xenfork_result_ns(s->result, 0, XENFORK_STAGES), 0);
    assert_int_equal(xenfork_result_ns(s->result, 0, -1), 0);
    assert_int_equal(xenfork_result_ns(s->result, 2, 1), 0);
    assert_int_equal(xenfork_result_counter(s->result, XENFORK_COUNTS), 0);
    assert_int_equal(xenfork_result_counter(s->result, -1), 0);
    assert_true(xenfork_result_ns(s->result, XENFORK_ALL, XENFORK_STAGE_TOTAL) >
                0);
    xenfork_result_free(NULL);
}

static void test_inval(void **state)
{
    struct scene *s = *state;
    uint8_t mac[6] = {2};

    refused(s, 0, XENFORK_E_INVAL);
    assert_int_equal(xenfork_fork(s->ctx, s->src, NULL, &s->result),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, NULL),
                     XENFORK_E_INVAL);
    /* A NIC that the source has not. */
    assert_int_equal(xenfork_spec_set_nic_mac(s->spec, 0, 1, mac), 0);
    refused(s, s->src, XENFORK_E_INVAL);
}

static void test_notfound(void **state)
{
    refused(*state, 4711, XENFORK_E_NOTFOUND);
}

static void test_hypervisor(void **state)
{
    fake->cannot_share = true;
    refused(*state, ((struct scene *)*state)->src, XENFORK_E_HYPERVISOR);
}

static void test_types(void **state)
{
    struct scene *s = *state;

    fake_domain(s->src)->type = XENFORK__TYPE_PV;
    refused(s, s->src, XENFORK_E_PV);
    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    refused(s, s->src, XENFORK_E_HVM);
}

static void test_devices(void **state)
{
    struct scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->passthrough_count = 1;
    refused(s, s->src, XENFORK_E_PASSTHROUGH);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "domain 1 "));
    d->passthrough_count = 0;
    fake_copy_string(d->unsupported, sizeof(d->unsupported), "vtpm");
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "vtpm"));
}

static void test_disk_refused(void **state)
{
    struct scene *s = *state;
    struct fake_disk *disk = fake_domain(s->src)->disks;
    struct fake_disk good = *disk;

    fake->cannot_reflink = true;
    refused(s, s->src, XENFORK_E_DISK);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    fake->cannot_reflink = false;
    fake_copy_string(disk->format, sizeof(disk->format), "vhd");
    refused(s, s->src, XENFORK_E_DISK);
    *disk = good;
    fake_copy_string(disk->backend, sizeof(disk->backend), "qdisk");
    refused(s, s->src, XENFORK_E_DISK);
    *disk = good;
    fake_copy_string(disk->script, sizeof(disk->script), "block-iscsi");
    refused(s, s->src, XENFORK_E_DISK);
    *disk = good;
    disk->is_foreign = true;
    refused(s, s->src, XENFORK_E_DISK);
    *disk = good;
    fake_copy_string(disk->path, sizeof(disk->path), "relative.img");
    refused(s, s->src, XENFORK_E_DISK);
    *disk = good;
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_suspension(void **state)
{
    struct scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->can_suspend = false;
    refused(s, s->src, XENFORK_E_NOSUSPEND);
    d->can_suspend = true;
    d->on_suspend = FAKE_IGNORES;
    refused(s, s->src, XENFORK_E_TIMEOUT);
    assert_int_equal(xenfork_error_stage(s->ctx), XENFORK_STAGE_SUSPEND);
    assert_int_equal(xenfork_error_domid(s->ctx), s->src);
    d->on_suspend = FAKE_CANCELS;
    refused(s, s->src, XENFORK_E_CANCELLED);
    d->is_paused = true;
    d->on_suspend = FAKE_IGNORES;
    refused(s, s->src, XENFORK_E_TIMEOUT);
}

static void test_rings_do_not_drain(void **state)
{
    struct scene *s = *state;

    fake_domain(s->src)->never_drains = true;
    refused(s, s->src, XENFORK_E_TIMEOUT);
    assert_int_equal(xenfork_error_stage(s->ctx), XENFORK_STAGE_DISKS);
    assert_false(fake_domain(s->src)->is_shutdown);
}

static void test_taken(void **state)
{
    struct scene *s = *state;
    const struct fake_domain *d = fake_domain(fake_add_guest("other"));
    xenfork_spec *clean;

    assert_int_equal(xenfork_spec_set_name(s->spec, 1, "other"), 0);
    refused(s, s->src, XENFORK_E_NAMETAKEN);
    assert_int_equal(xenfork_spec_set_name(s->spec, 1, "mine"), 0);
    assert_int_equal(xenfork_spec_set_uuid(s->spec, 1, d->uuid), 0);
    refused(s, s->src, XENFORK_E_UUIDTAKEN);
    clean = s->spec;
    assert_int_equal(xenfork_spec_new(2, &s->spec), 0);
    assert_int_equal(xenfork_spec_set_nic_mac(s->spec, 1, 0, d->nics[0].mac),
                     0);
    refused(s, s->src, XENFORK_E_MACTAKEN);
    xenfork_spec_free(clean);
}

static void test_twice_in_one_spec(void **state)
{
    static const uint8_t uuid[16] = {9}, mac[6] = {2, 9};
    struct scene *s = *state;
    uint32_t i;

    for (i = 0; i < 2; i++)
        assert_int_equal(xenfork_spec_set_nic_mac(s->spec, i, 0, mac), 0);
    refused(s, s->src, XENFORK_E_MACTAKEN);
    for (i = 0; i < 2; i++)
        assert_int_equal(xenfork_spec_set_uuid(s->spec, i, uuid), 0);
    refused(s, s->src, XENFORK_E_UUIDTAKEN);
    for (i = 0; i < 2; i++)
        assert_int_equal(xenfork_spec_set_name(s->spec, i, "same"), 0);
    refused(s, s->src, XENFORK_E_NAMETAKEN);
}

static void test_hostmem(void **state)
{
    struct scene *s = *state;

    fake->free_pages = 60;
    refused(s, s->src, XENFORK_E_HOSTMEM);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    /* Taken by another between the check and the claim. */
    fake->free_pages = FAKE_HOST_PAGES;
    fake_fail_function("xenfork__xen_claim", XENFORK_E_HOSTMEM, 0);
    fake->fail_name_count = 1;
    refused(s, s->src, XENFORK_E_HOSTMEM);
}

static void test_notrunning(void **state)
{
    struct scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->is_shutdown = true;
    d->shutdown_reason = 0;
    refused(s, s->src, XENFORK_E_NOTRUNNING);
}

static void test_busy(void **state)
{
    struct scene *s = *state;
    char path[FAKE_PATH + 128], uuid[XENFORK__UUID_CHARS];
    int fd;

    assert_int_equal(xenfork_recover(s->ctx), 0);
    xenfork__uuid_print(fake_domain(s->src)->uuid, uuid);
    snprintf(path, sizeof(path), "%s/state", fake->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/state/locks", fake->dir);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/state/locks/%s", fake->dir, uuid);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    refused(s, s->src, XENFORK_E_BUSY);
    close(fd);
    assert_int_equal(fork_it(s, s->src), 0);
}

static void cancel_at(void *opaque, int stage, uint32_t index, uint64_t done,
                      uint64_t total)
{
    struct scene *s = opaque;

    (void)index;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_CAPTURE)
        xenfork_cancel(s->ctx);
}

static void test_cancelled(void **state)
{
    struct scene *s = *state;

    xenfork_set_progress(s->ctx, cancel_at, s);
    refused(s, s->src, XENFORK_E_CANCELLED);
    xenfork_set_progress(s->ctx, NULL, NULL);
    /* Cleared when the next operation starts. */
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_state(void **state)
{
    struct scene *s = *state;

    assert_int_equal(xenfork__set_state_dir(s->ctx, "/proc/none"), 0);
    refused(s, s->src, XENFORK_E_STATE);
}

static void test_perm(void **state)
{
    xenfork_ctx *ctx = NULL;

    (void)state;
    fake->cannot_open = true;
    assert_int_equal(xenfork_open(&ctx, NULL, 0), XENFORK_E_PERM);
    assert_int_equal(xenfork_open(&ctx, NULL, 1), XENFORK_E_INVAL);
    assert_null(ctx);
}

static void test_residue(void **state)
{
    struct scene *s = *state;
    uint32_t i;

    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_XEN, 0);
    refused(s, s->src, XENFORK_E_XEN);
    /* Undoing fails too: the domains stay, until recover can. */
    fake_fail_function("xenfork__xen_destroy", XENFORK_E_XEN, 0);
    fake_domain(s->src)->on_suspend = FAKE_IGNORES;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_error_code(s->ctx), XENFORK_E_RESIDUE);
    assert_int_equal(xenfork_recover(s->ctx), XENFORK_E_RESIDUE);
    fake_disarm();
    assert_int_equal(xenfork_recover(s->ctx), 0);
    for (i = 0; i < FAKE_DOMAINS; i++)
        assert_true(!fake->domains[i].domid ||
                    fake->domains[i].domid == s->src);
}

static void test_nomem(void **state)
{
    struct scene *s = *state;

    fake_fail_function("xenfork__xen_config_get", XENFORK_E_NOMEM, 0);
    refused(s, s->src, XENFORK_E_NOMEM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_clones),
        TEST(test_source_runs_on),
        TEST(test_paused_source),
        TEST(test_memory_is_apart),
        TEST(test_write_after_nomination),
        TEST(test_disks),
        TEST(test_readonly_disk_is_common),
        TEST(test_spec_is_obeyed),
        TEST(test_made_up_names_skip_asked_ones),
        TEST(test_made_up_names_skip_taken_ones),
        TEST(test_images_have_names_of_their_own),
        TEST(test_fork_of_clone),
        TEST(test_keeper_dies),
        TEST(test_keeper_is_told),
        TEST(test_getters_out_of_range),
        TEST(test_inval),
        TEST(test_notfound),
        TEST(test_hypervisor),
        TEST(test_types),
        TEST(test_devices),
        TEST(test_disk_refused),
        TEST(test_suspension),
        TEST(test_rings_do_not_drain),
        TEST(test_taken),
        TEST(test_twice_in_one_spec),
        TEST(test_hostmem),
        TEST(test_notrunning),
        TEST(test_busy),
        TEST(test_cancelled),
        TEST(test_state),
        TEST(test_perm),
        TEST(test_residue),
        TEST(test_nomem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
