/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "base/ids.h"
#include "base/internal.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    static const char *const good[] = {"a", "web-1", "A.b_c-9", "1a",
                                       "_", ".",     "0x10",    "1.5"};
    static const char *const bad[] = {"",         "1",   "0042", "a b",
                                      "a/b",      "a:b", "-a",   "a\n",
                                      "\xc3\xa4", "a@b", "a\tb", "a\\b"};
    char name[65];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(xenfork__name_is_valid(good[i]));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(xenfork__name_is_valid(bad[i]));
    memset(name, 'x', 64);
    name[64] = '\0';
    assert_false(xenfork__name_is_valid(name));
    name[63] = '\0';
    assert_true(xenfork__name_is_valid(name));
}

static void test_bridges(void **state)
{
    (void)state;
    assert_true(xenfork__bridge_is_valid("xenbr0"));
    assert_true(xenfork__bridge_is_valid("br.1-a_b"));
    assert_true(xenfork__bridge_is_valid("123456789012345"));
    assert_false(xenfork__bridge_is_valid("1234567890123456"));
    assert_false(xenfork__bridge_is_valid(""));
    assert_false(xenfork__bridge_is_valid("a b"));
    assert_false(xenfork__bridge_is_valid("a\tb"));
    assert_false(xenfork__bridge_is_valid("a\nb"));
    assert_false(xenfork__bridge_is_valid("a/b"));
    assert_false(xenfork__bridge_is_valid("."));
    assert_false(xenfork__bridge_is_valid(".."));
}

static void test_uuid_round_trip(void **state)
{
    static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                     0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                     0xcc, 0xdd, 0xee, 0xff};
    char text[XENFORK__UUID_CHARS];
    uint8_t read[16];

    (void)state;
    xenfork__uuid_print(uuid, text);
    assert_string_equal(text, "00112233-4455-6677-8899-aabbccddeeff");
    assert_true(xenfork__uuid_parse(text, read));
    assert_memory_equal(read, uuid, 16);
    assert_true(
        xenfork__uuid_parse("00112233-4455-6677-8899-AABBCCDDEEFF", read));
    assert_memory_equal(read, uuid, 16);
}

static void test_uuid_malformed(void **state)
{
    static const char *const bad[] = {
        "",
        "00112233",
        "00112233-4455-6677-8899-aabbccddeef",
        "00112233-4455-6677-8899-aabbccddeeff0",
        "00112233-4455-6677-8899-aabbccddeefg",
        "001122334-455-6677-8899-aabbccddeeff",
        "00112233445566778899aabbccddeeff",
        "00112233-4455-6677-8899_aabbccddeeff",
        " 0112233-4455-6677-8899-aabbccddeeff",
        "0x112233-4455-6677-8899-aabbccddeeff",
        "../../../../etc/passwd/xxxxxxxxxxxxx",
    };
    uint8_t uuid[16] = {7};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xenfork__uuid_parse(bad[i], uuid));
        assert_int_equal(uuid[0], 7); /* untouched */
    }
}

static void test_large_numbers(void **state)
{
    static const char *const bad[] = {
        "",
        "-1",
        "18446744073709551616",
        "+1",
        "99999999999999999999999",
        " 1",
        "1 ",
        "0x1",
        "1.",
    };
    uint64_t value = 7;
    uint32_t small = 7;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(xenfork__parse_u64(bad[i], &value) ||
                     xenfork__parse_u32(bad[i], &small));
    assert_true(value == 7 && small == 7); /* untouched */
    assert_true(xenfork__parse_u64("18446744073709551615", &value));
    assert_true(value == UINT64_MAX);
    assert_true(xenfork__parse_u64("007", &value) && value == 7);
}

static void test_uuid_random(void **state)
{
    xenfork_ctx ctx = {.guard_fd = -1};
    uint8_t a[16], b[16];

    (void)state;
    assert_int_equal(xenfork__uuid_random(&ctx, a), 0);
    assert_int_equal(xenfork__uuid_random(&ctx, b), 0);
    assert_memory_not_equal(a, b, 16);
    assert_int_equal(a[6] >> 4, 4); /* RFC 4122: version, variant */
    assert_int_equal(a[8] >> 6, 2);
}

static void test_macs(void **state)
{
    static const uint8_t mac[6] = {0x00, 0x16, 0x3e, 0xab, 0x00, 0x7f};
    static const uint8_t group[6] = {0x01, 0, 0x5e, 0, 0, 1};
    static const uint8_t zero[6];
    static const char *const bad[] = {
        "",
        "00:16:3e:ab:00",
        "00:16:3e:ab:00:7f:00",
        "001163eab007f",
        "00-16-3e-ab-00-7f",
        "00:16:3e:ab:00:7g",
        "0:16:3e:ab:00:07f",
        "00:16:3e:ab:00:7 ",
    };
    char text[XENFORK__MAC_CHARS];
    uint8_t read[6] = {9};
    size_t i;

    (void)state;
    assert_true(xenfork__mac_is_valid(mac));
    assert_false(xenfork__mac_is_valid(group));
    assert_false(xenfork__mac_is_valid(zero));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(xenfork__mac_parse(bad[i], read));
        assert_int_equal(read[0], 9);
    }
    xenfork__mac_print(mac, text);
    assert_string_equal(text, "00:16:3e:ab:00:7f");
    assert_true(xenfork__mac_parse("00:16:3E:AB:00:7F", read));
    assert_memory_equal(read, mac, 6);
}

static void test_mac_random(void **state)
{
    static const uint8_t prefix[3] = {0x00, 0x16, 0x3e};
    uint8_t macs[6 * 64], mac[6];
    size_t i;

    (void)state;
    for (i = 0; i < 64; i++) {
        assert_true(xenfork__mac_random(prefix, macs, i, mac));
        assert_false(xenfork__mac_is_among(mac, macs, i));
        assert_memory_equal(mac, "\x00\x16\x3e", 3);
        assert_true(mac[3] < 0x80);
        memcpy(macs + 6 * i, mac, 6);
        assert_true(xenfork__mac_is_among(mac, macs, i + 1));
    }
}

static void test_numbers(void **state)
{
    static const char *const wrong[] = {
        "", " 1", "1 ", "-1", "+1", "0x1", "4294967296", "18446744073709551617",
    };
    uint32_t value = 77;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(xenfork__parse_u32(wrong[i], &value));
    assert_int_equal(value, 77);
    assert_true(xenfork__parse_u32("4294967295", &value));
    assert_true(value == UINT32_MAX);
    assert_true(xenfork__parse_u32("0", &value));
    assert_int_equal(value, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_bridges),
        cmocka_unit_test(test_uuid_round_trip),
        cmocka_unit_test(test_uuid_malformed),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_uuid_random),
        cmocka_unit_test(test_macs),
        cmocka_unit_test(test_mac_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
