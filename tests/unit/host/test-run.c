/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/run.c: programs that take longer than their time. */
#include "config.h"

#include "host/run.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/internal.h"

#define FASTER 1000 /* two minutes are over in a tenth of a second */

int __real_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    return __real_poll(fds, count, timeout_ms / FASTER);
}

static xenfork_ctx ctx;
static unsigned int warnings;
static char file[64];

static void count_warning(xentoollog_logger *logger, xentoollog_level level,
                          int errnoval, const char *context, const char *format,
                          va_list ap)
{
    (void)logger;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)ap;
    warnings += level == XTL_WARN;
}

static int setup(void **state)
{
    static xentoollog_logger logger = {.vmessage = count_warning};

    (void)state;
    ctx = (xenfork_ctx){.logger = &logger, .guard_fd = -1};
    warnings = 0;
    snprintf(file, sizeof(file), "/tmp/xenfork-run-%d", (int)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    return 0;
}

/* As LVM on a slow disk: broken off, it would leave a volume suspended. */
static const char *const slow[] = {"sh", "-c", "sleep 0.5; : >\"$0\"", file,
                                   NULL};

static void test_broken_off(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_run(&ctx, XENFORK_E_DISK, slow, NULL),
                     XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "took too long"));
    assert_int_equal(access(file, F_OK), -1);
}

static void test_waited_for(void **state)
{
    (void)state;
    assert_int_equal(xenfork__sys_run_whole(&ctx, XENFORK_E_DISK, slow), 0);
    assert_int_equal(access(file, F_OK), 0);
    assert_in_range(warnings, 2, 4);
}

static void test_failed(void **state)
{
    static const char *const fails[] = {"sh", "-c", "sleep 0.2; exit 3", NULL};
    static const char *const is_full[] = {
        "sh", "-c", "echo cp: /a: No space left on device >&2; exit 1", NULL};

    (void)state;
    assert_int_equal(xenfork__sys_run_whole(&ctx, XENFORK_E_DISK, fails),
                     XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "status 3"));
    assert_int_equal(xenfork__sys_run(&ctx, XENFORK_E_DISK, is_full, NULL),
                     XENFORK_E_NOSPC);
    assert_int_equal(xenfork__sys_run(&ctx, XENFORK_E_IO, is_full, NULL),
                     XENFORK_E_IO);
}

static int heard(xenfork_ctx *c, void *opaque, const char *text)
{
    (void)c;
    (void)text;
    ++*(unsigned int *)opaque;
    return 0;
}

/* It has said all, and goes on. */
static void test_long(void **state)
{
    static const char *const says[] = {
        "sh", "-c", "echo x; exec >&-; sleep 0.5; : >\"$0\"", file, NULL};
    unsigned int said = 0;

    (void)state;
    assert_int_equal(
        xenfork__sys_run_long(&ctx, XENFORK_E_DISK, says, heard, &said), 0);
    assert_true(said > 0);
    assert_int_equal(access(file, F_OK), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_broken_off),
        TEST(test_waited_for),
        TEST(test_failed),
        TEST(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
