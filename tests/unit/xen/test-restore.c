/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/restore.c, on stubs of libxl: clones that it makes side by side. */
#include "config.h"

#include "xen/hotplug.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "host/host.h"

#define FIRST 7U /* domid of the first clone */

static struct xenfork__xen xen;
static xenfork_ctx ctx;
static char source_name[] = "src", source_json[] = "{}";
static const struct xenfork__config source = {.name = source_name,
                                              .json = source_json};

/* What libxl is asked for, in this order. */
static struct started {
    uint8_t uuid[16];
    const libxl_domain_config *config;
    uint32_t *domid_out;
    struct xenfork__op *op;
    bool is_loaded, is_populated, is_running, is_aborted;
} started[4];
static uint32_t count;
static libxl_domain_type type;
static int start_code, populate_code;
static uint32_t left; /* a domain that is still there; 0: none */
static struct xenfork__qmp *asked[4]; /* by which connection; domid - FIRST */

static int setup(void **state)
{
    (void)state;
    memset(started, 0, sizeof(started));
    memset(asked, 0, sizeof(asked));
    ctx = (xenfork_ctx){.xen = &xen, .domid = XENFORK_DOMID_NONE};
    count = left = 0;
    start_code = populate_code = 0;
    type = LIBXL_DOMAIN_TYPE_HVM;
    return 0;
}

/* Stubs: libxl. */

void libxl_domain_config_init(libxl_domain_config *config)
{
    memset(config, 0, sizeof(*config));
}

void libxl_domain_config_dispose(libxl_domain_config *config)
{
    char **extra = config->b_info.extra;
    size_t i;

    for (i = 0; extra && extra[i]; i++)
        free(extra[i]);
    free(extra);
    free(config->c_info.name);
}

int libxl_domain_config_from_json(libxl_ctx *xl, libxl_domain_config *config,
                                  const char *json)
{
    (void)xl;
    (void)json;
    config->c_info.type = type;
    config->c_info.name = strdup("src");
    config->b_info.extra = calloc(2, sizeof(char *));
    config->b_info.extra[0] = strdup("-nodefaults");
    return 0;
}

char *libxl_domain_config_to_json(libxl_ctx *xl, libxl_domain_config *config)
{
    (void)xl;
    /* It is the clone's record, which must not have it wait. */
    assert_null(config->b_info.extra[1]);
    return strdup(config->c_info.name);
}

bool libxl_ms_vm_genid_is_zero(const libxl_ms_vm_genid *id)
{
    (void)id;
    return true;
}

int libxl_ms_vm_genid_generate(libxl_ctx *xl, libxl_ms_vm_genid *id)
{
    (void)xl;
    (void)id;
    return ERROR_FAIL;
}

uint8_t *libxl_uuid_bytearray(libxl_uuid *uuid)
{
    return uuid->uuid;
}

void libxl_defbool_set(libxl_defbool *value, bool to)
{
    value->val = to;
}

void libxl_device_disk_dispose(libxl_device_disk *disk)
{
    (void)disk;
}

void libxl_domain_restore_params_init(libxl_domain_restore_params *params)
{
    memset(params, 0, sizeof(*params));
}

void libxl_domain_restore_params_dispose(libxl_domain_restore_params *params)
{
    (void)params;
}

int libxl_domain_create_restore(libxl_ctx *xl, libxl_domain_config *config,
                                uint32_t *domid, int restore_fd,
                                int send_back_fd,
                                const libxl_domain_restore_params *params,
                                const libxl_asyncop_how *how,
                                const libxl_asyncprogress_how *progress)
{
    struct started *s = &started[count++];

    (void)xl;
    (void)progress;
    assert_int_equal(send_back_fd, -1);
    assert_int_equal(params->stream_version, 2);
    assert_true(fcntl(restore_fd, F_GETFD) >= 0);
    memcpy(s->uuid, config->c_info.uuid.uuid, 16);
    s->config = config;
    s->domid_out = domid;
    s->op = how->u.for_callback;
    return start_code;
}

int libxl_ao_abort(libxl_ctx *xl, const libxl_asyncop_how *how)
{
    struct xenfork__op *op = how->u.for_callback;
    uint32_t i;

    (void)xl;
    for (i = 0; started[i].op != op; i++)
        ;
    started[i].is_aborted = op->is_done = true;
    op->rc = ERROR_ABORTED;
    return 0;
}

/* Stubs: the rest of xen/. */

void xenfork__op_init(struct xenfork__op *op)
{
    memset(op, 0, sizeof(*op));
    op->how.u.for_callback = op;
}

void xenfork__op_turn(xenfork_ctx *c)
{
    (void)c;
}

int xenfork__op_wait(xenfork_ctx *c, struct xenfork__op *op, int r)
{
    (void)c;
    assert_int_equal(r, 0);
    assert_true(op->is_done);
    return op->rc;
}

int xenfork__xen_by_uuid(xenfork_ctx *c, const uint8_t uuid[16],
                         uint32_t *domid_out)
{
    uint32_t i;

    (void)c;
    for (i = 0; i < count; i++)
        if (!memcmp(started[i].uuid, uuid, 16)) {
            *domid_out = FIRST + i;
            return 0;
        }
    return XENFORK_E_NOTFOUND;
}

int xenfork__xen_info(xenfork_ctx *c, uint32_t domid,
                      struct xenfork__dominfo *info_out)
{
    if (domid != left)
        return xenfork__miss(c, XENFORK_E_NOTFOUND, "no domain %u", domid);
    memset(info_out, 0, sizeof(*info_out));
    memcpy(info_out->uuid, started[domid - FIRST].uuid, 16);
    return 0;
}

int xenfork__xen_destroy(xenfork_ctx *c, uint32_t domid)
{
    return xenfork__fail(c, XENFORK_E_XEN, 0, "domain %u stays", domid);
}

/* A connection for each, which the next question comes by, too. */
int xenfork__xen_emulator_is_loaded(xenfork_ctx *c, uint32_t domid,
                                    bool *is_out)
{
    uint32_t i = domid - FIRST;

    assert_ptr_equal(c->qmp, asked[i]);
    if (!c->qmp)
        c->qmp = asked[i] = malloc(1);
    *is_out = started[i].is_loaded;
    return 0;
}

int xenfork__xen_emulator_run(xenfork_ctx *c, uint32_t domid)
{
    assert_true(started[domid - FIRST].is_populated);
    started[domid - FIRST].is_running = true;
    xenfork__sys_qemu_close(c);
    return 0;
}

void xenfork__sys_qemu_close(xenfork_ctx *c)
{
    free(c->qmp);
    c->qmp = NULL;
}

void xenfork__hotplug_use(xenfork_ctx *c, libxl_domain_config *config,
                          const struct xenfork__nic *nics)
{
    (void)c;
    (void)config;
    (void)nics;
}

int xenfork__hotplug_check(xenfork_ctx *c, uint32_t domid)
{
    (void)c;
    (void)domid;
    return 0;
}

static int populate(void *opaque, uint32_t domid)
{
    assert_ptr_equal(opaque, &ctx);
    assert_false(started[domid - FIRST].is_running);
    if (populate_code < 0)
        return xenfork__fail(&ctx, populate_code, 0, "no memory");
    started[domid - FIRST].is_populated = true;
    return 0;
}

/* Begin with a clone; its files are closed when it ends. */
static struct xenfork__restore *begin(uint8_t number)
{
    const uint8_t uuid[16] = {number};
    const struct xenfork__clone_config clone = {
        .name = "c", .uuid = uuid, .populate = populate, .opaque = &ctx};
    struct xenfork__restore *restore = NULL;

    assert_int_equal(xenfork__xen_restore_begin(&ctx, &source, &clone,
                                                open("/dev/null", O_RDONLY),
                                                &restore),
                     0);
    return restore;
}

static void done(uint32_t i, int code)
{
    started[i].op->is_done = true;
    started[i].op->rc = code;
    *started[i].domid_out = FIRST + i;
}

static bool serve(struct xenfork__restore *restore)
{
    bool is_done;

    assert_int_equal(xenfork__xen_restore_serve(&ctx, restore, &is_done), 0);
    assert_null(ctx.qmp);
    return is_done;
}

static void end(struct xenfork__restore *restore, int code, uint32_t wanted)
{
    cleanup_free char *json = NULL;
    uint32_t domid = XENFORK_DOMID_NONE;

    assert_int_equal(xenfork__xen_restore_end(&ctx, restore, &json, &domid),
                     code);
    assert_int_equal(domid, code ? XENFORK_DOMID_NONE : wanted);
    if (code)
        assert_null(json);
    else
        assert_string_equal(json, "c");
}

static void test_side_by_side(void **state)
{
    struct xenfork__restore *a = begin(1), *b = begin(2);

    (void)state;
    assert_string_equal(started[0].config->b_info.extra[0], "-nodefaults");
    assert_string_equal(started[0].config->b_info.extra[1], "-S");
    assert_false(serve(a) || serve(b) || serve(a) || serve(b));
    assert_non_null(asked[0]);
    assert_non_null(asked[1]);
    started[1].is_loaded = true;
    assert_false(serve(a) || serve(b) || serve(b));
    assert_true(started[1].is_running);
    assert_false(started[0].is_populated);
    done(1, 0);
    assert_true(serve(b));
    end(b, 0, FIRST + 1);
    started[0].is_loaded = true;
    assert_false(serve(a));
    assert_true(started[0].is_running);
    done(0, 0);
    assert_true(serve(a));
    end(a, 0, FIRST);
}

/* A QEMU that serves a disk alone is not to wait. */
static void test_no_emulator(void **state)
{
    struct xenfork__restore *a;

    (void)state;
    type = LIBXL_DOMAIN_TYPE_PVH;
    a = begin(1);
    assert_null(started[0].config->b_info.extra[1]);
    started[0].is_loaded = true;
    assert_false(serve(a) || serve(a));
    assert_null(asked[0]);
    assert_false(started[0].is_populated);
    done(0, 0);
    end(a, 0, FIRST);
}

static void test_not_started(void **state)
{
    struct xenfork__restore *a;

    (void)state;
    start_code = ERROR_INVAL;
    a = begin(1);
    assert_true(serve(a));
    end(a, XENFORK_E_XEN, 0);
}

static void test_failed(void **state)
{
    struct xenfork__restore *a = begin(1), *b = begin(2);

    (void)state;
    done(0, ERROR_FAIL);
    assert_true(serve(a));
    end(a, XENFORK_E_XEN, 0);
    assert_non_null(strstr(ctx.error.text, "cannot create the clone c"));
    xenfork__xen_restore_stop(&ctx, b);
    assert_true(started[1].is_aborted);
    end(b, XENFORK_E_XEN, 0);
}

static void test_left(void **state)
{
    struct xenfork__restore *a = begin(1);

    (void)state;
    done(0, ERROR_FAIL);
    left = FIRST;
    end(a, XENFORK_E_RESIDUE, 0);
}

static void test_not_populated(void **state)
{
    struct xenfork__restore *a = begin(1);
    bool is_done;

    (void)state;
    assert_false(serve(a));
    started[0].is_loaded = true;
    populate_code = XENFORK_E_HOSTMEM;
    assert_int_equal(xenfork__xen_restore_serve(&ctx, a, &is_done),
                     XENFORK_E_HOSTMEM);
    assert_null(ctx.qmp);
    assert_false(started[0].is_running);
    xenfork__xen_restore_stop(&ctx, a);
    end(a, XENFORK_E_XEN, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_side_by_side), TEST(test_no_emulator),
        TEST(test_not_started),  TEST(test_failed),
        TEST(test_left),         TEST(test_not_populated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
