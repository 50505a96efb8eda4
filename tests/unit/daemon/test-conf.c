/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conf.c: what a configuration file may hold, and what it may not. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/conf.h"
#include "daemon/log.h"

static char message[CONFIG_MESSAGE];

static bool parse(const char *text, struct config *config)
{
    message[0] = '\0';
    return config_parse("f", text, strlen(text), config, message);
}

static void assert_same(const struct config *a, const struct config *b)
{
    assert_int_equal(a->log_level, b->log_level);
    assert_int_equal(a->is_freeze_allowed, b->is_freeze_allowed);
    assert_int_equal(a->freeze_timeout_s, b->freeze_timeout_s);
    assert_int_equal(a->freeze_burst, b->freeze_burst);
    assert_int_equal(a->freeze_interval_s, b->freeze_interval_s);
    assert_int_equal(a->freeze_workers, b->freeze_workers);
    assert_int_equal(a->has_policies, b->has_policies);
    assert_int_equal(a->policy_timeout_s, b->policy_timeout_s);
    assert_int_equal(a->policy_workers, b->policy_workers);
    assert_int_equal(a->hydrate, b->hydrate);
    assert_int_equal(a->hydrate_mib_s, b->hydrate_mib_s);
    assert_int_equal(a->memory_low_mib, b->memory_low_mib);
    assert_int_equal(a->memory_floor_mib, b->memory_floor_mib);
    assert_int_equal(a->memory_ok_mib, b->memory_ok_mib);
    assert_int_equal(a->memory_balloon, b->memory_balloon);
    assert_int_equal(a->source_reserve, b->source_reserve);
    assert_int_equal(a->ephemeral, b->ephemeral);
}

static void test_nothing_said(void **state)
{
    struct config config, defaults;

    (void)state;
    config_default(&defaults);
    assert_true(parse("", &config));
    assert_same(&config, &defaults);
    assert_true(parse("\n  \n# freeze = 0\n\t# \n#", &config));
    assert_same(&config, &defaults);
}

static void test_every_key(void **state)
{
    const struct config wanted = {.log_level = LOG_LEVEL_DEBUG,
                                  .freeze_timeout_s = 31,
                                  .freeze_burst = 4,
                                  .freeze_interval_s = 11,
                                  .freeze_workers = 9,
                                  .policy_timeout_s = 601,
                                  .policy_workers = 5,
                                  .hydrate_mib_s = 257,
                                  .memory_low_mib = 65,
                                  .memory_floor_mib = 33,
                                  .memory_ok_mib = 97,
                                  .memory_balloon = 60,
                                  .source_reserve = 26,
                                  .ephemeral = CONFIG_EPHEMERAL_CRASH,
                                  .hydrate = CONFIG_HYDRATE_NEVER};
    struct config config;

    (void)state;
    assert_true(parse("log_level = \"debug\"\n"
                      "freeze = 0\n"
                      "freeze_timeout=31\n"
                      "  freeze_burst\t=  4  # more\n"
                      "freeze_interval = 11\r\n"
                      "freeze_workers = 9\n"
                      "policies = 0\n"
                      "policy_timeout = 601\n"
                      "policy_workers = 5\n"
                      "hydrate = \"never\"\n"
                      "hydrate_rate = 257\n"
                      "memory_low = 65\n"
                      "memory_floor = 33\n"
                      "memory_ok = 97\n"
                      "memory_balloon = 60\n"
                      "source_reserve = 26\n"
                      "ephemeral = \"crash\"",
                      &config));
    assert_same(&config, &wanted);
}

static const struct {
    const char *text, *message;
} mistakes[] = {
    {"freese = 1", "f:1: unknown key: freese"},
    {"\n\n= 1", "f:3: unknown key"},
    {"freeze = 1\nfreeze = 1", "f:2: key given twice: freeze"},
    {"freeze", "f:1: not of the form KEY = VALUE: freeze"},
    {"freeze 1", "f:1: not of the form KEY = VALUE: freeze 1"},
    {"freeze = 2", "f:1: freeze must be a number from 0 to 1: 2"},
    {"freeze =", "f:1: freeze must be a number from 0 to 1"},
    {"freeze = yes", "f:1: freeze must be a number from 0 to 1: yes"},
    {"freeze = 1 1", "f:1: freeze must be a number from 0 to 1: 1 1"},
    {"freeze = +1", "f:1: freeze must be a number from 0 to 1: +1"},
    {"freeze_timeout = 0",
     "f:1: freeze_timeout must be a number from 1 to 3600: 0"},
    {"freeze_timeout = 3601",
     "f:1: freeze_timeout must be a number from 1 to 3600: 3601"},
    {"freeze_timeout = 4294967326",
     "f:1: freeze_timeout must be a number from 1 to 3600: 4294967326"},
    {"freeze_timeout = 18446744073709551646",
     "f:1: freeze_timeout must be a number from 1 to 3600: "
     "18446744073709551646"},
    {"freeze_timeout = -1",
     "f:1: freeze_timeout must be a number from 1 to 3600: -1"},
    {"freeze_timeout = 0x10",
     "f:1: freeze_timeout must be a number from 1 to 3600: 0x10"},
    {"policy_timeout = 9",
     "f:1: policy_timeout must be a number from 10 to 86400: 9"},
    {"policy_workers = 65",
     "f:1: policy_workers must be a number from 1 to 64: 65"},
    {"hydrate_rate = 65537",
     "f:1: hydrate_rate must be a number from 0 to 65536: 65537"},
    {"hydrate = 0", "f:1: hydrate must be \"now\", \"auto\" or \"never\": 0"},
    {"memory_low = 31", "f: memory_floor is above memory_low"},
    {"memory_low = 97", "f: memory_ok is not above memory_low"},
    {"memory_low = 96", "f: memory_ok is not above memory_low"},
    {"ephemeral = \"on\"", "f:1: ephemeral must be \"off\", \"poweroff\" or "
                           "\"crash\": \"on\""},
    {"ephemeral = 1", "f:1: ephemeral must be \"off\", \"poweroff\" or "
                      "\"crash\": 1"},
    {"log_level = info", "f:1: log_level must be \"error\", \"warning\", "
                         "\"info\" or \"debug\": info"},
    {"log_level = \"loud\"", "f:1: log_level must be \"error\", \"warning\", "
                             "\"info\" or \"debug\": \"loud\""},
    {"log_level = \"", "f:1: log_level must be \"error\", \"warning\", "
                       "\"info\" or \"debug\": \""},
    {"fr\033[2J\377 = 1", "f:1: unknown key: fr?[2J?"},
};

static void test_mistakes(void **state)
{
    struct config config, before;
    size_t i;

    (void)state;
    config_default(&before);
    before.freeze_burst = 77;
    for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        config = before;
        assert_false(parse(mistakes[i].text, &config));
        assert_string_equal(message, mistakes[i].message);
        assert_same(&config, &before);
    }
}

static void test_not_a_text(void **state)
{
    static const char nul[] = "freeze = 1\0\nfreeze = 0";
    cleanup_free char *large = malloc(CONFIG_MAX_BYTES + 1);
    struct config config;

    (void)state;
    assert_false(config_parse("f", nul, sizeof(nul), &config, message));
    assert_string_equal(message, "f: the file holds a NUL");
    assert_non_null(large);
    memset(large, '#', CONFIG_MAX_BYTES + 1);
    assert_true(config_parse("f", large, CONFIG_MAX_BYTES, &config, message));
    assert_false(
        config_parse("f", large, CONFIG_MAX_BYTES + 1, &config, message));
    assert_string_equal(message, "f: the file is too long");
}

/* However long what is wrong is: file and line are said. */
static void test_long_names(void **state)
{
    char text[2000], file[200];
    struct config config;

    (void)state;
    memset(text, 'k', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    memset(file, 'f', sizeof(file) - 1);
    file[sizeof(file) - 1] = '\0';
    assert_false(config_parse(file, text, strlen(text), &config, message));
    assert_non_null(strstr(message, ":1: not of the form KEY = VALUE: kkk"));
}

static void test_load(void **state)
{
    struct config config;

    (void)state;
    assert_false(config_load("/nonexistent/x.conf", &config, message));
    assert_string_equal(message, "/nonexistent/x.conf: cannot be opened: "
                                 "No such file or directory");
    assert_false(config_load("/", &config, message));
    assert_string_equal(message, "/: cannot be read: Is a directory");
    assert_true(config_load("/dev/null", &config, message));
    assert_int_equal(config.freeze_timeout_s, 30);
}

/* The "#KEY = VALUE" lines of what is installed, without the "#". */
static char *uncommented(uint32_t *count_out)
{
    cleanup_free char *path = NULL;
    cleanup_file FILE *file = NULL;
    char line[256], *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    assert_true(asprintf(&path, "%s/daemon/xenfork.conf",
                         getenv("srcdir") ? getenv("srcdir") : ".") > 0);
    file = fopen(path, "re");
    assert_non_null(file);
    *count_out = 0;
    while (fgets(line, sizeof(line), file)) {
        assert_true(line[0] == '#' || line[0] == '\n');
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n') {
            fputs(line + 1, out);
            ++*count_out;
        }
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

/* The shipped file is right about each key, and leaves no key out. */
static void test_shipped_file(void **state)
{
    struct config config, defaults;
    uint32_t count, keys = 0;
    cleanup_free char *text = uncommented(&count);
    cleanup_free char *padded = NULL;
    const char *key;

    (void)state;
    assert_true(parse(text, &config));
    config_default(&defaults);
    assert_same(&config, &defaults);
    assert_true(asprintf(&padded, "\n%s", text) > 0);
    while ((key = config_key_name(keys))) {
        cleanup_free char *line = NULL;

        assert_true(asprintf(&line, "\n%s = ", key) > 0);
        assert_non_null(strstr(padded, line));
        keys++;
    }
    assert_int_equal(keys, 17);
    assert_int_equal(count, keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_said), cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_mistakes),     cmocka_unit_test(test_not_a_text),
        cmocka_unit_test(test_long_names),   cmocka_unit_test(test_load),
        cmocka_unit_test(test_shipped_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
