/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU of an HVM clone that libxl does not restore: started when the clone
 * has its memory, because QEMU maps a frame buffer as it loads its state, and
 * seen to until it runs (libxl__spawn_local_dm(), device_model_spawn_outcome()
 * and what follows in libxl_dm.c, 4.17 and 4.20).
 */
#include "xen/fast.h"

#include <fcntl.h>
#include <inttypes.h>
#include <libxl_utils.h>
#include <string.h>

#include "host/outlive.h"
#include "host/qmp.h"
#include "xen/pipe.h"

#define START_S        300U /* several load beside each other; libxl waits for 60 */
#define MAX_PATH_CHARS 4096U
#define DOM            "/local/domain/%" PRIu32
#define MODEL          "/local/domain/0/device-model/%" PRIu32

/* Return the program of the process; caller frees.  NULL: not known */
static char *read_program(uint32_t pid)
{
    char path[64], program[MAX_PATH_CHARS] = "";
    cleanup_close int fd = -1;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/cmdline", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, program, sizeof(program) - 1) <= 0 ||
        program[0] != '/' || access(program, X_OK))
        return NULL;
    return strdup(program);
}

char *xenfork__fast_program(xenfork_ctx *ctx, const uint8_t source[16])
{
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    uint32_t domid, pid;
    char *program = NULL;

    if (xenfork__xen_by_uuid(ctx, source, &domid) == 0 &&
        xenfork__xs_u32(ctx, &pid, DOM "/image/device-model-pid", domid) == 1)
        program = read_program(pid);
    return program;
}

struct announced {
    const struct xenfork__fast_clone *clone;
    const struct xenfork__emulator_state *state;
    uint32_t pid;
};

/* Put what QEMU reads as it starts, and by what libxl ends it. */
static void put_emulator_nodes(xenfork_ctx *ctx, uint32_t t, const void *opaque)
{
    const struct announced *a = opaque;
    const char *at = a->state->nodes;
    const char *end = at ? at + a->state->nodes_bytes : at;
    uint32_t domid = a->clone->domid;
    char text[16];

    xenfork__pipe_mkdir(ctx, t, MODEL, domid);
    while (at < end) { /* each text ends with a NUL: op/stream-read.c */
        const char *value = at + strlen(at) + 1;

        xenfork__pipe_write(ctx, t, value, MODEL "/%s", domid, at);
        at = value + strlen(value) + 1;
    }
    snprintf(text, sizeof(text), "%" PRIu32, a->pid);
    xenfork__pipe_write(ctx, t, text, DOM "/image/device-model-pid", domid);
}

static int announce(xenfork_ctx *ctx, void *opaque, uint32_t pid)
{
    struct announced *a = opaque;
    int e;

    a->pid = pid;
    e = xenfork__pipe_transact(ctx, put_emulator_nodes, a);
    return e ? xenfork__fail(ctx, XENFORK_E_XEN, e,
                             "domain %u: cannot write its device model into "
                             "xenstore",
                             a->clone->domid)
             : 0;
}

/* Open its log, as libxl names it. */
static int open_log(xenfork_ctx *ctx, const char *name, int *fd_out)
{
    cleanup_free char *path = NULL;
    char log[XENFORK__NAME_MAX + 16];
    int fd;

    snprintf(log, sizeof(log), "qemu-dm-%s", name);
    fd = libxl_create_logfile(ctx->xen->xl, log, &path)
             ? -1
             : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot open a log for the device model of %s",
                             name);
    *fd_out = fd;
    return 0;
}

int xenfork__xen_fast_emulator(xenfork_ctx *ctx, struct xenfork__plan *plan,
                               const struct xenfork__emulator_state *state)
{
    struct xenfork__fast_clone *clone = &plan->configs->clone;
    struct announced a = {.clone = clone, .state = state};
    char **args = xenfork__fast_args(clone), **env = xenfork__fast_env(clone);
    struct xenfork__program program = {
        .argv = args, .env = env, .log = -1, .input = state->fd};
    int rc = 0;

    LOG_DEBUG(ctx, "domain %u: starting its device model", clone->domid);
    if (!args || !env)
        rc = xenfork__nomem(ctx);
    if (rc == 0)
        rc = open_log(ctx, clone->config->c_info.name, &program.log);
    if (rc == 0)
        rc = xenfork__sys_outlive(ctx, &program, announce, &a);
    if (rc == 0) {
        clone->pid = a.pid;
        clone->due_ns = xenfork__now_ns() + START_S * UINT64_C(1000000000);
    }
    xenfork__close_fd(&program.log);
    xenfork__fast_args_free(args);
    xenfork__fast_args_free(env);
    return rc;
}

static yajl_val member_of(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};

    return yajl_tree_get(object, path, yajl_t_any);
}

static const char *text_of(yajl_val object, const char *name)
{
    yajl_val value = member_of(object, name);

    return YAJL_IS_STRING(value) ? YAJL_GET_STRING(value) : NULL;
}

static int odd_reply(xenfork_ctx *ctx, uint32_t domid)
{
    return xenfork__fail(ctx, XENFORK_E_XEN, 0,
                         "QEMU of domain %u sent an unexpected reply", domid);
}

/* Put the terminals of its serial ports. */
static int put_serials(xenfork_ctx *ctx, uint32_t domid)
{
    cleanup_reply yajl_val reply = NULL;
    yajl_val list;
    uint32_t port;
    size_t i;
    int rc = xenfork__qmp(ctx, domid, "query-chardev", NULL, &reply);

    if (rc < 0)
        return rc;
    list = member_of(reply, "return");
    if (!YAJL_IS_ARRAY(list))
        return odd_reply(ctx, domid);
    for (i = 0; i < list->u.array.len; i++) {
        const char *label = text_of(list->u.array.values[i], "label");
        const char *file = text_of(list->u.array.values[i], "filename");

        if (label && file && !strncmp(label, "serial", 6) &&
            xenfork__parse_u32(label + 6, &port) && !strncmp(file, "pty:", 4))
            xenfork__pipe_write(ctx, 0, file + 4, DOM "/serial/%" PRIu32 "/tty",
                                domid, port);
    }
    return 0;
}

static int set_password(xenfork_ctx *ctx, uint32_t domid, const char *password)
{
    cleanup_free char *quoted = xenfork__qmp_quote(password);
    int rc;

    if (!quoted)
        return xenfork__nomem(ctx);
    rc = xenfork__qmp_run(ctx, domid, "change-vnc-password",
                          "{\"password\":%s}", quoted);
    if (rc == 0)
        xenfork__pipe_write(ctx, 0, password, DOM "/console/vnc-pass", domid);
    return rc;
}

/* Put where its display is. */
static int put_vnc(xenfork_ctx *ctx, uint32_t domid, const libxl_vnc_info *vnc)
{
    cleanup_reply yajl_val reply = NULL;
    const char *host, *port;
    yajl_val answer;
    int rc = xenfork__qmp(ctx, domid, "query-vnc", NULL, &reply);

    if (rc < 0)
        return rc;
    answer = member_of(reply, "return");
    host = text_of(answer, "host");
    port = text_of(answer, "service");
    if (YAJL_IS_TRUE(member_of(answer, "enabled"))) {
        if (!host || !port)
            return odd_reply(ctx, domid);
        xenfork__pipe_write(ctx, 0, host, DOM "/console/vnc-listen", domid);
        xenfork__pipe_write(ctx, 0, port, DOM "/console/vnc-port", domid);
    }
    return vnc->passwd && *vnc->passwd ? set_password(ctx, domid, vnc->passwd)
                                       : 0;
}

/* Put what is known of a QEMU when it runs. */
static int put_running(xenfork_ctx *ctx,
                       const struct xenfork__fast_clone *clone)
{
    const libxl_vnc_info *vnc = &clone->config->b_info.u.hvm.vnc;
    uint32_t domid = clone->domid;
    int e, rc = put_serials(ctx, domid);

    if (rc == 0 && xenfork__xl_is_true(vnc->enable))
        rc = put_vnc(ctx, domid, vnc);
    e = xenfork__pipe_wait(ctx);
    return rc == 0 && e ? xenfork__fail(ctx, XENFORK_E_XEN, e,
                                        "domain %u: cannot write its display "
                                        "into xenstore",
                                        domid)
                        : rc;
}

/* Ask whether it has loaded its state, and runs, without waiting. */
static int ask_is_running(xenfork_ctx *ctx, uint32_t domid, bool *is_out)
{
    cleanup_free char *status = NULL;
    int rc = xenfork__qmp_status(ctx, domid, &status);

    *is_out = status && !strcmp(status, "running");
    return rc;
}

static int see_to(xenfork_ctx *ctx, const struct xenfork__fast_clone *clone,
                  bool *is_up_out)
{
    const char *name = clone->config->c_info.name;
    int rc = ask_is_running(ctx, clone->domid, is_up_out);

    if (rc == 0 && *is_up_out) {
        LOG_DEBUG(ctx, "domain %u: its device model runs", clone->domid);
        rc = put_running(ctx, clone);
        xenfork__sys_qemu_close(ctx);
    } else if (rc == 0 && !xenfork__sys_is_running(clone->pid)) {
        xenfork__fail(ctx, XENFORK_E_XEN, 0,
                      "the device model of the clone %s has ended", name);
        rc = xenfork__remedy(ctx, "see /var/log/xen/qemu-dm-%s.log", name);
    } else if (rc == 0 && xenfork__now_ns() >= clone->due_ns) {
        rc = xenfork__fail(ctx, XENFORK_E_TIMEOUT, 0,
                           "the device model of the clone %s does not start",
                           name);
    }
    return rc;
}

/* Swap the clone's connection and the context's. */
static void swap_connections(xenfork_ctx *ctx,
                             struct xenfork__fast_clone *clone)
{
    struct xenfork__qmp *qmp = ctx->qmp;

    ctx->qmp = clone->qmp;
    clone->qmp = qmp;
}

int xenfork__xen_fast_serve(xenfork_ctx *ctx, struct xenfork__plan *plan,
                            bool *is_up_out)
{
    struct xenfork__fast_clone *clone = &plan->configs->clone;
    int rc;

    swap_connections(ctx, clone);
    rc = see_to(ctx, clone, is_up_out);
    if (rc < 0)
        xenfork__sys_qemu_close(ctx);
    swap_connections(ctx, clone);
    return rc;
}
