/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxenfork's interface for the tests of the verbs: no Xen, no state.  What
 * is asked of it goes to the file named by $FAKE_LOG, a line a call.  One
 * source, "web1" (domid 3), and a list of one image and one clone.
 * $FAKE_FAIL=CALL:CODE makes a call fail.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenfork.h>

#include "xl-plugin/daemon-hint.h"

#define MADE 1700000000

static int dummy;
static uint32_t clones;
static bool has_waited;
static xenfork_progress_fn *draw;

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* $FAKE_PID_FILE: whether the daemon runs is asked only where it is set. */
static void __attribute__((constructor)) set_pid_file(void)
{
    daemon_pid_file = getenv("FAKE_PID_FILE");
}

static void note(const char *format, ...)
{
    const char *path = getenv("FAKE_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    va_list al;

    if (!file)
        return;
    va_start(al, format);
    vfprintf(file, format, al);
    va_end(al);
    fputc('\n', file);
    fclose(file);
}

static int fails(const char *call)
{
    const char *fail = getenv("FAKE_FAIL");
    size_t len = strlen(call);

    if (!fail || strncmp(fail, call, len) != 0 || fail[len] != ':')
        return 0;
    return atoi(fail + len + 1);
}

/* 4294967295 is hard to read */
static const char *show(uint32_t index)
{
    static char texts[4][16];
    static unsigned int next;
    char *text = texts[next++ % 4];

    if (index == XENFORK_ALL)
        strcpy(text, "all");
    else
        snprintf(text, sizeof(texts[0]), "%" PRIu32, index);
    return text;
}

int xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                 uint32_t flags)
{
    (void)logger;
    (void)flags;
    if (fails("open"))
        return fails("open");
    *ctx_out = (xenfork_ctx *)&dummy;
    return 0;
}

void xenfork_close(xenfork_ctx *ctx)
{
    (void)ctx;
}

void xenfork_cancel(xenfork_ctx *ctx)
{
    (void)ctx;
}

void xenfork_set_progress(xenfork_ctx *ctx, xenfork_progress_fn *progress,
                          void *opaque)
{
    (void)ctx;
    (void)opaque;
    draw = progress;
}

int xenfork_error_errno(const xenfork_ctx *ctx)
{
    (void)ctx;
    return 0;
}

const char *xenfork_error_text(const xenfork_ctx *ctx)
{
    (void)ctx;
    return "the fake fails";
}

const char *xenfork_error_remedy(const xenfork_ctx *ctx)
{
    (void)ctx;
    return "try the real one";
}

const char *xenfork_code_name(int code)
{
    return code == XENFORK_E_PV ? "PV" : "UNKNOWN";
}

const char *xenfork_stage_name(int stage)
{
    if (stage == XENFORK_STAGE_READY)
        return "ready";
    return stage == XENFORK_STAGE_STUN ? "stun" : "total";
}

const char *xenfork_count_name(int counter)
{
    static const char *const names[] = {"pages_shared", "pages_copied",
                                        "hypercalls", "processes",
                                        "xenstore_ops"};

    return names[counter];
}

int xenfork_find(xenfork_ctx *ctx, const char *name, uint32_t *domid_out)
{
    (void)ctx;
    if (strcmp(name, "web1") != 0 && strcmp(name, "3") != 0)
        return XENFORK_E_NOTFOUND;
    *domid_out = 3;
    return 0;
}

int xenfork_spec_new(uint32_t count, xenfork_spec **spec_out)
{
    note("new %" PRIu32, count);
    clones = count;
    *spec_out = (xenfork_spec *)&dummy;
    return 0;
}

void xenfork_spec_free(xenfork_spec *spec)
{
    (void)spec;
}

int xenfork_spec_set_name(xenfork_spec *spec, uint32_t clone, const char *name)
{
    (void)spec;
    note("name %s %s", show(clone), name);
    return strlen(name) > 63 ? XENFORK_E_INVAL : 0;
}

int xenfork_spec_set_uuid(xenfork_spec *spec, uint32_t clone,
                          const uint8_t uuid[16])
{
    (void)spec;
    note("uuid %s %02x..%02x", show(clone), uuid[0], uuid[15]);
    return 0;
}

int xenfork_spec_set_nic_mac(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                             const uint8_t mac[6])
{
    (void)spec;
    note("mac %s %s %02x..%02x", show(clone), show(nic), mac[0], mac[5]);
    return 0;
}

int xenfork_spec_set_mac_prefix(xenfork_spec *spec, const uint8_t prefix[3])
{
    (void)spec;
    note("prefix %02x..%02x", prefix[0], prefix[2]);
    return prefix[0] & 1 ? XENFORK_E_INVAL : 0;
}

int xenfork_spec_set_nic_bridge(xenfork_spec *spec, uint32_t clone,
                                uint32_t nic, const char *bridge)
{
    (void)spec;
    note("bridge %s %s %s", show(clone), show(nic), bridge);
    return 0;
}

int xenfork_spec_set_nic_link(xenfork_spec *spec, uint32_t clone, uint32_t nic,
                              int link)
{
    (void)spec;
    note("link %s %s %d", show(clone), show(nic), link);
    return 0;
}

int xenfork_spec_set_param(xenfork_spec *spec, uint32_t clone, const char *key,
                           const char *value)
{
    (void)spec;
    note("param %s %s=%.40s", show(clone), key, value);
    return *key && strcmp(key, "bad") ? 0 : XENFORK_E_INVAL;
}

int xenfork_spec_set_paused(xenfork_spec *spec, uint32_t clone, int is_paused)
{
    (void)spec;
    note("paused %s %d", show(clone), is_paused);
    return 0;
}

int xenfork_spec_set_reserve_percent(xenfork_spec *spec, uint32_t percent)
{
    (void)spec;
    note("percent %" PRIu32, percent);
    return 0;
}

int xenfork_spec_set_reserve_kib(xenfork_spec *spec, uint64_t reserve_kib)
{
    (void)spec;
    note("kib %" PRIu64, reserve_kib);
    return 0;
}

int xenfork_spec_set_timeout_ms(xenfork_spec *spec, uint32_t timeout_ms)
{
    (void)spec;
    note("timeout %" PRIu32, timeout_ms);
    return 0;
}

int xenfork_spec_set_flags(xenfork_spec *spec, uint32_t flags)
{
    (void)spec;
    note("flags %" PRIu32, flags);
    return 0;
}

int xenfork_check_domain(xenfork_ctx *ctx, uint32_t domid,
                         const xenfork_spec *spec, xenfork_check **check_out)
{
    (void)ctx;
    note("check %" PRIu32 " %s", domid, spec ? "spec" : "default");
    *check_out = (xenfork_check *)&dummy;
    return 0;
}

void xenfork_check_free(xenfork_check *check)
{
    (void)check;
}

uint32_t xenfork_check_count(const xenfork_check *check)
{
    (void)check;
    return fails("check") ? 1 : 0;
}

int xenfork_check_code(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return fails("check");
}

const char *xenfork_check_text(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return "web1 is a PV guest";
}

const char *xenfork_check_remedy(const xenfork_check *check, uint32_t index)
{
    (void)check;
    (void)index;
    return "make it PVH";
}

int xenfork_fork(xenfork_ctx *ctx, uint32_t domid, const xenfork_spec *spec,
                 xenfork_result **result_out)
{
    (void)ctx;
    (void)spec;
    note("fork %" PRIu32, domid);
    if (draw) {
        draw(NULL, XENFORK_STAGE_SHARE, XENFORK_ALL, 128, 256);
        draw(NULL, XENFORK_STAGE_RESUME, XENFORK_ALL, 0, 0);
    }
    if (fails("fork"))
        return fails("fork");
    *result_out = (xenfork_result *)&dummy;
    return 0;
}

void xenfork_result_free(xenfork_result *result)
{
    (void)result;
}

uint32_t xenfork_result_count(const xenfork_result *result)
{
    (void)result;
    return clones;
}

uint32_t xenfork_result_image_domid(const xenfork_result *result)
{
    (void)result;
    return 4;
}

const char *xenfork_result_image_name(const xenfork_result *result)
{
    (void)result;
    return "web1-image";
}

uint32_t xenfork_result_clone_domid(const xenfork_result *result,
                                    uint32_t clone)
{
    (void)result;
    return 5 + clone;
}

const char *xenfork_result_clone_name(const xenfork_result *result,
                                      uint32_t clone)
{
    (void)result;
    return clone ? "web1-2" : "web1-1";
}

const char *xenfork_result_clone_uuid(const xenfork_result *result,
                                      uint32_t clone)
{
    (void)result;
    (void)clone;
    return "01234567-89ab-cdef-0123-456789abcdef";
}

/* The first clone acknowledges, the second does not. */
int xenfork_wait_ready(xenfork_ctx *ctx, xenfork_result *result,
                       uint32_t timeout_ms)
{
    (void)ctx;
    (void)result;
    note("wait %" PRIu32, timeout_ms);
    has_waited = true;
    return clones > 1 ? XENFORK_E_TIMEOUT : 0;
}

const char *xenfork_result_clone_generation(const xenfork_result *result,
                                            uint32_t clone)
{
    (void)result;
    return clone ? "generation-2" : "generation-1";
}

int xenfork_result_clone_is_ready(const xenfork_result *result, uint32_t clone)
{
    (void)result;
    return has_waited && !clone;
}

uint32_t xenfork_result_nic_count(const xenfork_result *result, uint32_t clone)
{
    (void)result;
    return clone ? 0 : 2;
}

const char *xenfork_result_nic_vif(const xenfork_result *result, uint32_t clone,
                                   uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic ? "vif5.1" : "vif5.0";
}

const char *xenfork_result_nic_mac(const xenfork_result *result, uint32_t clone,
                                   uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic ? "00:16:3e:00:00:02" : "00:16:3e:00:00:01";
}

int xenfork_result_nic_is_held(const xenfork_result *result, uint32_t clone,
                               uint32_t nic)
{
    (void)result;
    (void)clone;
    return nic == 0;
}

uint64_t xenfork_result_ns(const xenfork_result *result, uint32_t clone,
                           int stage)
{
    (void)result;
    if (stage == XENFORK_STAGE_STUN)
        return 210000000;
    if (stage == XENFORK_STAGE_READY && has_waited && !clone)
        return 340000000;
    return stage == XENFORK_STAGE_TOTAL ? 1500000000 : 0;
}

uint64_t xenfork_result_counter(const xenfork_result *result, int counter)
{
    (void)result;
    return 10 + counter;
}

int xenfork_list_all(xenfork_ctx *ctx, xenfork_list **list_out)
{
    (void)ctx;
    if (fails("list"))
        return fails("list");
    *list_out = (xenfork_list *)&dummy;
    return 0;
}

void xenfork_list_free(xenfork_list *list)
{
    (void)list;
}

uint32_t xenfork_list_count(const xenfork_list *list)
{
    (void)list;
    return 2;
}

int xenfork_list_kind(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? XENFORK_KIND_CLONE : XENFORK_KIND_IMAGE;
}

uint32_t xenfork_list_domid(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? XENFORK_DOMID_NONE : 4;
}

const char *xenfork_list_name(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "web1-1" : "web1-image";
}

const char *xenfork_list_uuid(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "00000000-0000-0000-0000-000000000001"
                 : "00000000-0000-0000-0000-000000000000";
}

const char *xenfork_list_parent(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "web1-image" : "web1";
}

const char *xenfork_list_state(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "gone" : "ready";
}

uint64_t xenfork_list_created(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return MADE + index;
}

uint64_t xenfork_list_total_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 131072;
}

uint64_t xenfork_list_shared_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 126976;
}

uint64_t xenfork_list_private_kib(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 4096;
}

uint32_t xenfork_list_hydrated(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 50;
}

uint32_t xenfork_list_users(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 1;
}

int xenfork_list_is_kept(const xenfork_list *list, uint32_t index)
{
    (void)list;
    (void)index;
    return 1;
}

const char *xenfork_list_generation(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? "generation-1" : NULL;
}

int xenfork_list_is_ready(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index != 0;
}

uint32_t xenfork_list_nic_count(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? 3 : 0;
}

const char *xenfork_list_nic_mac(const xenfork_list *list, uint32_t index,
                                 uint32_t nic)
{
    (void)list;
    (void)index;
    (void)nic;
    return "00:16:3e:00:00:01";
}

/* One of each. */
int xenfork_list_nic_link(const xenfork_list *list, uint32_t index,
                          uint32_t nic)
{
    (void)list;
    (void)index;
    return (int)nic;
}

int xenfork_nic_link(xenfork_ctx *ctx, const char *clone, uint32_t nic,
                     int link)
{
    (void)ctx;
    note("nic-link %s %s %d", clone, show(nic), link);
    return fails(clone);
}

int xenfork_nic_bridge(xenfork_ctx *ctx, const char *clone, uint32_t nic,
                       const char *bridge)
{
    (void)ctx;
    note("nic-bridge %s %s %s", clone, show(nic), bridge);
    return fails(clone);
}

uint32_t xenfork_list_disk_count(const xenfork_list *list, uint32_t index)
{
    (void)list;
    return index ? 1 : 0;
}

const char *xenfork_list_disk_vdev(const xenfork_list *list, uint32_t index,
                                   uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return "xvda";
}

const char *xenfork_list_disk_path(const xenfork_list *list, uint32_t index,
                                   uint32_t disk)
{
    (void)list;
    (void)index;
    (void)disk;
    return "/disks/web1-1.img";
}

int xenfork_clone_destroy(xenfork_ctx *ctx, const char *name)
{
    (void)ctx;
    note("destroy %s", name);
    return fails(name);
}

int xenfork_image_destroy(xenfork_ctx *ctx, const char *name)
{
    (void)ctx;
    note("image-destroy %s", name);
    return fails(name);
}

int xenfork_freeze(xenfork_ctx *ctx, uint32_t domid, uint32_t timeout_ms)
{
    (void)ctx;
    note("freeze %" PRIu32 " %" PRIu32, domid, timeout_ms);
    return fails("freeze");
}

int xenfork_thaw(xenfork_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    note("thaw %" PRIu32, domid);
    return fails("thaw");
}
