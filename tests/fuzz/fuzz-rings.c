/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzz the rings of disks and NICs: the guest's nodes in xenstore, and the
 * pages that it has granted.  The input is what each is, one after the other.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "xen/handles.h"
#include "xen/xen.h"

#include <xengnttab.h>

#define DOMID 7U

static const uint8_t *input, *input_end;
static uint32_t mapped;

static uint8_t next_byte(void)
{
    return input < input_end ? *input++ : 0;
}

static uint32_t next_number(void)
{
    uint32_t i, n = 0;

    for (i = 0; i < 4; i++)
        n = n << 8 | next_byte();
    return n;
}

/* Return a text up to a newline; NULL: there is no such node. */
static char *next_text(void)
{
    const uint8_t *start = input;

    while (input < input_end && *input != '\n')
        input++;
    if (input == start) {
        errno = ENOENT;
        return NULL;
    }
    return strndup((const char *)start,
                   (size_t)((input < input_end ? input++ : input) - start));
}

/* Stubs: xenstore. */

int xenfork__xs_u32(xenfork_ctx *ctx, uint32_t *value_out, const char *fmt, ...)
{
    int r = next_byte() % 8;

    (void)ctx;
    (void)fmt;
    errno = EINVAL;
    if (r > 1)
        *value_out = next_number() % (r > 4 ? 8 : UINT32_MAX);
    return r == 0 ? -1 : r > 1;
}

char *xenfork__xs_read(xenfork_ctx *ctx, xs_transaction_t t, const char *fmt,
                       ...)
{
    (void)ctx;
    (void)t;
    (void)fmt;
    return next_byte() % 4 ? strdup("/local/domain/0/backend/vbd/7/51712")
                           : next_text();
}

char **xenfork__xs_list(xenfork_ctx *ctx, unsigned int *count_out,
                        const char *fmt, ...)
{
    unsigned int i, count = next_byte() % 8;
    /* As libxenstore does it: names and pointers in one piece. */
    char **list = calloc(1, count * (sizeof(char *) + 8) + 1);
    char *at = list ? (char *)(list + count) : NULL;

    (void)ctx;
    (void)fmt;
    for (i = 0; list && i < count; i++, at += 8) {
        list[i] = at;
        memcpy(at, next_byte() % 4 ? "51712" : "x", 2);
        if (at[0] == '5')
            memcpy(at, "51712", 6);
    }
    *count_out = count;
    errno = ENOENT;
    return list;
}

uint32_t xenfork__own_domid(xenfork_ctx *ctx)
{
    (void)ctx;
    return 0;
}

bool xenfork__xen_has_ended(xenfork_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    return domid != DOMID;
}

/* Nothing is waited for. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    return 0;
}

/* Stubs: the grant device; every map must be undone. */

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    return next_byte() % 8 ? (xengnttab_handle *)&mapped : NULL;
}

int xengnttab_close(xengnttab_handle *gnttab)
{
    (void)gnttab;
    if (mapped)
        abort();
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *gnttab, uint32_t domid,
                              uint32_t ref, int prot)
{
    struct xenfork__ring_head *head;

    (void)gnttab;
    (void)ref;
    (void)prot;
    if (domid != DOMID)
        abort();
    if (next_byte() % 8 == 0) {
        errno = EINVAL;
        return NULL;
    }
    head = calloc(1, XENFORK__PAGE_SIZE);
    if (!head)
        abort();
    head->req_prod = next_number();
    head->rsp_prod = next_byte() % 2 ? head->req_prod : next_number();
    mapped++;
    return head;
}

int xengnttab_unmap(xengnttab_handle *gnttab, void *start, uint32_t count)
{
    (void)gnttab;
    if (count != 1 || !mapped)
        abort();
    free(start);
    mapped--;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct xenfork__xen xen = {0};
    xenfork_ctx ctx = {.guard_fd = -1, .xen = &xen};

    input = data;
    input_end = data + len;
    xenfork__xen_drain(&ctx, DOMID, 0);
    xenfork__xen_nic_flush(&ctx, DOMID, 0, 0);
    if (mapped)
        abort();
    return 0;
}
