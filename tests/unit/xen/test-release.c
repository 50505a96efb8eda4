/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/release.c, on stubs of xenstore and the kernel. */
#include "config.h"

#include "xen/hotplug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/host.h"
#include "xen/hotplug-scripts.h"
#include "xen/pipe.h"

#define VBD "/local/domain/0/backend/vbd/7/51712/"
#define VIF "/local/domain/0/backend/vif/7/0/"

static xenfork_ctx ctx;
static struct xenfork__xen xen;
static char file[] = "/tmp/xenfork-release-XXXXXX";
static char done[1024]; /* all that was done, in its order */
static struct {
    const char *path, *value;
} nodes[8];
static unsigned int known, answers;
static int transact_errno;

static void node(size_t i, const char *path, const char *value)
{
    nodes[i].path = path;
    nodes[i].value = value;
}

/* A domain with a console, a disk of a file, and a NIC. */
static int setup(void **state)
{
    (void)state;
    memset(nodes, 0, sizeof(nodes));
    node(0, "/libxl/7/device", "console vbd vif");
    node(1, "/libxl/7/device/vbd", "51712");
    node(2, "/libxl/7/device/vif", "0");
    node(3, VBD "script", XEN_SCRIPT_DIR "/block");
    node(4, VBD "params", file);
    node(5, VBD "node", "/dev/loop3");
    node(6, VIF "script", XEN_SCRIPT_DIR "/vif-bridge");
    known = XENFORK__HOTPLUG_BLOCK | XENFORK__HOTPLUG_BRIDGE;
    answers = 2;
    transact_errno = 0;
    done[0] = '\0';
    ctx.xen = &xen;
    return 0;
}

static void __attribute__((format(printf, 1, 2))) note(const char *fmt, ...)
{
    size_t length = strlen(done);
    va_list args;

    va_start(args, fmt);
    vsnprintf(done + length, sizeof(done) - length, fmt, args);
    va_end(args);
    strncat(done, ";", sizeof(done) - strlen(done) - 1);
}

static const char *find(const char *path)
{
    size_t i;

    for (i = 0; i < ARRAY_SIZE(nodes); i++)
        if (nodes[i].path && !strcmp(nodes[i].path, path))
            return nodes[i].value;
    errno = ENOENT;
    return NULL;
}

/* Stubs. */

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    const char *value;
    char path[128];
    va_list args;

    (void)c;
    (void)t;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    value = find(path);
    return value ? strdup(value) : NULL;
}

/* As libxenstore: one block of memory. */
char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    char path[128], *text, *word, **list;
    const char *value;
    va_list args;

    (void)c;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    *count_out = 0;
    if (!(value = find(path)) || !(list = calloc(40, sizeof(*list) + 16)))
        return NULL;
    text = strcpy((char *)(list + 40), value);
    while ((word = strsep(&text, " ")))
        list[(*count_out)++] = word;
    return list;
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

unsigned int xenfork__hotplug_look(xenfork_ctx *c)
{
    (void)c;
    return known;
}

bool xenfork__hotplug_is_stock(const char *script, const char *name)
{
    const char *dir = XEN_SCRIPT_DIR "/";

    return !strncmp(script, dir, strlen(dir)) &&
           !strcmp(script + strlen(dir), name);
}

int xc_domain_pause(xc_interface *xch, uint32_t domid)
{
    (void)xch;
    note("pause %u", domid);
    return 0;
}

void xenfork__sys_remove_loop(const char *loop, const char *of)
{
    note("drop %s %s", loop, strcmp(of, file) ? of : "FILE");
}

bool xenfork__sys_has_backend(const char *name)
{
    note("wait %s", name);
    return answers && answers-- > 1;
}

void xenfork__pipe_rm(xenfork_ctx *c, uint32_t transaction, const char *fmt,
                      ...)
{
    char path[128];
    va_list args;

    (void)c;
    assert_int_equal(transaction, 5);
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    note("rm %s", path);
}

int xenfork__pipe_transact(xenfork_ctx *c, xenfork__pipe_fill *fill,
                           const void *opaque)
{
    if (!transact_errno)
        fill(c, 5, opaque);
    return transact_errno;
}

/* Tests. */

static void test_all_at_once(void **state)
{
    (void)state;
    assert_true(xenfork__release_devices(&ctx, 7));
    assert_string_equal(done,
                        "pause 7;drop /dev/loop3 FILE;"
                        "rm /local/domain/0/backend/vbd/7/51712;"
                        "rm /libxl/7/device/vbd/51712;"
                        "rm /local/domain/0/backend/vif/7/0;"
                        "rm /libxl/7/device/vif/0;"
                        "rm /local/domain/0/backend/vbd/7;"
                        "rm /local/domain/0/backend/vif/7;"
                        "wait vbd-7-51712;wait vbd-7-51712;wait vif-7-0;");
}

/* Change one thing: then nothing is done, and libxl does it all. */
static void test_left_to_libxl(void **state)
{
    static const struct {
        size_t i;
        const char *path, *value;
    } cases[] = {
        {0, "/libxl/7/device", "console vkb vbd vif"},
        {0, "/libxl/7/device", "console"},
        {0, NULL, NULL},
        {1, "/libxl/7/device/vbd", "x"},
        {3, VBD "script", "/etc/xen/mine/block"},
        {3, NULL, NULL}, /* qdisk's backend is elsewhere */
        {4, VBD "params", "/nowhere"},
        {4, VBD "params", "/dev/null"},
        {5, NULL, NULL}, /* a file, and no loop device */
        {6, VIF "script", XEN_SCRIPT_DIR "/vif-openvswitch"},
        {7, VIF "vifname", "web"},
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        node(cases[i].i, cases[i].path, cases[i].value);
        if (xenfork__release_devices(&ctx, 7) || done[0])
            fail_msg("case %zu: %s", i, done);
    }
    for (i = 0; i < 3; i++) {
        setup(state);
        known = (unsigned int)i; /* scripts that are somebody's own */
        assert_false(xenfork__release_devices(&ctx, 7));
        assert_string_equal(done, "");
    }
}

static void test_too_many(void **state)
{
    char devids[40 * 3 + 1] = "0";
    int i;

    (void)state;
    for (i = 1; i < 33; i++)
        snprintf(devids + strlen(devids), 4, " %d", i);
    node(0, "/libxl/7/device", "vif");
    node(2, "/libxl/7/device/vif", devids);
    assert_false(xenfork__release_devices(&ctx, 7));
    assert_string_equal(done, "");
}

static void test_refused(void **state)
{
    (void)state;
    transact_errno = ENOSPC;
    assert_false(xenfork__release_devices(&ctx, 7));
    assert_string_equal(done, "pause 7;drop /dev/loop3 FILE;");
}

static void test_never_let_go(void **state)
{
    uint64_t start_ns = xenfork__now_ns();

    (void)state;
    answers = UINT32_MAX;
    assert_true(xenfork__release_devices(&ctx, 7));
    assert_true(xenfork__now_ns() - start_ns >= 20000000U);
    assert_null(strstr(done, "wait vif"));
}

static int make_file(void **state)
{
    int fd = mkstemp(file);

    (void)state;
    close(fd);
    return fd < 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_all_at_once, setup),
        cmocka_unit_test_setup(test_left_to_libxl, setup),
        cmocka_unit_test_setup(test_too_many, setup),
        cmocka_unit_test_setup(test_refused, setup),
        cmocka_unit_test_setup(test_never_let_go, setup),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
