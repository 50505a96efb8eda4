/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nic.c: NICs of clones that live; and which MACs new ones never get. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ids.h"
#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "host/host.h"
#include "op/nic.h"
#include "op/ready.h"
#include "../lib/scene.h"
#include "state/record.h"

static xenfork_ctx *ctx;
static uint32_t src;

static int setup(void **state)
{
    struct fake_domain *d;

    (void)state;
    src = scene_source();
    d = fake_domain(src);
    d->nics[d->nic_count] = d->nics[0];
    d->nics[d->nic_count].devid = 1;
    d->nics[d->nic_count++].mac[5] ^= 0x80;
    assert_int_equal(scene_fork(src, 1, 0), 0);
    ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(ctx);
    return 0;
}

static struct fake_domain *clone(void)
{
    return fake_domain_named("src-1");
}

static int link_of(uint32_t nic)
{
    struct xenfork__record *record;
    int link;

    assert_int_equal(
        xenfork__record_load(ctx, XENFORK_KIND_CLONE, clone()->uuid, &record),
        0);
    link = record->nics[nic].link;
    xenfork__record_free(record);
    return link;
}

static void test_link(void **state)
{
    char domid[16], uuid[XENFORK__UUID_CHARS];

    (void)state;
    snprintf(domid, sizeof(domid), "%u", clone()->domid);
    xenfork__uuid_print(clone()->uuid, uuid);
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 1, XENFORK_LINK_CONNECT), 0);
    assert_false(clone()->nics[0].is_up);
    assert_true(clone()->nics[1].is_up);
    assert_int_equal(link_of(0), XENFORK_LINK_AUTO);
    assert_int_equal(link_of(1), XENFORK_LINK_CONNECT);
    assert_int_equal(xenfork_clone_set_nic_link(ctx, domid, XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_true(clone()->nics[0].is_up);
    assert_string_equal(clone()->nics[0].on, "xenbr0");
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, uuid, XENFORK_ALL, XENFORK_LINK_HOLD),
        0);
    assert_false(clone()->nics[0].is_up);
    assert_false(clone()->nics[1].is_up);
    assert_int_equal(link_of(1), XENFORK_LINK_HOLD);
}

static struct fake_nic *attach_nic(void)
{
    struct fake_domain *d = clone();
    struct fake_nic *nic = &d->nics[d->nic_count++];

    *nic = d->nics[0];
    nic->devid = 7;
    nic->mac[5] ^= 0x40;
    nic->is_up = true;
    fake_copy_string(nic->ifname, sizeof(nic->ifname), "hot0");
    return nic;
}

static uint32_t entry_of_clone(const xenfork_list *list)
{
    uint32_t i = 0;

    while (strcmp(xenfork_entry_name(xenfork_list_entry(list, i)), "src-1"))
        i++;
    return i;
}

/* As the list has it. */
static bool is_held(void)
{
    xenfork_list *list;
    bool is;

    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    is = xenfork_nic_is_held(
        xenfork_entry_nic(xenfork_list_entry(list, entry_of_clone(list)), 0));
    xenfork_list_free(list);
    return is;
}

/* Attached by `xl network-attach`, with a name of its own. */
static void test_attached(void **state)
{
    struct fake_nic *nic = attach_nic();
    xenfork_list *list;
    uint32_t i;

    (void)state;
    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    i = entry_of_clone(list);
    assert_int_equal(xenfork_entry_nic_count(xenfork_list_entry(list, i)), 3);
    assert_non_null(
        xenfork_nic_mac(xenfork_entry_nic(xenfork_list_entry(list, i), 2)));
    assert_int_equal(
        xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, i), 0)),
        XENFORK_LINK_AUTO);
    assert_int_equal(
        xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, i), 2)),
        XENFORK_LINK_CONNECT);
    xenfork_list_free(list);
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_HOLD),
                     0);
    assert_false(nic->is_up);
    assert_int_equal(link_of(2), XENFORK_LINK_HOLD);

    /* And detached. */
    clone()->nics[0] = clone()->nics[2];
    clone()->nic_count = 1;
    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    i = entry_of_clone(list);
    assert_int_equal(xenfork_entry_nic_count(xenfork_list_entry(list, i)), 1);
    assert_int_equal(
        xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, i), 0)),
        XENFORK_LINK_HOLD);
    xenfork_list_free(list);
    assert_true(is_held());
    /* Restored without xenforkd: as it is, whatever is wanted. */
    clone()->nics[0].is_up = true;
    assert_false(is_held());
}

/* Detached, and another attached, which has its number. */
static void replace_nic(void)
{
    clone()->nics[0].mac[5] ^= 0x40;
    clone()->nics[0].is_up = true;
}

static void test_replaced(void **state)
{
    char mac[XENFORK__MAC_CHARS];
    const xenfork_nic *nic;
    xenfork_list *list;

    (void)state;
    replace_nic();
    xenfork__mac_print(clone()->nics[0].mac, mac);
    assert_int_equal(xenfork_list_open(ctx, 0, &list), 0);
    nic = xenfork_entry_nic(xenfork_list_entry(list, entry_of_clone(list)), 0);
    assert_string_equal(xenfork_nic_mac(nic), mac);
    assert_int_equal(xenfork_nic_link(nic), XENFORK_LINK_CONNECT);
    xenfork_list_free(list);
    /* What its user says of it is noted beside what was said of the other. */
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_HOLD), 0);
    assert_int_equal(link_of(0), XENFORK_LINK_AUTO);
    assert_int_equal(link_of(2), XENFORK_LINK_HOLD);
    /* The clone acknowledges: the link was the other's. */
    fake_ack(clone()->domid, NULL);
    assert_int_equal(xenfork__ready_accept(ctx, clone()->domid), 0);
    assert_false(clone()->nics[0].is_up);
    assert_true(clone()->nics[1].is_up);
}

/* Nor is it held for the other after a restore. */
static void test_replaced_restored(void **state)
{
    bool is_done = false;

    (void)state;
    replace_nic();
    clone()->domid += 20;
    assert_int_equal(xenfork__nics_hold_restored(ctx, clone()->domid, &is_done),
                     0);
    assert_true(is_done);
    assert_true(clone()->nics[0].is_up);
    assert_false(clone()->nics[1].is_up);
}

/* All NICs and the record, or none. */
static void test_whole(void **state)
{
    struct fake_nic *nic = attach_nic();
    char *before;
    uint32_t n;

    (void)state;
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_CONNECT), 0);
    before = fake_snapshot();
    nic->server = 3;
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_HOLD),
                     XENFORK_E_DEVICE);
    nic->server = 0;
    assert_true(fake_is_same(before, "hold"));
    nic->server = 3;
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     XENFORK_E_DEVICE);
    nic->server = 0;
    assert_true(fake_is_same(before, "connect"));
    for (n = 1; n < 60; n++) {
        int rc;

        fake_fail_at(n);
        rc = xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                        XENFORK_LINK_HOLD);
        fake_disarm();
        if (rc == 0)
            break;
        assert_true(fake_is_same(before, "sweep"));
    }
    assert_in_range(n, 5, 59);
    free(before);
}

/* Saved and restored: another domain, the same clone. */
static void test_restored(void **state)
{
    (void)state;
    clone()->domid += 20;
    assert_int_equal(xenfork_clone_set_nic_link(ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_true(clone()->nics[0].is_up);
}

/* Restored by Xen's means, its scripts have connected it. */
static void test_held_again(void **state)
{
    struct fake_domain *d = clone();
    bool is_done = false;

    (void)state;
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 1, XENFORK_LINK_CONNECT), 0);
    /* The one that was made is as it is. */
    d->nics[0].is_up = true;
    assert_int_equal(xenfork__nics_hold_restored(ctx, d->domid, &is_done), 0);
    assert_true(is_done);
    assert_true(d->nics[0].is_up);
    /* Another domain, whose interfaces come one by one. */
    d->domid += 20;
    d->nics[0].cannot_hold = true;
    assert_int_equal(xenfork__nics_hold_restored(ctx, d->domid, &is_done), 0);
    assert_false(is_done);
    d->nics[0].cannot_hold = false;
    assert_int_equal(xenfork__nics_hold_restored(ctx, d->domid, &is_done), 0);
    assert_true(is_done);
    assert_false(d->nics[0].is_up);
    assert_true(d->nics[1].is_up);
    /* No clone. */
    assert_int_equal(xenfork__nics_hold_restored(ctx, src, &is_done), 0);
    assert_true(is_done);
}

static void test_bridge(void **state)
{
    (void)state;
    /* A held one is held there. */
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
                     0);
    assert_string_equal(clone()->nics[0].bridge, "xenbr1");
    assert_string_equal(clone()->nics[0].on, "xenbr1");
    assert_false(clone()->nics[0].is_up);
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_CONNECT), 0);
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr2"),
                     0);
    assert_string_equal(clone()->nics[0].on, "xenbr2");
    assert_string_equal(clone()->nics[1].bridge, "xenbr0");
}

static void fails(int rc, int code, const char *text)
{
    assert_int_equal(rc, code);
    assert_int_equal(xenfork_error_code(ctx), code);
    if (!strstr(xenfork_error_text(ctx), text))
        fail_msg("said: %s", xenfork_error_text(ctx));
}

static void test_errors(void **state)
{
    char *before = fake_snapshot();

    (void)state;
    fails(xenfork_clone_set_nic_link(ctx, "src-1", 2, XENFORK_LINK_HOLD),
          XENFORK_E_INVAL, "src-1 has no NIC 2: it has 2");
    fails(xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_AUTO),
          XENFORK_E_INVAL, "link");
    fails(xenfork_clone_set_nic_link(ctx, NULL, 0, XENFORK_LINK_HOLD),
          XENFORK_E_INVAL, "");
    fails(xenfork_clone_set_nic_link(ctx, "src", 0, XENFORK_LINK_HOLD),
          XENFORK_E_NOTOURS, "src is not a clone of xenfork");
    fails(xenfork_clone_set_nic_link(ctx, "nobody", 0, XENFORK_LINK_HOLD),
          XENFORK_E_NOTFOUND, "nobody");
    fails(xenfork_clone_set_nic_bridge(ctx, "src-1", XENFORK_ALL, "xenbr1"),
          XENFORK_E_INVAL, "src-1 has 2 NICs");
    fails(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "br9"),
          XENFORK_E_NOTFOUND, "br9");
    fails(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "a/b"), XENFORK_E_INVAL,
          "");
    fails(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, NULL), XENFORK_E_INVAL,
          "");
    clone()->nics[0].bridge[0] = '\0';
    fails(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
          XENFORK_E_DEVICE, "on no bridge");
    fake_copy_string(clone()->nics[0].bridge, 16, "xenbr0");
    assert_true(fake_is_same(before, "errors"));
    free(before);
}

static void test_gone(void **state)
{
    (void)state;
    assert_int_equal(xenfork__xen_destroy(ctx, clone()->domid), 0);
    fails(xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_CONNECT),
          XENFORK_E_NOTRUNNING, "src-1");
}

/* Every call fails once: the record says what is. */
static void test_failures(void **state)
{
    char *before;

    (void)state;
    assert_int_equal(
        xenfork_clone_set_nic_link(ctx, "src-1", 0, XENFORK_LINK_CONNECT), 0);
    before = fake_snapshot();
    fake_fail_function("xenfork__sys_move", XENFORK_E_XEN, 0);
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
                     XENFORK_E_XEN);
    fake_disarm();
    assert_true(fake_is_same(before, "move"));
    fake_fail_function("xenfork__xen_nic_set_bridge", XENFORK_E_XEN, 0);
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
                     XENFORK_E_RESIDUE);
    fake_disarm();
    assert_true(fake_is_same(before, "record"));
    fake_fail_function("xenfork__xen_config_change", XENFORK_E_NOSPC, 0);
    assert_int_equal(xenfork_clone_set_nic_bridge(ctx, "src-1", 0, "xenbr1"),
                     XENFORK_E_NOSPC);
    fake_disarm();
    assert_string_equal(clone()->nics[0].on, "xenbr0");
    assert_true(fake_is_same(before, "configuration"));
    free(before);
}

/* MACs of clones that are gone, and may be restored, and of images. */
static void test_macs_of_records(void **state)
{
    xenfork_result *result = NULL;
    xenfork_spec *spec;
    uint8_t mac[6];

    (void)state;
    memcpy(mac, clone()->nics[1].mac, 6);
    assert_int_equal(xenfork__xen_destroy(ctx, clone()->domid), 0);
    assert_int_equal(scene_fork(src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 0, 0, mac), 0);
    assert_int_equal(xenfork_fork(ctx, src, spec, &result), XENFORK_E_MACTAKEN);
    memcpy(mac, fake_domain(src)->nics[1].mac, 6);
    fake_domain(src)->nics[1].mac[3] ^= 0x55;
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 0, 0, mac), 0);
    assert_int_equal(xenfork_fork(ctx, src, spec, &result), XENFORK_E_MACTAKEN);
    xenfork_spec_free(spec);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_link),       TEST(test_attached),
        TEST(test_whole),      TEST(test_restored),
        TEST(test_held_again), TEST(test_bridge),
        TEST(test_errors),     TEST(test_gone),
        TEST(test_failures),   TEST(test_macs_of_records),
        TEST(test_replaced),   TEST(test_replaced_restored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
