/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen/shared-disk.c, on a stub of xenstore and of the host: whose disk is
 * whose, by what is open and not by paths.
 */
#include "config.h"

#include "xen/handles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "host/dm.h"
#include "xen/xen.h"

#define OTHER 9U
#define PID   77U

static xenfork_ctx ctx;
static char path[64] = "";
static struct xenfork__disk_identity file; /* ours */
/* The other domain's disk, and ours. */
static const char *kind, *mode, *params, *device, *socket_path, *own_device;
static bool has_qemu;
static struct xenfork__disk_identity open_by_process;

static int setup(void **state)
{
    struct stat st;
    int fd;

    (void)state;
    snprintf(path, sizeof(path), "/tmp/xenfork-shared-XXXXXX");
    fd = mkstemp(path);
    if (fd < 0 || fstat(fd, &st))
        return -1;
    close(fd);
    file = (struct xenfork__disk_identity){.device = st.st_dev,
                                           .inode = st.st_ino};
    open_by_process = (struct xenfork__disk_identity){0};
    kind = "vbd";
    mode = "w";
    params = "/nowhere";
    device = socket_path = NULL;
    own_device = "7:1";
    has_qemu = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return unlink(path);
}

/* Stubs. */

static char *answer(const char *text)
{
    errno = ENOENT;
    return text ? strdup(text) : NULL;
}

char *xenfork__xs_read(xenfork_ctx *c, xs_transaction_t t, const char *fmt, ...)
{
    const char *key = "";
    va_list ap;
    int i;

    (void)c;
    (void)t;
    if (!strcmp(fmt, "%s/physical-device"))
        return answer(own_device);
    va_start(ap, fmt);
    va_arg(ap, unsigned int);
    for (i = 0; i < 4; i++)
        key = va_arg(ap, const char *);
    va_end(ap);
    if (!strcmp(key, "mode"))
        return answer(mode);
    if (!strcmp(key, "params"))
        return answer(params);
    if (!strcmp(key, "physical-device-path"))
        return answer(socket_path);
    return answer(!strcmp(key, "physical-device") ? device : NULL);
}

char **xenfork__xs_list(xenfork_ctx *c, unsigned int *count_out,
                        const char *fmt, ...)
{
    const char *item = "51712", *of = "";
    char **list;
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    va_arg(ap, unsigned int);
    of = va_arg(ap, const char *);
    va_end(ap);
    *count_out = 0;
    if (strcmp(of, kind))
        return NULL;
    if (!strcmp(fmt, "/local/domain/%u/backend/%s"))
        item = "9";
    list = malloc(sizeof(char *) + 8);
    if (!list)
        abort();
    list[0] = (char *)(list + 1);
    strcpy(list[0], item);
    *count_out = 1;
    return list;
}

int xenfork__xs_u32(xenfork_ctx *c, uint32_t *value_out, const char *fmt, ...)
{
    (void)c;
    (void)fmt;
    *value_out = PID;
    return has_qemu ? 1 : 0;
}

uint32_t xenfork__own_domid(xenfork_ctx *c)
{
    (void)c;
    return 0;
}

bool xenfork__parse_u32(const char *text, uint32_t *value_out)
{
    return sscanf(text, "%u", value_out) == 1;
}

char *xenfork__xen_disk_backend(xenfork_ctx *c, uint32_t domid,
                                const char *vdev)
{
    (void)c;
    (void)domid;
    (void)vdev;
    return strdup("/local/domain/0/backend/vbd/7/51712");
}

/* 7:1 and 253:2 are our file; what else there is, something else. */
void xenfork__sys_follow(xenfork_ctx *c, struct xenfork__disk_identity *what)
{
    (void)c;
    if (what->is_device &&
        (what->device == makedev(7, 1) || what->device == makedev(253, 2)))
        *what = file;
}

bool xenfork__sys_writes(xenfork_ctx *c, uint32_t pid,
                         const struct xenfork__disk_identity *what)
{
    (void)c;
    return pid == PID && xenfork__disk_is_same(&open_by_process, what);
}

static int look(uint32_t domid)
{
    char vdev[] = "xvda";
    struct xenfork__disk disk = {.vdev = vdev, .path = path};

    return xenfork__xen_disk_shared(&ctx, domid, &disk);
}

static void assert_shared(bool is_shared)
{
    assert_int_equal(look(7), is_shared ? XENFORK_E_DISK : 0);
    if (is_shared)
        assert_non_null(strstr(ctx.error.text, "domain 9"));
}

/* By another path, that leads elsewhere by now. */
static void test_blkback(void **state)
{
    (void)state;
    device = "7:1";
    assert_shared(true);
    device = "fd:2";
    assert_shared(true);
    mode = "r";
    assert_shared(false);
    mode = "w";
    device = "fd:3";
    assert_shared(false);
    /* Its path leads to our file by now; it has another one. */
    params = path;
    assert_shared(false);
    own_device = device;
    assert_shared(true);
}

static void test_mode(void **state)
{
    (void)state;
    device = "7:1";
    assert_int_equal(look(OTHER), 0);
    mode = "w!";
    assert_int_equal(look(OTHER), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "w!"));
}

static void test_qemu(void **state)
{
    char text[96];

    (void)state;
    kind = "qdisk";
    snprintf(text, sizeof(text), "qcow2:%s", path);
    assert_shared(false);
    open_by_process = file;
    assert_shared(true);
    /* Its path leads to our file by now. */
    open_by_process.inode++;
    params = text;
    assert_shared(false);
    has_qemu = false;
    assert_shared(true);
}

static void test_tapdisk(void **state)
{
    (void)state;
    kind = "vbd3";
    socket_path = "/run/blktap-control/nbd77.0";
    assert_shared(false);
    open_by_process = file;
    assert_shared(true);
    socket_path = "/run/blktap-control/nbd78.0";
    assert_shared(false);
}

/* By the kernel's nbd: block-fork's name of a VHD is all there is. */
static void test_vhd(void **state)
{
    char text[96];

    (void)state;
    snprintf(text, sizeof(text), "vhd:%s", path);
    device = "2b:0";
    params = text;
    assert_shared(true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_blkback), TEST(test_mode),
                                       TEST(test_qemu), TEST(test_tapdisk),
                                       TEST(test_vhd)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
