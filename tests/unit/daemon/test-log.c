/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c: one event, one line, whatever a guest or a library says. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xentoollog.h>

#include "daemon/log.h"

static int saved_stderr, pipe_fds[2];

/* From here on stderr goes into a pipe. */
static void start_catching(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
    close(pipe_fds[1]);
}

/* Return the text sent there, without "xenforkd[PID]: " at its beginning. */
static const char *caught(char text[8192])
{
    char prefix[64];
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    n = read(pipe_fds[0], text, 8191);
    close(pipe_fds[0]);
    assert_true(n >= 0);
    text[n] = '\0';
    if (!n)
        return text;
    snprintf(prefix, sizeof(prefix), "xenforkd[%d]: ", (int)getpid());
    assert_memory_equal(text, prefix, strlen(prefix));
    return text + strlen(prefix);
}

static int setup(void **state)
{
    (void)state;
    log_open("xenforkd", false);
    log_set_level(LOG_LEVEL_INFO);
    return 0;
}

static void test_event(void **state)
{
    char text[8192];

    (void)state;
    start_catching();
    log_info("freeze", "domid=%u result=ok", 5U);
    assert_string_equal(caught(text),
                        "level=info event=freeze domid=5 result=ok\n");
}

static void test_levels(void **state)
{
    char text[8192];

    (void)state;
    start_catching();
    log_debug("freeze", "domid=%u", 5U);
    assert_string_equal(caught(text), "");
    log_set_level(LOG_LEVEL_ERROR);
    start_catching();
    log_warning("freeze", "domid=%u", 5U);
    assert_string_equal(caught(text), "");
    start_catching();
    log_error("freeze", "domid=%u", 5U);
    assert_string_equal(caught(text), "level=error event=freeze domid=5\n");
    log_set_level(LOG_LEVEL_DEBUG);
    start_catching();
    log_debug("freeze", "domid=%u", 5U);
    assert_string_equal(caught(text), "level=debug event=freeze domid=5\n");
}

static void test_level_names(void **state)
{
    uint32_t level, parsed;

    (void)state;
    for (level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        assert_true(log_level_parse(log_level_name(level), &parsed));
        assert_int_equal(parsed, level);
    }
    parsed = 77;
    assert_false(log_level_parse("Info", &parsed));
    assert_false(log_level_parse("", &parsed));
    assert_int_equal(parsed, 77);
}

static void test_clean(void **state)
{
    char out[16];

    (void)state;
    log_clean("a\nb\033\177\200 ~\0c", 10, out, sizeof(out));
    assert_string_equal(out, "a?b??? ~?c");
    log_clean("0123456789abcdefgh", 18, out, sizeof(out));
    assert_string_equal(out, "0123456789abcde");
}

static void test_quote(void **state)
{
    char out[LOG_QUOTED], text[4096];
    size_t i, n;

    (void)state;
    assert_string_equal(log_quote("a \"b\\\n", 6, out), "\"a \\\"b\\\\?\"");
    assert_string_equal(log_quote("", 0, out), "\"\"");
    /* Nothing but quotes, and more than fits: sound to its end. */
    memset(text, '"', sizeof(text));
    log_quote(text, sizeof(text), out);
    n = strlen(out);
    assert_in_range(n, 1000, LOG_QUOTED - 1);
    assert_int_equal(n % 2, 0);
    assert_int_equal(out[n - 1], '"');
    for (i = 1; i + 1 < n; i += 2)
        assert_memory_equal(&out[i], "\\\"", 2);
}

/* A name of 4096 bytes is cut, and its line is one line still. */
static void test_long_line(void **state)
{
    char text[8192], word[4096];
    const char *line;

    (void)state;
    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    start_catching();
    log_info("policy", "name=%s", word);
    line = caught(text);
    assert_in_range(strlen(line), 1000, 2100);
    assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_library(void **state)
{
    struct xentoollog_logger *logger = log_xen_logger();
    char text[8192];

    (void)state;
    start_catching();
    xtl_log(logger, XTL_ERROR, 5, "libxl", "no \"%s\"\nlevel=info", "disk");
    assert_string_equal(caught(text),
                        "level=error event=library from=libxl errno=5 "
                        "text=\"no \\\"disk\\\"?level=info\"\n");
    start_catching();
    xtl_log(logger, XTL_WARN, -1, NULL, "w");
    assert_string_equal(caught(text), "level=warning event=library from=xen "
                                      "errno=0 text=\"w\"\n");
    start_catching();
    xtl_log(logger, XTL_PROGRESS, -1, "libxl", "a step");
    assert_string_equal(caught(text), "");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_event),   TEST(test_levels), TEST(test_level_names),
        TEST(test_clean),   TEST(test_quote),  TEST(test_long_line),
        TEST(test_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
