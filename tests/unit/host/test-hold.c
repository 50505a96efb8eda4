/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/hold.c: filters of a NIC, on a kernel of the test's. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <linux/pkt_sched.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include "base/internal.h"
#include "host/host.h"
#include "host/netlink.h"

#define VIF      "vif7.0"
#define EMULATED VIF "-emu"
#define INDEX    7
#define BRIDGE_A 20
#define BRIDGE_B 21

static xenfork_ctx ctx;
static bool has_clsact;
static uint32_t filters[2]; /* handles; 0: none */
static bool has_emulated;
static unsigned int masters[2]; /* of the interface, of the emulated one */
static int unmovable;           /* index; 0: none */

unsigned int __wrap_if_nametoindex(const char *name);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_xenfork__netlink_ask(struct xenfork__netlink *request,
                                xenfork__netlink_seen *seen, void *opaque);

unsigned int __wrap_if_nametoindex(const char *name)
{
    if (!strcmp(name, "br-a"))
        return BRIDGE_A;
    if (!strcmp(name, "br-b"))
        return BRIDGE_B;
    if (has_emulated && !strcmp(name, EMULATED))
        return INDEX + 1;
    return strcmp(name, VIF) ? 0 : INDEX;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    (void)fd;
    (void)request;
    return 0;
}

/* The scripts that there are. */
int __wrap_access(const char *path, int mode);
int __wrap_access(const char *path, int mode)
{
    assert_int_equal(mode, X_OK);
    if (!strcmp(path, XEN_SCRIPT_DIR "/vif-bridge") ||
        !strcmp(path, XEN_SCRIPT_DIR "/vif-openvswitch") ||
        !strcmp(path, "/opt/vif-bridge"))
        return 0;
    errno = ENOENT;
    return -1;
}

bool xenfork__sys_has_bridge(const char *bridge)
{
    return !strcmp(bridge, "eth0");
}

bool xenfork__sys_is_switched(int ifindex)
{
    (void)ifindex;
    return false;
}

static int refuse(int e)
{
    errno = e;
    return -1;
}

static int dump(uint32_t way, uint32_t handle, uint32_t info,
                xenfork__netlink_seen *seen, void *opaque)
{
    struct xenfork__netlink object;

    if (!handle)
        return 0;
    xenfork__netlink_tc(&object, RTM_NEWTFILTER, INDEX, way);
    object.body.tc.tcm_handle = handle;
    object.body.tc.tcm_info = info;
    seen(&object.header, opaque);
    return 0;
}

static int set_link(struct xenfork__netlink *request)
{
    const struct rtattr *attr = IFLA_RTA(&request->body.info);
    int index = request->body.info.ifi_index;

    assert_int_equal(attr->rta_type, IFLA_MASTER);
    if (index == unmovable)
        return refuse(EBUSY);
    memcpy(&masters[index - INDEX], RTA_DATA(attr), sizeof(masters[0]));
    return 0;
}

int __wrap_xenfork__netlink_ask(struct xenfork__netlink *request,
                                xenfork__netlink_seen *seen, void *opaque)
{
    const struct tcmsg *tc = &request->body.tc;
    bool is_egress = (tc->tcm_parent & 0xffffU) == TC_H_MIN_EGRESS;

    switch (request->header.nlmsg_type) {
    case RTM_SETLINK:
        return set_link(request);
    case RTM_NEWQDISC:
        if (has_clsact)
            return refuse(EEXIST);
        has_clsact = true;
        return 0;
    case RTM_DELQDISC:
        has_clsact = false;
        memset(filters, 0, sizeof(filters));
        return 0;
    case RTM_NEWTFILTER:
        if (!has_clsact)
            return refuse(EINVAL);
        if (filters[is_egress])
            return refuse(EEXIST);
        filters[is_egress] = tc->tcm_handle;
        return 0;
    case RTM_DELTFILTER:
        filters[is_egress] = 0;
        return 0;
    case RTM_GETTFILTER:
        return dump(tc->tcm_parent, filters[is_egress], 1U << 16, seen, opaque);
    default:
        return 0;
    }
}

static int setup(void **state)
{
    (void)state;
    ctx = (xenfork_ctx){.guard_fd = -1};
    has_clsact = false;
    memset(filters, 0, sizeof(filters));
    masters[0] = masters[1] = BRIDGE_A;
    has_emulated = false;
    unmovable = 0;
    return 0;
}

/* A source's NIC is muted towards the guest, and hears again. */
static void test_mute(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_mute(&ctx, VIF), 0);
    assert_true(!filters[0] && filters[1]);
    assert_false(xenfork__sys_is_held(VIF));
    assert_int_equal(xenfork__sys_unmute(&ctx, VIF), 0);
    assert_true(!filters[0] && !filters[1] && !has_clsact);
    assert_int_equal(xenfork__sys_unmute(&ctx, VIF), 0);
    assert_int_equal(xenfork__sys_unmute(&ctx, "gone"), 0);
}

/* Its user has it held meanwhile: that stays. */
static void test_held_meanwhile(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_mute(&ctx, VIF), 0);
    assert_int_equal(xenfork__sys_hold(&ctx, VIF), 0);
    assert_true(xenfork__sys_is_held(VIF));
    assert_int_equal(xenfork__sys_unmute(&ctx, VIF), 0);
    assert_true(xenfork__sys_is_held(VIF));
    assert_int_equal(xenfork__sys_connect(&ctx, VIF), 0);
    assert_false(xenfork__sys_is_held(VIF));
    assert_false(has_clsact);
}

/* It was held before. */
static void test_held_before(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_hold(&ctx, VIF), 0);
    assert_int_equal(xenfork__sys_mute(&ctx, VIF), 0);
    assert_int_equal(xenfork__sys_unmute(&ctx, VIF), 0);
    assert_true(xenfork__sys_is_held(VIF));
}

static void assert_on(unsigned int master, unsigned int emulated)
{
    assert_int_equal(masters[0], master);
    assert_int_equal(masters[1], emulated);
}

/* That of the emulated NIC goes along. */
static void test_move(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_move(&ctx, VIF, "br-a", "br-b"), 0);
    assert_on(BRIDGE_B, BRIDGE_A);
    has_emulated = true;
    assert_int_equal(xenfork__sys_move(&ctx, VIF, "br-a", "br-b"), 0);
    assert_on(BRIDGE_B, BRIDGE_B);
    assert_int_equal(xenfork__sys_move(&ctx, VIF, "br-b", "br-a"), 0);
    assert_on(BRIDGE_A, BRIDGE_A);
    for (unmovable = INDEX; unmovable <= INDEX + 1; unmovable++) {
        assert_int_equal(xenfork__sys_move(&ctx, VIF, "br-a", "br-b"),
                         XENFORK_E_IO);
        assert_on(BRIDGE_A, BRIDGE_A);
    }
}

static const struct {
    const char *script, *bridge;
    int rc;
} places[] = {
    {NULL, "br-a", 0},
    {"vif-bridge", "br-b", 0},
    {XEN_SCRIPT_DIR "/vif-bridge", "br-a", 0},
    {NULL, "br-c", XENFORK_E_DEVICE},
    {"vif-bridge", "br-c", XENFORK_E_DEVICE},
    {XEN_SCRIPT_DIR "/vif-bridge", "br-c", XENFORK_E_DEVICE},
    {NULL, "", 0},       /* the first one */
    {NULL, "xenbr0", 0}, /* eth0, as it was called once */
    {NULL, NULL, 0},     /* xenbr0 */
    {NULL, "xenbr1", XENFORK_E_DEVICE},
    {"vif-openvswitch", "ovs0.20", 0},
    {"/opt/vif-bridge", "br-c", 0}, /* who knows what it does */
    {"vif-own", "br-a", XENFORK_E_DEVICE},
    {"/opt/vif-own", NULL, XENFORK_E_DEVICE},
};

/* What a clone's NIC needs, before the source stands still for it. */
static void test_can_join(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(places) / sizeof(*places); i++)
        assert_int_equal(
            xenfork__sys_can_join(&ctx, places[i].script, places[i].bridge),
            places[i].rc);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(test_mute), TEST(test_held_meanwhile), TEST(test_held_before),
        TEST(test_move), TEST(test_can_join),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
