/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/qcow2/header.c: headers, read and written. */
#include "config.h"

#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/qcow2/header.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"

static struct fork_scene *s;
static char base[FAKE_PATH + 16], top[FAKE_PATH + 16];

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    fake_make_qcow2(s->src);
    snprintf(base, sizeof(base), "%s", fake_domain(s->src)->disks[0].path);
    snprintf(top, sizeof(top), "%s/top.qcow2", fake->dir);
    return 0;
}

static void patch(const char *path, long at, const void *data, size_t bytes)
{
    FILE *f = fopen(path, "r+");

    assert_non_null(f);
    assert_int_equal(fseek(f, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void patch_u32(const char *path, long at, uint32_t value)
{
    value = htobe32(value);
    patch(path, at, &value, sizeof(value));
}

static void assert_trouble(const char *trouble)
{
    struct xenfork__qcow2 q = {0};

    assert_int_equal(xenfork__qcow2_read(s->ctx, base, &q), 0);
    if (trouble)
        assert_string_equal(q.trouble, trouble);
    else
        assert_null(q.trouble);
    xenfork__qcow2_free(&q);
}

static void assert_parent(const char *path, const char *wanted)
{
    char *parent = NULL;

    assert_int_equal(xenfork__qcow2_parent(s->ctx, path, &parent), 0);
    if (wanted)
        assert_string_equal(parent, wanted);
    else
        assert_null(parent);
    free(parent);
}

static void test_plain(void **state)
{
    struct xenfork__qcow2 q = {0};

    (void)state;
    assert_int_equal(xenfork__qcow2_read(s->ctx, base, &q), 0);
    assert_int_equal(q.size_bytes, 4ULL << 24);
    assert_int_equal(q.cluster_bits, 16);
    assert_null(q.backing);
    assert_null(q.trouble);
    assert_parent(base, NULL);
}

static void test_troubles(void **state)
{
    (void)state;
    patch_u32(base, 32, 2);
    assert_trouble("it is encrypted");
    patch_u32(base, 32, 0);
    patch_u32(base, 76, 1U << 2);
    assert_trouble("its data are in another file");
    patch_u32(base, 76, 1U << 1);
    assert_trouble("it is marked as corrupt");
    patch_u32(base, 76, 1U << 9);
    assert_trouble("it has features that are unknown");
    patch_u32(base, 76, 1);
    assert_trouble(NULL);
    /* In version 2 extensions are there. */
    patch_u32(base, 4, 2);
    patch_u32(base, 76, 1U << 2);
    assert_trouble(NULL);
}

static void assert_read(int code)
{
    struct xenfork__qcow2 q = {0};

    assert_int_equal(xenfork__qcow2_read(s->ctx, base, &q), code);
}

static void test_malformed(void **state)
{
    (void)state;
    patch_u32(base, 4, 4);
    assert_read(XENFORK_E_STATE);
    patch_u32(base, 4, 3);
    patch_u32(base, 20, 64);
    assert_read(XENFORK_E_STATE);
    patch_u32(base, 20, 16);
    patch_u32(base, 12, 100); /* the name is beyond the end */
    patch_u32(base, 16, 100);
    assert_read(XENFORK_E_STATE);
    patch_u32(base, 16, 0); /* there is a name, of no length */
    assert_read(XENFORK_E_STATE);
    patch_u32(base, 12, 0);
    assert_read(0);
    assert_int_equal(truncate(base, 80), 0);
    assert_read(XENFORK_E_STATE);
    assert_int_equal(truncate(base, 40), 0);
    assert_read(XENFORK_E_DISK);
    unlink(base);
    assert_read(XENFORK_E_NOTFOUND);
    assert_int_equal(mkdir(base, 0700), 0);
    assert_read(XENFORK_E_DISK);
}

static void test_create(void **state)
{
    struct xenfork__qcow2 q = {0};
    struct stat st;

    (void)state;
    chmod(base, 0640);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "base.q", top), 0);
    assert_int_equal(stat(top, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_size, 4 * 65536);
    assert_int_equal(xenfork__qcow2_read(s->ctx, top, &q), 0);
    assert_int_equal(q.size_bytes, 4ULL << 24);
    assert_int_equal(q.cluster_bits, 16);
    assert_string_equal(q.backing, "base.q");
    assert_false(q.is_backing_raw);
    xenfork__qcow2_free(&q);
    /* It is there already, and stays. */
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "other", top),
                     XENFORK_E_EXISTS);
    assert_int_equal(access(top, F_OK), 0);
}

/* Clusters are never smaller than those below, nor than ours. */
static void test_clusters(void **state)
{
    struct xenfork__qcow2 q = {0};

    (void)state;
    patch_u32(base, 20, 21);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "base.q", top), 0);
    assert_int_equal(xenfork__qcow2_read(s->ctx, top, &q), 0);
    assert_int_equal(q.cluster_bits, 21);
    xenfork__qcow2_free(&q);
    unlink(top);
    patch_u32(base, 20, 9);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "base.q", top), 0);
    assert_int_equal(xenfork__qcow2_read(s->ctx, top, &q), 0);
    assert_int_equal(q.cluster_bits, 16);
    xenfork__qcow2_free(&q);
    unlink(top);
    patch_u32(base, 24, UINT32_MAX);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "base.q", top),
                     XENFORK_E_DISK);
    assert_int_equal(access(top, F_OK), -1);
}

static void test_parent(void **state)
{
    char wanted[2 * FAKE_PATH];

    (void)state;
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "base.q", top), 0);
    snprintf(wanted, sizeof(wanted), "%s/base.q", fake->dir);
    assert_parent(top, wanted);
    unlink(top);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "/b/a:se", top), 0);
    assert_parent(top, "/b/a:se");
    /* The format of what is below: raw ends the chain. */
    patch(top, 112, "raw\0\0", 5);
    patch_u32(top, 108, 3);
    assert_parent(top, NULL);
    unlink(top);
    assert_int_equal(xenfork__qcow2_create(s->ctx, base, "nbd:x", top), 0);
    assert_parent(top, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),  TEST(test_troubles), TEST(test_malformed),
        TEST(test_create), TEST(test_clusters), TEST(test_parent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
