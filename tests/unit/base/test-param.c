/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* param.c: values that xenfork-agent would take. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "xenfork.h"

struct values {
    const char *key;
    const char *all[24];
};

static const struct values good[] = {
    {"ip",
     {"", "dhcp", "keep", "10.0.0.40/24", "192.0.2.1/32", "10.0.0.1/1",
      "2001:db8::40/64", "fd00::1/128", "10.0.0.40/24,2001:db8::40/64",
      "10.0.0.40/24,10.1.0.40/16", "10.0.0.0/31", "10.0.0.255/32",
      "10.0.0.255/16", "10.0.1.0/16", "2001:db8::/127", "2001:db8::ffff/64"}},
    {"ip.eth1", {"dhcp", "10.0.0.40/24"}},
    {"gateway", {"", "10.0.0.1", "fe80::1", "10.0.0.1,2001:db8::1"}},
    {"nameserver", {"127.0.0.53", "::1", "10.0.0.1,2001:db8::1"}},
    {"hostname",
     {"", "keep", "a", "web-1", "3com", "web.example.org", "A1",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.x"}},
    /* None of the agent's own. */
    {"address", {"10.0.0.40", "nonsense", "-"}},
    {"ipv4", {"10.0.0.40"}},
    {"host", {"a_b"}},
};

static const struct values bad[] = {
    {"ip", {"10.0.0.40",          "10.0.0.40/",
            "10.0.0.40/0",        "10.0.0.40/33",
            "10.0.0.40/024",      "10.0.0.40/+4",
            "10.0.0.40/2 4",      "10.0.0.40/24/24",
            "10.0.0/24",          "010.0.0.40/24",
            "10.0.0.256/24",      "0.0.0.0/24",
            "127.0.0.1/8",        "224.0.0.1/24",
            "255.255.255.255/32", "DHCP",
            "dhcp,10.0.0.40/24",  "10.0.0.40/24,",
            " 10.0.0.40/24",      "web/24"}},
    {"ip",
     {"2001:db8::40", "2001:db8::40/129", "2001:db8::g/64", "ff02::1/64",
      "::/64", "::1/128", "fe80::1/64", "2001:db8::40%eth0/64",
      "10.0.0.40/99999999999999999999"}},
    {"ip",
     {"10.0.0.0/24", "10.0.0.255/24", "10.0.0.4/30", "10.0.0.7/30",
      "128.0.0.0/1", "2001:db8::/64", "2001:db8::4/126", "::ffff:10.0.0.4/120",
      "::10.0.0.4/120", "10.0.0.40/24,10.0.0.40/24",
      "2001:db8::4/64,10.0.0.4/24,2001:db8:0::4/48", "0.1.2.3/24", "/24", ","}},
    {"IP", {"10.0.0.40"}},
    {"ip.eth1", {"10.0.0.40", "no"}},
    {"gateway", {"10.0.0.1/24", "0.0.0.0", "gw", "10.0.0.1 ", "ff02::2"}},
    {"gateway", {"10.0.0.1,10.0.0.1", "fe80::1%eth0", "127.0.0.1", "::1"}},
    {"nameserver",
     {"dns", "10.0.0.53,", "10.0.0.53/24", "0.0.0.0", "::", "224.0.0.251",
      "fe80::1%eth0", "10.0.0.53,10.0.0.53"}},
    {"hostname",
     {"-a", "a-", "a_b", "a b", "a..b", ".a", "a.", "a.-b", "a/b", "10.0.0.1",
      "w\xc3\xa4",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.xx"}},
};

static void check_all(const struct values *table, size_t count, bool is_good)
{
    xenfork_spec *spec;
    size_t i, v;

    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    for (i = 0; i < count; i++)
        for (v = 0; v < 24 && table[i].all[v]; v++) {
            const char *key = table[i].key, *value = table[i].all[v];

            if ((xenfork_param_fault(key, value) == NULL) != is_good)
                fail_msg("%s=%s", key, value);
            assert_int_equal(
                xenfork_spec_set_param(spec, XENFORK_ALL, key, value),
                is_good ? 0 : XENFORK_E_INVAL);
        }
    xenfork_spec_free(spec);
}

static void test_good(void **state)
{
    (void)state;
    check_all(good, sizeof(good) / sizeof(good[0]), true);
}

static void test_bad(void **state)
{
    (void)state;
    check_all(bad, sizeof(bad) / sizeof(bad[0]), false);
}

/* The guest reads the names of all in one message of xenstore: 4096 bytes. */
static void test_all_names(void **state)
{
    xenfork_spec *spec;
    char key[65];
    int i;

    (void)state;
    assert_int_equal(xenfork_spec_new(1, &spec), 0);
    for (i = 0; i < 63; i++) {
        snprintf(key, sizeof(key), "%064d", i);
        assert_int_equal(xenfork_spec_set_param(spec, 0, key, ""), 0);
    }
    assert_int_equal(xenfork_spec_set_param(spec, 0, "0", ""), XENFORK_E_INVAL);
    xenfork_spec_free(spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_all_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
