/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/tap.c, on a stub of xenstore: which of libxl's tapdisks serves a file. */
#include "config.h"

#include "xen/handles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "xen/xen.h"

static xenfork_ctx ctx;
static char file[64], params[80];
static const char *mode, *node, *second; /* second: of another domain */

static int setup(void **state)
{
    int fd;

    (void)state;
    snprintf(file, sizeof(file), "/tmp/xenfork-tapdisk-XXXXXX");
    fd = mkstemp(file);
    snprintf(params, sizeof(params), XENFORK__VHD_PREFIX "%s", file);
    mode = "w";
    node = "/run/blktap-control/nbd264.3";
    second = NULL;
    return fd < 0 ? -1 : close(fd);
}

static int teardown(void **state)
{
    (void)state;
    return unlink(file);
}

/* Leave bytes on the stack, for a variable that nobody sets. */
static inline void __attribute__((always_inline)) soil_stack(void)
{
    unsigned char bytes[4096];

    memset(bytes, 0xaa, sizeof(bytes));
    __asm__ volatile("" : : "r"(bytes) : "memory");
}

/* Stubs. */

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    const char *key = strrchr(fmt, '/');
    const char *device, *text;
    va_list ap;

    (void)c;
    (void)t;
    va_start(ap, fmt);
    device = va_arg(ap, const char *);
    va_end(ap);
    text = !strcmp(key, "/params") ? params
           : !strcmp(key, "/mode") ? mode
           : strstr(device, "/8/") ? second
                                   : node;
    errno = ENOENT;
    return text ? strdup(text) : NULL;
}

/* Domains 7 and 8 have a disk each. */
char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    static const char *const domains[] = {"7", "8"};
    static const char *const disks[] = {"51712"};
    const char *path;
    char **list = malloc(sizeof(domains));
    bool is_top;
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    path = va_arg(ap, const char *);
    va_end(ap);
    if (!list)
        abort();
    is_top = !strcmp(path, "/local/domain/0/backend/vbd3");
    memcpy(list, is_top ? domains : disks,
           is_top ? sizeof(domains) : sizeof(disks));
    *count_out = is_top ? 2 : 1;
    soil_stack();
    return list;
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    soil_stack();
    return 0;
}

/* What xenstore does not tell of it is not known. */
static void test_found(void **state)
{
    struct xenfork__tapdisk tapdisk = {.started = 1};

    (void)state;
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk), 0);
    assert_int_equal(tapdisk.pid, 264);
    assert_int_equal(tapdisk.minor, 3);
    assert_true(tapdisk.started == 0);
}

static void test_none(void **state)
{
    struct xenfork__tapdisk tapdisk;

    (void)state;
    mode = "r";
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk),
                     XENFORK_E_NOTFOUND);
    mode = "w";
    node = NULL;
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk),
                     XENFORK_E_NOTFOUND);
    node = "/run/blktap-control/nbd264";
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk),
                     XENFORK_E_NOTFOUND);
    node = "/run/blktap-control/nbd264.3";
    assert_int_equal(xenfork__xen_tapdisk(&ctx, "/tmp", &tapdisk),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork__xen_tapdisk(&ctx, "/nowhere/at/all", &tapdisk),
                     XENFORK_E_NOTFOUND);
}

/* A stub domain has its guest's tapdisk; two of one file are refused. */
static void test_two(void **state)
{
    struct xenfork__tapdisk tapdisk;

    (void)state;
    second = node;
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk), 0);
    second = "/run/blktap-control/nbd265.3";
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk),
                     XENFORK_E_STATE);
    second = "/run/blktap-control/nbd264.4";
    assert_int_equal(xenfork__xen_tapdisk(&ctx, file, &tapdisk),
                     XENFORK_E_STATE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_found), TEST(test_none),
                                       TEST(test_two)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
