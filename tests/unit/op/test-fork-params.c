/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parameters and addresses that no guest would take: refused by the fork. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "base/internal.h"

/* It fails, and nothing has happened. */
static void refused(struct fork_scene *s)
{
    char *before = fake_snapshot();

    assert_int_equal(fork_it(s, s->src), XENFORK_E_INVAL);
    assert_null(s->result);
    assert_true(fake_is_same(before, "refused"));
    free(before);
}

static void set_param(struct fork_scene *s, uint32_t clone, const char *key,
                      const char *value)
{
    assert_int_equal(xenfork_spec_set_param(s->spec, clone, key, value), 0);
}

/* A route by nothing; a guest would fail at it. */
static void test_gateway_without_address(void **state)
{
    struct fork_scene *s = *state;

    set_param(s, 1, "Gateway", "10.0.0.1");
    set_param(s, 1, "ip", "dhcp");
    refused(s);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "clone 2"));
    assert_non_null(strstr(xenfork_error_remedy(s->ctx), "ip=ADDRESS"));
    set_param(s, 1, "ip.br0", "10.0.0.4/24");
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
}

/* One address for clones that would hear each other. */
static void test_same_address(void **state)
{
    struct fork_scene *s = *state;

    set_param(s, 0, "ip", "10.0.0.4/24,2001:db8::4/64");
    set_param(s, 1, "IP", "10.0.0.5/24,2001:db8:0::4/48");
    refused(s);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "clones 1 and 2"));
    assert_int_equal(
        xenfork_spec_set_nic_link(s->spec, 1, XENFORK_ALL, XENFORK_LINK_HOLD),
        0);
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
}

static void test_same_address_elsewhere(void **state)
{
    struct fork_scene *s = *state;

    set_param(s, XENFORK_ALL, "ip", "10.0.0.4/24");
    refused(s);
    assert_int_equal(xenfork_spec_set_nic_bridge(s->spec, 1, 0, "xenbr7"), 0);
    assert_int_equal(xenfork_fork(s->ctx, s->src, s->spec, &s->result), 0);
}

/* Values at which a NIC's script would fail, in the stun. */
static void test_nic_ip_values(void **state)
{
    static const char *const bad[] = {
        "",          "10.0.0.256", "10.0.0",      "10.0.0.4/33", "0.0.0.0",
        "224.0.0.1", "::",         "10.0.0.4/",   "10:0",        "10.0.0.4/24/",
        "fe80::1%0", "web",        "10.0.0.4,10", " 10.0.0.4"};
    struct fork_scene *s = *state;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 0, 0, bad[i]),
                         XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 0, 0, "10.0.0.4/32"), 0);
    assert_int_equal(xenfork_spec_set_nic_ip(s->spec, 0, 0, "2001:db8::4"), 0);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_gateway_without_address),
        TEST(test_same_address),
        TEST(test_same_address_elsewhere),
        TEST(test_nic_ip_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
