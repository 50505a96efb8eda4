/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every code that a fork may return, and that nothing has happened then. */
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

#include "base/ids.h"
#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "state/files.h"
#include "state/lock.h"

/* It fails, with this code, and nothing has happened. */
static void refused(struct fork_scene *s, uint32_t domid, int code)
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

static void test_inval(void **state)
{
    struct fork_scene *s = *state;
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
    refused(*state, ((struct fork_scene *)*state)->src, XENFORK_E_HYPERVISOR);
}

/* Looking at its pages would crash it. */
static void test_on_demand(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->pod_entries = 1;
    refused(s, s->src, XENFORK_E_HYPERVISOR);
    fake_domain(s->src)->pod_entries = 0;
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
}

static void test_types(void **state)
{
    struct fork_scene *s = *state;
    struct fake_disk *disk = fake_domain(s->src)->disks;

    fake_domain(s->src)->type = XENFORK__TYPE_PV;
    refused(s, s->src, XENFORK_E_PV);
    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    /* Its QEMU is a client of the tapdisk, too. */
    fake_make_vhd(s->src);
    fake_copy_string(disk->backend, sizeof(disk->backend), "tap");
    fake_copy_string(disk->format, sizeof(disk->format), "vhd");
    refused(s, s->src, XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "device model"));
    fake_copy_string(disk->backend, sizeof(disk->backend), "phy");
    fake_copy_string(disk->format, sizeof(disk->format), "raw");
    assert_int_equal(fork_it(s, s->src), 0);
}

/*
 * QEMU has the file open for an emulated disk, too, when it is looked at, or
 * when it is to switch.
 */
static void test_disk_emulated(void **state)
{
    struct fork_scene *s = *state;
    struct fake_disk *disk = fake_domain(s->src)->disks;
    uint32_t clone;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake_make_qcow2(s->src);
    disk->is_plugged = true;
    refused(s, s->src, XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "an emulated disk"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "unplug"));
    disk->is_plugged = false;
    disk->is_plugged_late = true;
    refused(s, s->src, XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "an emulated disk"));
    disk->is_plugged_late = false;
    assert_int_equal(xenfork_spec_set_paused(s->spec, 0, 1), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    /* A clone's is plugged in until it runs. */
    clone = fork_clone(s, 0)->domid;
    xenfork_result_free(s->result);
    s->result = NULL;
    refused(s, clone, XENFORK_E_DISK);
    assert_int_equal(xenfork__xen_unpause(s->ctx, clone), 0);
    assert_int_equal(fork_it(s, clone), 0);
}

static void test_devices(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->passthrough_count = 1;
    refused(s, s->src, XENFORK_E_PASSTHROUGH);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "domain 1 "));
    d->passthrough_count = 0;
    fake_copy_string(d->unsupported, sizeof(d->unsupported), "vtpm");
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "vtpm"));
}

/* All are named, each with its remedy; what there is no room for is counted. */
static void test_all_devices(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->passthrough_count = 2;
    fake_copy_string(d->unsupported, sizeof(d->unsupported), "vtpm");
    refused(s, s->src, XENFORK_E_PASSTHROUGH);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "PCI device 1"));
    assert_non_null(strstr(xenfork_error_text(s->ctx), "PCI device 2"));
    assert_non_null(strstr(xenfork_error_text(s->ctx), "vtpm 3"));
    assert_string_equal(xenfork_error_remedy(s->ctx),
                        "remove PCI device; remove vtpm");
    d->passthrough_count = 40;
    refused(s, s->src, XENFORK_E_PASSTHROUGH);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "PCI device 1;"));
    assert_non_null(strstr(xenfork_error_text(s->ctx), "; and "));
    assert_non_null(strstr(xenfork_error_text(s->ctx), " more"));
}

static void says(struct fork_scene *s, const char *text, const char *remedy)
{
    refused(s, s->src, XENFORK_E_NOTRUNNING);
    assert_non_null(strstr(xenfork_error_text(s->ctx), text));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), remedy));
}

/* Each state by its name, with the way out of it. */
static void test_states(void **state)
{
    struct fork_scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    /* It is migrated, and runs on meanwhile. */
    fake->saved = s->src;
    says(s, "is being saved or migrated", "wait");
    fake->saved = 0;
    d->is_shutdown = true;
    d->shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    says(s, "is suspended", "xl resume src");
    fake->saved = s->src;
    says(s, "is being saved", "wait");
    fake->saved = 0;
    d->shutdown_reason = 3;
    says(s, "crashed", "start it anew");
}

/* Before the source stands still: NICs that cannot be held, or made twice. */
static void test_nics(void **state)
{
    struct fork_scene *s = *state;
    struct fake_nic *nic = fake_domain(s->src)->nics;

    nic->server = 7;
    refused(s, s->src, XENFORK_E_DEVICE);
    nic->server = 0;
    nic->cannot_hold = true;
    refused(s, s->src, XENFORK_E_DEVICE);
    nic->cannot_hold = false;
    fake_copy_string(nic->script, sizeof(nic->script), "vif-route");
    fake_copy_string(nic->ip, sizeof(nic->ip), "10.1.0.2");
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "ip=10.1.0.2"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "--nic 0,ip="));
    /* The source's, said once more. */
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 0, 0, "10.1.0.2"), 0);
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 0, 0, "10.1.0.3"), 0);
    refused(s, s->src, XENFORK_E_DEVICE);
    /* Another clone's. */
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 1, 0, "10.1.0.3"), 0);
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 1, 0, "10.1.0.4"), 0);
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
    assert_string_equal(
        fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, 0)))
            ->nics[0]
            .ip,
        "10.1.0.3");
}

/* Connected from the start, it need not be held. */
static void test_nic_connected(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->nics[0].cannot_hold = true;
    assert_int_equal(xenfork_spec_set_nic_link(s->spec, XENFORK_ALL,
                                               XENFORK_ALL,
                                               XENFORK_LINK_CONNECT),
                     0);
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
}

/* Its place is looked at while the source runs: its script, its bridge. */
static void test_nic_place(void **state)
{
    struct fork_scene *s = *state;
    struct fake_nic *nic = fake_domain(s->src)->nics;

    assert_int_equal(xenfork_spec_set_nic_bridge(s->spec, 1, 0, "nosuch0"), 0);
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "bridge nosuch0"));
    /* The source's is gone. */
    fake_copy_string(nic->bridge, sizeof(nic->bridge), "nosuch0");
    assert_int_equal(
        xenfork_spec_set_nic_bridge(s->spec, XENFORK_ALL, 0, "xenbr1"), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    xenfork_result_free(s->result);
    s->result = NULL;
    fake_copy_string(nic->script, sizeof(nic->script), "nosuch");
    refused(s, s->src, XENFORK_E_DEVICE);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "script nosuch"));
}

static void test_disk_refused(void **state)
{
    struct fork_scene *s = *state;
    struct fake_disk *disk = fake_domain(s->src)->disks;
    struct fake_disk good = *disk;

    fake->cannot_reflink = true;
    refused(s, s->src, XENFORK_E_DISK);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    fake->cannot_reflink = false;
    fake->is_full = true;
    refused(s, s->src, XENFORK_E_NOSPC);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "is full"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "room"));
    fake->is_full = false;
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

static uint64_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

/* Another file is moved over the one in use, or a link made to lead there. */
static void test_disk_elsewhere(void **state)
{
    struct fork_scene *s = *state;
    struct fake_disk *disk = fake_domain(s->src)->disks;
    char other[FAKE_PATH + 8];

    disk->in_use = inode_of(disk->path);
    snprintf(other, sizeof(other), "%s.other", disk->path);
    fake_write_qcow2(other);
    assert_int_equal(rename(other, disk->path), 0);
    refused(s, s->src, XENFORK_E_DISK);
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    disk->is_readwrite = false;
    refused(s, s->src, XENFORK_E_DISK);
    disk->is_readwrite = true;
    disk->in_use = 0;
    disk->is_moved_late = true;
    refused(s, s->src, XENFORK_E_DISK);
    disk->is_moved_late = false;
    assert_int_equal(fork_it(s, s->src), 0);
}

/* Others than root can put there what they like. */
static void test_disk_folder(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(chmod(fake->dir, 0777), 0);
    refused(s, s->src, XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "chmod go-w"));
    assert_int_equal(chmod(fake->dir, 0755), 0);
    assert_int_equal(fork_it(s, s->src), 0);
}

/* Two domains write to it. */
static void test_disk_shared(void **state)
{
    struct fork_scene *s = *state;
    uint32_t other = fake_add_guest("other");
    struct fake_disk *theirs = fake_domain(other)->disks;

    *theirs = fake_domain(s->src)->disks[0];
    refused(s, s->src, XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "shared"));
    assert_true(xenfork_error_remedy(s->ctx)[0]);
    /* The other one only reads. */
    theirs->is_readwrite = false;
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_suspension(void **state)
{
    struct fork_scene *s = *state;
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
    struct fork_scene *s = *state;

    fake_domain(s->src)->never_drains = true;
    refused(s, s->src, XENFORK_E_TIMEOUT);
    assert_int_equal(xenfork_error_stage(s->ctx), XENFORK_STAGE_DISKS);
    assert_false(fake_domain(s->src)->is_shutdown);
}

static void test_taken(void **state)
{
    struct fork_scene *s = *state;
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
    struct fork_scene *s = *state;
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
    struct fork_scene *s = *state;

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
    struct fork_scene *s = *state;
    struct fake_domain *d = fake_domain(s->src);

    d->is_shutdown = true;
    d->shutdown_reason = 0;
    refused(s, s->src, XENFORK_E_NOTRUNNING);
}

static void test_busy(void **state)
{
    struct fork_scene *s = *state;
    char path[FAKE_PATH + 128], uuid[XENFORK__UUID_CHARS];
    struct xenfork__lock *lock = NULL;
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
    s->ctx->is_cancelled = 1;
    assert_int_equal(xenfork__lock_take_soon(s->ctx, uuid, &lock),
                     XENFORK_E_CANCELLED);
    close(fd);
    assert_int_equal(fork_it(s, s->src), 0);
}

static void cancel_at(void *opaque, int stage, uint32_t index, uint64_t done,
                      uint64_t total)
{
    struct fork_scene *s = opaque;

    (void)index;
    (void)done;
    (void)total;
    if (stage == XENFORK_STAGE_CAPTURE)
        xenfork_cancel(s->ctx);
}

static void test_cancelled(void **state)
{
    struct fork_scene *s = *state;

    xenfork_set_progress(s->ctx, cancel_at, s);
    refused(s, s->src, XENFORK_E_CANCELLED);
    xenfork_set_progress(s->ctx, NULL, NULL);
    /* Cleared when the next operation starts. */
    assert_int_equal(fork_it(s, s->src), 0);
}

static void test_state(void **state)
{
    struct fork_scene *s = *state;

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
    struct fork_scene *s = *state;
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
    struct fork_scene *s = *state;

    fake_fail_function("xenfork__xen_config_get", XENFORK_E_NOMEM, 0);
    refused(s, s->src, XENFORK_E_NOMEM);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_inval),
        TEST(test_notfound),
        TEST(test_hypervisor),
        TEST(test_on_demand),
        TEST(test_types),
        TEST(test_devices),
        TEST(test_all_devices),
        TEST(test_states),
        TEST(test_nics),
        TEST(test_nic_connected),
        TEST(test_disk_refused),
        TEST(test_disk_elsewhere),
        TEST(test_disk_folder),
        TEST(test_disk_shared),
        TEST(test_disk_emulated),
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
        TEST(test_nic_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
