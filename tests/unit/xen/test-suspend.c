/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/suspend.c, xen/guest.c, xen/nic.c, on stubs of libxl and xenstore:
 * domains that end while they are waited for, and guests that get between
 * start and end of every transaction.
 */
#include "config.h"

#include "xen/handles.h"
#include "xen/xen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DOMID 7U

static struct xenfork__xen xen;
static xenfork_ctx ctx = {.xen = &xen, .state_dir = NULL};

static struct xenfork__dominfo info;
static bool is_gone, is_asked, is_aborted, has_emulator;
static uint32_t turns, turns_to_end, commits;
static void (*on_end)(void);

static int setup(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    is_gone = is_asked = is_aborted = has_emulator = false;
    turns = commits = 0;
    turns_to_end = 3;
    on_end = NULL;
    return 0;
}

static void crash(void)
{
    info.is_shutdown = true;
    info.shutdown_reason = XENFORK__SHUTDOWN_CRASH;
}

static void power_off(void)
{
    info.is_shutdown = true;
}

static void suspend(void)
{
    info.is_shutdown = true;
    info.shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
}

static void die(void)
{
    info.is_dying = true;
}

static void go(void)
{
    is_gone = true;
}

/* Stubs: the domain. */

int xenfork__xen_info(xenfork_ctx *c, uint32_t domid,
                      struct xenfork__dominfo *info_out)
{
    if (is_gone)
        return xenfork__miss(c, XENFORK_E_NOTFOUND, "no domain %u", domid);
    *info_out = info;
    return 0;
}

int libxl_domain_suspend_only(libxl_ctx *xl, uint32_t domid,
                              const libxl_asyncop_how *how)
{
    (void)xl;
    (void)domid;
    (void)how;
    is_asked = true;
    return 0;
}

int libxl_ao_abort(libxl_ctx *xl, const libxl_asyncop_how *how)
{
    (void)xl;
    (void)how;
    is_aborted = true;
    return 0;
}

int libxl_domain_resume(libxl_ctx *xl, uint32_t domid, int is_fast,
                        const libxl_asyncop_how *how)
{
    (void)xl;
    (void)domid;
    (void)is_fast;
    (void)how;
    info.is_shutdown = is_aborted = false;
    return 0;
}

bool xenfork__xen_has_emulator(xenfork_ctx *c, uint32_t domid)
{
    (void)c;
    (void)domid;
    return has_emulator;
}

void xenfork__xen_emulator_forget(uint32_t domid)
{
    (void)domid;
}

void xenfork__op_init(struct xenfork__op *op)
{
    memset(op, 0, sizeof(*op));
}

void xenfork__op_turn(xenfork_ctx *c)
{
    (void)c;
    if (++turns == turns_to_end && on_end)
        on_end();
}

int xenfork__op_wait(xenfork_ctx *c, struct xenfork__op *op, int r)
{
    (void)c;
    (void)op;
    return is_aborted ? ERROR_ABORTED : r;
}

int xenfork__op_done(xenfork_ctx *c, struct xenfork__op *op, int r,
                     const char *what, uint32_t domid)
{
    (void)what;
    (void)domid;
    return xenfork__op_wait(c, op, r) ? XENFORK_E_XEN : 0;
}

/* Stubs: xenstore, where every transaction meets the guest's. */

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    (void)c;
    (void)t;
    if (strstr(fmt, "backend"))
        return strdup("/b");
    if (strcmp(fmt, "%s") == 0 && is_asked)
        return strdup("suspend");
    errno = ENOENT;
    return NULL;
}

bool xenfork__xs_write(xenfork_ctx *c, xs_transaction_t t, const char *value,
                       const char *fmt, ...)
{
    (void)c;
    (void)t;
    (void)value;
    (void)fmt;
    return true;
}

char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    (void)c;
    (void)count_out;
    (void)fmt;
    errno = ENOENT;
    return NULL;
}

bool xenfork__xs_rm(xenfork_ctx *c, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    (void)h;
    return 1;
}

static bool is_contended;

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool is_abort)
{
    (void)h;
    (void)t;
    if (!is_abort && is_contended) {
        /* A bound much above the real one, so that a test ends. */
        if (++commits > 100000)
            abort();
        errno = EAGAIN;
        return false;
    }
    if (!is_abort)
        is_asked = false;
    return true;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path,
              const void *data, unsigned int bytes)
{
    (void)h;
    (void)t;
    (void)path;
    (void)data;
    (void)bytes;
    return true;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path,
              unsigned int *bytes)
{
    (void)h;
    (void)t;
    (void)path;
    (void)bytes;
    errno = ENOENT;
    return NULL;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    (void)h;
    (void)t;
    (void)path;
    return true;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t,
                        const char *path, struct xs_permissions *perms,
                        unsigned int count)
{
    (void)h;
    (void)t;
    (void)path;
    (void)perms;
    (void)count;
    return true;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    (void)h;
    (void)path;
    (void)token;
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    return xs_watch(h, path, token);
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

int xenfork__stored_change(xenfork_ctx *c, uint32_t domid,
                           xenfork__stored_change_fn *change,
                           const void *opaque)
{
    (void)c;
    (void)domid;
    (void)change;
    (void)opaque;
    return 0;
}

/* A wait for a guest ends with the guest, not with its time. */
static void test_ends(void **state)
{
    static const struct {
        void (*end)(void);
        const char *text;
    } ends[] = {
        {crash, "domain 7 has crashed"},
        {power_off, "domain 7 has shut down"},
        {die, "domain 7 has been destroyed"},
        {go, "domain 7 has been destroyed"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(ends); i++) {
        uint64_t start_ns = xenfork__now_ns();

        setup(state);
        on_end = ends[i].end;
        assert_int_equal(xenfork__xen_suspend(&ctx, DOMID, 20000),
                         XENFORK_E_NOTRUNNING);
        assert_string_equal(ctx.error.text, ends[i].text);
        assert_int_equal(turns, turns_to_end);
        assert_true(is_aborted);
        assert_in_range(xenfork__now_ns() - start_ns, 0, 2000000000U);
    }
}

/*
 * It suspends as its time is over, and libxl is broken off before it has saved
 * the device model's state.
 */
static void test_late(void **state)
{
    (void)state;
    on_end = suspend;
    assert_int_equal(xenfork__xen_suspend(&ctx, DOMID, 20), 0);
    assert_true(is_aborted);
    setup(state);
    on_end = suspend;
    has_emulator = true;
    assert_int_equal(xenfork__xen_suspend(&ctx, DOMID, 20), XENFORK_E_TIMEOUT);
    assert_non_null(strstr(ctx.error.remedy, "more time"));
    assert_false(info.is_shutdown);
}

/* The request goes with what it was for, if it can be seen by anybody. */
static void test_no_request_stays(void **state)
{
    (void)state;
    on_end = crash;
    assert_int_equal(xenfork__xen_suspend(&ctx, DOMID, 20000),
                     XENFORK_E_NOTRUNNING);
    assert_false(is_asked);
}

static int make_contended(void **state)
{
    is_contended = true;
    return setup(state);
}

static int make_free(void **state)
{
    (void)state;
    is_contended = false;
    return 0;
}

/* As if acknowledged: it is waited for, until it stops. */
static void test_request_in_dispute(void **state)
{
    (void)state;
    is_asked = true;
    info.is_shutdown = true;
    info.shutdown_reason = XENFORK__SHUTDOWN_SUSPEND;
    assert_int_equal(xenfork__xen_withdraw_suspend(&ctx, DOMID), 0);
    assert_in_range(commits, 2, 1000);
    assert_int_equal(xenfork__xen_acknowledge_suspend(&ctx, DOMID), 0);
}

static void test_transaction_in_dispute(void **state)
{
    (void)state;
    assert_int_equal(xenfork__xen_nic_set_bridge(&ctx, DOMID, 0, "br0"),
                     XENFORK_E_XEN);
    assert_int_equal(ctx.error.errnoval, EAGAIN);
    assert_in_range(commits, 2, 1000);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)
#define DISPUTE(name) \
    cmocka_unit_test_setup_teardown(name, make_contended, make_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ends),
        TEST(test_late),
        TEST(test_no_request_stays),
        DISPUTE(test_request_in_dispute),
        DISPUTE(test_transaction_in_dispute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
