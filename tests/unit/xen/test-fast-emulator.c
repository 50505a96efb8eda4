/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/fast-emulator.c, on stubs of QEMU, libxl and xenstore. */
#include "config.h"

#include "xen/fast.h"

#include <libxl_utils.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/outlive.h"
#include "host/qmp.h"
#include "xen/pipe.h"

#define PID 4711U

static struct xenfork__xen xen;
static xenfork_ctx ctx;
static char store[2048]; /* "TRANSACTION PATH=VALUE" of each write, in order */
static size_t used;
static bool is_listening, has_ended, was_told, is_closed;
static int transact_error, outlive_code;
static const char *status, *chardevs, *vnc;
static char asked[256]; /* each command that QEMU was given */

/* Stubs: xenstore. */

static void __attribute__((format(printf, 3, 0)))
log_write(uint32_t t, const char *value, const char *fmt, va_list ap)
{
    char path[256];

    vsnprintf(path, sizeof(path), fmt, ap);
    used += (size_t)snprintf(store + used, sizeof(store) - used, "%u %s=%s\n",
                             t, path, value);
}

void xenfork__pipe_write(xenfork_ctx *c, uint32_t t, const char *value,
                         const char *fmt, ...)
{
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    log_write(t, value, fmt, ap);
    va_end(ap);
}

void xenfork__pipe_mkdir(xenfork_ctx *c, uint32_t t, const char *fmt, ...)
{
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    log_write(t, "", fmt, ap);
    va_end(ap);
}

int xenfork__pipe_wait(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

int xenfork__pipe_transact(xenfork_ctx *c, xenfork__pipe_fill *fill,
                           const void *opaque)
{
    if (!transact_error)
        fill(c, 5, opaque);
    return transact_error;
}

int xenfork__xs_u32(xenfork_ctx *c, uint32_t *value_out, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    *value_out = (uint32_t)getpid();
    return 1;
}

int xenfork__xen_by_uuid(xenfork_ctx *c, const uint8_t uuid[16],
                         uint32_t *domid_out)
{
    if (!uuid[0])
        return xenfork__miss(c, XENFORK_E_NOTFOUND, "no domain");
    *domid_out = 3;
    return 0;
}

/* Stubs: libxl, and what it would start. */

int libxl_create_logfile(libxl_ctx *xl, const char *name, char **full_name)
{
    (void)xl;
    assert_string_equal(name, "qemu-dm-c1");
    *full_name = strdup("/dev/null");
    return 0;
}

bool libxl_defbool_is_default(libxl_defbool value)
{
    return !value.val;
}

bool libxl_defbool_val(libxl_defbool value)
{
    return value.val > 0;
}

static char **one_text(const char *text)
{
    char **texts = calloc(2, sizeof(*texts));

    texts[0] = strdup(text);
    return texts;
}

char **xenfork__fast_args(const struct xenfork__fast_clone *clone)
{
    (void)clone;
    return one_text("/usr/bin/qemu");
}

char **xenfork__fast_env(const struct xenfork__fast_clone *clone)
{
    (void)clone;
    return one_text("A=B");
}

void xenfork__fast_args_free(char **args)
{
    free(args[0]);
    free(args);
}

int xenfork__sys_outlive(xenfork_ctx *c, const struct xenfork__program *program,
                         int (*announce)(xenfork_ctx *ctx, void *opaque,
                                         uint32_t pid),
                         void *opaque)
{
    int rc = announce(c, opaque, PID);

    assert_string_equal(program->argv[0], "/usr/bin/qemu");
    assert_string_equal(program->env[0], "A=B");
    assert_int_equal(program->input, 9);
    assert_true(program->log >= 0);
    was_told = rc == 0;
    return rc == 0 ? outlive_code : rc;
}

bool xenfork__sys_is_running(uint32_t pid)
{
    assert_int_equal(pid, PID);
    return !has_ended;
}

/* Stubs: QMP. */

void xenfork__sys_qemu_close(xenfork_ctx *c)
{
    is_closed = true;
    c->qmp = NULL;
}

static yajl_val parse(const char *text)
{
    yajl_val tree = yajl_tree_parse(text, NULL, 0);

    assert_non_null(tree);
    return tree;
}

int xenfork__qmp_status(xenfork_ctx *c, uint32_t domid, char **status_out)
{
    assert_int_equal(domid, 7);
    *status_out = NULL;
    if (!is_listening)
        return 0;
    c->qmp = (struct xenfork__qmp *)(uintptr_t)1;
    *status_out = status ? strdup(status) : NULL;
    return 0;
}

int xenfork__qmp(xenfork_ctx *c, uint32_t domid, const char *command,
                 const char *arguments, yajl_val *reply_out)
{
    (void)c;
    (void)domid;
    assert_null(arguments);
    strcat(strcat(asked, command), " ");
    *reply_out = parse(!strcmp(command, "query-vnc") ? vnc : chardevs);
    return 0;
}

int xenfork__qmp_run(xenfork_ctx *c, uint32_t domid, const char *command,
                     const char *fmt, ...)
{
    va_list ap;
    size_t n;

    (void)c;
    (void)domid;
    strcat(strcat(asked, command), " ");
    n = strlen(asked);
    va_start(ap, fmt);
    vsnprintf(asked + n, sizeof(asked) - n, fmt, ap);
    va_end(ap);
    return 0;
}

char *xenfork__qmp_quote(const char *text)
{
    char *quoted;

    return asprintf(&quoted, "\"%s\"", text) < 0 ? NULL : quoted;
}

static libxl_domain_config config;
static struct xenfork__plan_configs configs;
static struct xenfork__plan plan = {.has_emulator = true, .configs = &configs};
static const struct xenfork__emulator_state state = {
    .fd = 9, .nodes = "physmap/f0/size\0001000", .nodes_bytes = 21};

static int setup(void **unused)
{
    (void)unused;
    memset(&config, 0, sizeof(config));
    memset(&configs, 0, sizeof(configs));
    ctx = (xenfork_ctx){.xen = &xen, .domid = XENFORK_DOMID_NONE};
    config.c_info.name = (char *)(uintptr_t) "c1";
    config.b_info.u.hvm.vnc.enable.val = 1;
    configs.clone = (struct xenfork__fast_clone){.config = &config, .domid = 7};
    store[0] = asked[0] = '\0';
    used = 0;
    is_listening = true;
    has_ended = was_told = is_closed = false;
    transact_error = outlive_code = 0;
    status = "running";
    chardevs = "{\"return\":["
               "{\"label\":\"libxl-cmd\",\"filename\":\"unix:/x\"},"
               "{\"label\":\"serial0\",\"filename\":\"pty:/dev/pts/5\"},"
               "{\"label\":\"serialx\",\"filename\":\"pty:/dev/pts/6\"},"
               "{\"label\":\"serial1\",\"filename\":\"null\"}]}";
    vnc = "{\"return\":{\"enabled\":true,\"host\":\"127.0.0.1\","
          "\"service\":\"5903\"}}";
    return 0;
}

/* What QEMU reads, and its process id: in one transaction, before it is. */
static void test_announced(void **unused)
{
    (void)unused;
    assert_int_equal(xenfork__xen_fast_emulator(&ctx, &plan, &state), 0);
    assert_true(was_told);
    assert_int_equal(configs.clone.pid, PID);
    assert_string_equal(
        store, "5 /local/domain/0/device-model/7=\n"
               "5 /local/domain/0/device-model/7/physmap/f0/size=1000\n"
               "5 /local/domain/7/image/device-model-pid=4711\n");
}

static void test_not_announced(void **unused)
{
    (void)unused;
    transact_error = EIO;
    assert_int_equal(xenfork__xen_fast_emulator(&ctx, &plan, &state),
                     XENFORK_E_XEN);
    assert_false(was_told);
    assert_int_equal(configs.clone.pid, 0);
}

static void start(void)
{
    assert_int_equal(xenfork__xen_fast_emulator(&ctx, &plan, &state), 0);
    used = 0;
    store[0] = '\0';
}

static bool is_up(void)
{
    bool is = false;

    assert_int_equal(xenfork__xen_fast_serve(&ctx, &plan, &is), 0);
    assert_null(ctx.qmp); /* each clone has a connection of its own */
    return is;
}

static void test_waits(void **unused)
{
    (void)unused;
    start();
    is_listening = false;
    assert_false(is_up());
    is_listening = true;
    status = NULL;
    assert_false(is_up());
    assert_non_null(configs.clone.qmp);
    status = "inmigrate";
    assert_false(is_up());
    assert_string_equal(store, "");
    assert_string_equal(asked, "");
}

static void test_runs(void **unused)
{
    (void)unused;
    start();
    assert_true(is_up());
    assert_string_equal(store,
                        "0 /local/domain/7/serial/0/tty=/dev/pts/5\n"
                        "0 /local/domain/7/console/vnc-listen=127.0.0.1\n"
                        "0 /local/domain/7/console/vnc-port=5903\n");
    assert_true(is_closed);
    assert_null(configs.clone.qmp);
}

static void test_password(void **unused)
{
    (void)unused;
    start();
    config.b_info.u.hvm.vnc.passwd = (char *)(uintptr_t) "secret";
    assert_true(is_up());
    assert_non_null(strstr(asked, "change-vnc-password "
                                  "{\"password\":\"secret\"}"));
    assert_non_null(strstr(store, "/console/vnc-pass=secret\n"));
}

static void test_no_display(void **unused)
{
    (void)unused;
    start();
    config.b_info.u.hvm.vnc.enable.val = -1;
    assert_true(is_up());
    assert_string_equal(asked, "query-chardev ");
}

static void fails(int code, const char *text)
{
    bool is = false;

    assert_int_equal(xenfork__xen_fast_serve(&ctx, &plan, &is), code);
    assert_non_null(strstr(xenfork_error_text(&ctx), text));
    assert_null(ctx.qmp);
    assert_null(configs.clone.qmp);
}

static void test_ends(void **unused)
{
    (void)unused;
    start();
    status = "inmigrate";
    has_ended = true;
    fails(XENFORK_E_XEN, "the device model of the clone c1 has ended");
    assert_non_null(strstr(xenfork_error_remedy(&ctx), "qemu-dm-c1.log"));
}

static void test_too_late(void **unused)
{
    (void)unused;
    start();
    status = NULL;
    configs.clone.due_ns = 1;
    fails(XENFORK_E_TIMEOUT, "does not start");
}

static void test_odd_replies(void **unused)
{
    (void)unused;
    start();
    chardevs = "{\"return\":{}}";
    fails(XENFORK_E_XEN, "unexpected reply");
    setup(NULL);
    start();
    vnc = "{\"return\":{\"enabled\":true}}";
    fails(XENFORK_E_XEN, "unexpected reply");
}

/* The program of a process that is there: ours. */
static void test_program(void **unused)
{
    uint8_t uuid[16] = {1};
    char *program = xenfork__fast_program(&ctx, uuid);

    (void)unused;
    if (program) /* started by an absolute path */
        assert_int_equal(program[0], '/');
    free(program);
    uuid[0] = 0;
    assert_null(xenfork__fast_program(&ctx, uuid));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_announced), TEST(test_not_announced), TEST(test_waits),
        TEST(test_runs),      TEST(test_password),      TEST(test_no_display),
        TEST(test_ends),      TEST(test_too_late),      TEST(test_odd_replies),
        TEST(test_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
