/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every bound that xenfork.h gives for a spec. */
#include "config.h"

#include "base/spec.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t uuid[16] = {1, 2, 3};
static const uint8_t mac[6] = {0x00, 0x16, 0x3e, 1, 2, 3};

static int setup(void **state)
{
    xenfork_spec *spec;
    int rc = xenfork_spec_new(3, &spec);

    *state = spec;
    return rc;
}

static int teardown(void **state)
{
    xenfork_spec_free(*state);
    return 0;
}

static void test_count(void **state)
{
    xenfork_spec *spec = NULL;

    (void)state;
    assert_int_equal(xenfork_spec_new(0, &spec), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_new(XENFORK_MAX_CLONES + 1, &spec),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_new(XENFORK_ALL, &spec), XENFORK_E_INVAL);
    assert_null(spec);
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    xenfork_spec_free(spec);
    assert_int_equal(xenfork_spec_new(XENFORK_MAX_CLONES, &spec), 0);
    xenfork_spec_free(spec);
    xenfork_spec_free(NULL);
}

static void test_defaults(void **state)
{
    const xenfork_spec *spec = *state;

    assert_int_equal(spec->count, 3);
    assert_null(spec->clones[2].name);
    assert_false(spec->clones[2].has_uuid);
    assert_false(spec->clones[2].is_paused);
    assert_int_equal(xenfork__nic_link(&spec->clones[2], 0), XENFORK_LINK_AUTO);
    assert_int_equal(spec->clones[2].param_count, 0);
    assert_int_equal(spec->timeout_ms, 30000);
    assert_int_equal(spec->flags, 0);
    /* 25 per cent, rounded up. */
    assert_int_equal(xenfork__reserve_pages(spec, 100), 25);
    assert_int_equal(xenfork__reserve_pages(spec, 101), 26);
}

static void test_name(void **state)
{
    xenfork_spec *spec = *state;
    char name[65];

    memset(name, 'n', sizeof(name));
    name[64] = '\0';
    assert_int_equal(xenfork_spec_set_name(spec, 0, name), XENFORK_E_INVAL);
    name[63] = '\0';
    assert_int_equal(xenfork_spec_set_name(spec, 0, name), 0);
    name[0] = 'x'; /* it was copied */
    assert_int_equal(spec->clones[0].name[0], 'n');
    assert_int_equal(xenfork_spec_set_name(spec, 0, "Az09._-"), 0);
    assert_string_equal(spec->clones[0].name, "Az09._-");
    assert_int_equal(xenfork_spec_set_name(spec, 0, ""), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, 0, "17"), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, 0, "a b"), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, 0, "a/b"), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, 0, NULL), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, 3, "a"), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(spec, XENFORK_ALL, "a"),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_name(NULL, 0, "a"), XENFORK_E_INVAL);
    assert_string_equal(spec->clones[0].name, "Az09._-");
}

static void test_uuid(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_uuid(spec, 2, uuid), 0);
    assert_memory_equal(spec->clones[2].uuid, uuid, 16);
    assert_int_equal(xenfork_spec_set_uuid(spec, 3, uuid), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_uuid(spec, XENFORK_ALL, uuid),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_uuid(spec, 0, NULL), XENFORK_E_INVAL);
}

static void test_mac(void **state)
{
    static const uint8_t group[6] = {0x01, 0x16, 0x3e, 1, 2, 3};
    static const uint8_t zero[6];
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_nic_mac(spec, 1, 1, mac), 0);
    assert_null(xenfork__nic_spec(&spec->clones[1], 0));
    assert_memory_equal(xenfork__nic_spec(&spec->clones[1], 1)->mac, mac, 6);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 1, 1, group),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 1, 1, zero),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 1, 1, NULL),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 3, 1, mac),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, XENFORK_ALL, 1, mac),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_mac(spec, 1, XENFORK_ALL, mac),
                     XENFORK_E_INVAL);
}

static void test_mac_prefix(void **state)
{
    static const uint8_t own[3] = {0x02, 1, 2}, multicast[3] = {0x03, 1, 2};
    static const uint8_t xen[3] = {0x00, 0x16, 0x3e}, zero[3];
    xenfork_spec *spec = *state;

    assert_memory_equal(spec->mac_prefix, xen, 3);
    assert_int_equal(xenfork_spec_set_mac_prefix(spec, multicast),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_mac_prefix(spec, zero), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_mac_prefix(spec, NULL), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_mac_prefix(NULL, own), XENFORK_E_INVAL);
    assert_memory_equal(spec->mac_prefix, xen, 3);
    assert_int_equal(xenfork_spec_set_mac_prefix(spec, own), 0);
    assert_memory_equal(spec->mac_prefix, own, 3);
}

static void test_bridge(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(
        xenfork_spec_set_nic_bridge(spec, XENFORK_ALL, 0, "xenbr0"), 0);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, "123456789012345"),
                     0);
    assert_string_equal(xenfork__nic_spec(&spec->clones[0], 0)->bridge,
                        "xenbr0");
    assert_string_equal(xenfork__nic_spec(&spec->clones[1], 0)->bridge,
                        "123456789012345");
    assert_int_equal(
        xenfork_spec_set_nic_bridge(spec, 1, 0, "1234567890123456"),
        XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, ""),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, "a b"),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, "a/b"),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 1, 0, NULL),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_bridge(spec, 3, 0, "a"),
                     XENFORK_E_INVAL);
}

static void test_link(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_nic_link(spec, XENFORK_ALL, XENFORK_ALL,
                                               XENFORK_LINK_CONNECT),
                     0);
    assert_int_equal(xenfork_spec_set_nic_link(spec, 1, 2, XENFORK_LINK_HOLD),
                     0);
    assert_int_equal(xenfork__nic_link(&spec->clones[1], 0),
                     XENFORK_LINK_CONNECT);
    assert_int_equal(xenfork__nic_link(&spec->clones[1], 2), XENFORK_LINK_HOLD);
    assert_int_equal(xenfork__nic_link(&spec->clones[0], 2),
                     XENFORK_LINK_CONNECT);
    assert_int_equal(xenfork_spec_set_nic_link(spec, 0, 0, XENFORK_LINK_AUTO),
                     0);
    assert_int_equal(xenfork__nic_link(&spec->clones[0], 0), XENFORK_LINK_AUTO);
    assert_int_equal(xenfork_spec_set_nic_link(spec, 0, 0, 3), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_link(spec, 0, 0, -1),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_nic_link(spec, 3, 0, XENFORK_LINK_HOLD),
                     XENFORK_E_INVAL);
}

static const char *param(const xenfork_spec *spec, uint32_t clone,
                         const char *key)
{
    uint32_t i;

    for (i = 0; i < spec->clones[clone].param_count; i++)
        if (!strcmp(spec->clones[clone].params[i].key, key))
            return spec->clones[clone].params[i].value;
    return NULL;
}

static void test_param(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_param(spec, XENFORK_ALL, "a", "all"), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 1, "a", "one \"'\n="), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 1, "b", ""), 0);
    assert_string_equal(param(spec, 0, "a"), "all");
    assert_string_equal(param(spec, 1, "a"), "one \"'\n=");
    assert_string_equal(param(spec, 1, "b"), "");
    assert_null(param(spec, 2, "b"));
    assert_int_equal(spec->clones[1].param_count, 2);
    assert_int_equal(xenfork_spec_set_param(spec, 3, "a", ""), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_param(spec, 0, NULL, ""),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_param(spec, 0, "a", NULL),
                     XENFORK_E_INVAL);
}

static void test_param_bounds(void **state)
{
    static const char *const bad[] = {"",    ".", ".a",  "a/b",
                                      "a b", "=", "a\n", "\xc3\xa4"};
    xenfork_spec *spec = *state;
    char key[66], value[1026];
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(xenfork_spec_set_param(spec, 0, bad[i], "v"),
                         XENFORK_E_INVAL);
    memset(key, 'k', sizeof(key));
    memset(value, 'v', sizeof(value));
    key[65] = value[1025] = '\0';
    assert_int_equal(xenfork_spec_set_param(spec, 0, key, "v"),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_param(spec, 0, "a", value),
                     XENFORK_E_INVAL);
    assert_int_equal(spec->clones[0].param_count, 0);
    key[64] = value[1024] = '\0';
    assert_int_equal(xenfork_spec_set_param(spec, 0, key, value), 0);
    for (i = 1; i < XENFORK_MAX_PARAMS; i++) {
        snprintf(key, sizeof(key), "A-z_0.%zu", i);
        assert_int_equal(xenfork_spec_set_param(spec, 0, key, "v"), 0);
    }
    assert_int_equal(xenfork_spec_set_param(spec, 0, "more", "v"),
                     XENFORK_E_INVAL);
    /* One that is there already is no more. */
    assert_int_equal(xenfork_spec_set_param(spec, 0, key, "w"), 0);
    assert_string_equal(param(spec, 0, key), "w");
}

static void test_paused(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_paused(spec, XENFORK_ALL, 2), 0);
    assert_int_equal(xenfork_spec_set_paused(spec, 1, 0), 0);
    assert_true(spec->clones[0].is_paused);
    assert_false(spec->clones[1].is_paused);
    assert_int_equal(xenfork_spec_set_paused(spec, 3, 1), XENFORK_E_INVAL);
}

static void test_reserve(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_reserve_percent(spec, 101),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_reserve_percent(spec, 100), 0);
    assert_int_equal(xenfork__reserve_pages(spec, 77), 77);
    assert_int_equal(xenfork_spec_set_reserve_percent(spec, 0), 0);
    assert_int_equal(xenfork__reserve_pages(spec, 77), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, 5), 0);
    assert_int_equal(xenfork__reserve_pages(spec, 77), 2);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, 0), 0);
    assert_int_equal(xenfork__reserve_pages(spec, 77), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, UINT64_MAX), 0);
    assert_int_equal(xenfork__reserve_pages(spec, 77), 77);
    assert_int_equal(xenfork_spec_set_reserve_percent(NULL, 1),
                     XENFORK_E_INVAL);
}

static void test_timeout(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(xenfork_spec_set_timeout_ms(spec, 0), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_timeout_ms(spec, 1), 0);
    assert_int_equal(xenfork_spec_set_timeout_ms(spec, 3600000), 0);
    assert_int_equal(xenfork_spec_set_timeout_ms(spec, 3600001),
                     XENFORK_E_INVAL);
    assert_int_equal(spec->timeout_ms, 3600000);
}

static void test_quiesce(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(spec->quiesce, XENFORK_QUIESCE_AUTO);
    assert_int_equal(xenfork_spec_set_quiesce(spec, XENFORK_QUIESCE_PAUSE), 0);
    assert_int_equal(xenfork_spec_set_quiesce(spec, -1), XENFORK_E_INVAL);
    assert_int_equal(spec->quiesce, XENFORK_QUIESCE_PAUSE);
}

static void test_stun(void **state)
{
    xenfork_spec *spec = *state;

    assert_int_equal(spec->max_stun_ms, 0);
    assert_int_equal(xenfork_spec_set_max_stun_ms(spec, 0), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_max_stun_ms(spec, 3600001),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_max_stun_ms(spec, 1), 0);
    assert_int_equal(spec->max_stun_ms, 1);
    assert_int_equal(xenfork_spec_set_flags(spec, XENFORK_FORK_STUN_ANYWAY), 0);
    assert_int_equal(spec->pace, 50);
    assert_int_equal(xenfork_spec_set_pace(spec, 96), XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_pace(spec, 95), 0);
    assert_int_equal(xenfork_spec_set_pace(spec, 0), 0);
    assert_int_equal(spec->pace, 0);
}

static void test_flags(void **state)
{
    xenfork_spec *spec = *state;
    uint32_t bit;

    assert_int_equal(xenfork_spec_set_flags(spec, XENFORK_FORK_NO_HYDRATE |
                                                      XENFORK_FORK_KEEP_IMAGE),
                     0);
    assert_int_equal(xenfork_spec_set_flags(spec, XENFORK_FORK_EPHEMERAL_CRASH),
                     XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_flags(spec, 31), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, 62), 0);
    assert_int_equal(
        xenfork_spec_set_flags(spec, XENFORK_FORK_NO_HYDRATE |
                                         XENFORK_FORK_AUTO_HYDRATE),
        XENFORK_E_INVAL);
    assert_int_equal(xenfork_spec_set_flags(spec, 3), 0);
    for (bit = 6; bit < 32; bit++)
        assert_int_equal(xenfork_spec_set_flags(spec, 1U << bit),
                         XENFORK_E_INVAL);
    assert_int_equal(spec->flags, 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_count),        TEST(test_defaults),   TEST(test_name),
        TEST(test_uuid),         TEST(test_mac),        TEST(test_bridge),
        TEST(test_link),         TEST(test_paused),     TEST(test_reserve),
        TEST(test_timeout),      TEST(test_flags),      TEST(test_param),
        TEST(test_param_bounds), TEST(test_mac_prefix), TEST(test_quiesce),
        TEST(test_stun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
