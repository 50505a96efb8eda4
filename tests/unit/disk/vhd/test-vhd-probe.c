/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/vhd/driver.c: which disks it can fork, and by which options. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/base.h"
#include "disk/disk.h"
#include "disk/vhd/vhd.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"
#include "host/host.h"
#include "../../lib/scene.h"
#include "../../lib/vhd-scene.h"

static struct fork_scene *s;
static const struct xenfork__disk_driver *const vhd = &xenfork__disk_vhd;

static int setup(void **state)
{
    vhd_setup(state);
    s = *state;
    return 0;
}

static void assert_probe(const char *options, int code, const char *text)
{
    struct fake_disk *d = vhd_disk();
    struct xenfork__disk probed = {.vdev = d->vdev,
                                   .path = d->path,
                                   .format = d->format,
                                   .backend = d->backend,
                                   .script = d->script[0] ? d->script : NULL,
                                   .is_foreign = d->is_foreign,
                                   .options = options,
                                   .is_readwrite = true};

    assert_int_equal(vhd->probe(s->ctx, &probed, false), code);
    if (text)
        assert_non_null(strstr(s->ctx->error.text, text));
    if (text && code == XENFORK_E_DISK)
        assert_true(s->ctx->error.remedy[0]);
}

static void test_probe(void **state)
{
    struct fake_disk good = *vhd_disk();

    (void)state;
    assert_probe(NULL, 0, NULL);
    fake_copy_string(vhd_disk()->script, 64, "/etc/xen/scripts/block-fork");
    assert_probe(NULL, 0, NULL);
    fake_copy_string(vhd_disk()->script, 64, "block-iscsi");
    assert_probe(NULL, XENFORK_E_DISK, "not served by block-fork");
    *vhd_disk() = good;
    vhd_disk()->is_foreign = true;
    assert_probe(NULL, XENFORK_E_DISK, "another domain's");
    *vhd_disk() = good;
    fake_copy_string(vhd_disk()->format, 16, "vhd");
    assert_probe(NULL, XENFORK_E_DISK, "QEMU");
    *vhd_disk() = good;
    vhd_disk()->is_tap_gone = true;
    assert_probe(NULL, XENFORK_E_DISK, "no tapdisk");
    *vhd_disk() = good;
    fake_copy_string(vhd_disk()->path, FAKE_PATH, "vhd:web.vhd");
    assert_probe(NULL, XENFORK_E_DISK, "not absolute");
    fake_copy_string(vhd_disk()->path, FAKE_PATH, "vhd:/none");
    assert_probe(NULL, XENFORK_E_DISK, "cannot be found");
    fake_copy_string(vhd_disk()->path, FAKE_PATH, vhd_user());
    assert_probe(NULL, XENFORK_E_DISK, "not a VHD");
}

/* Its disk is libxl's from here on: by tapback. */
static void test_probe_tap(void **state)
{
    struct fake_disk good;

    (void)state;
    vhd_make_tap();
    good = *vhd_disk();
    assert_probe(NULL, 0, NULL);
    fake_copy_string(vhd_disk()->script, 64, "block-tap");
    assert_probe(NULL, 0, NULL);
    fake_copy_string(vhd_disk()->script, 64, "/etc/xen/scripts/block-fork");
    assert_probe(NULL, 0, NULL);
    fake_copy_string(vhd_disk()->script, 64, "block-nbd");
    assert_probe(NULL, XENFORK_E_DISK, "not served by block-tap");
    *vhd_disk() = good;
    fake_copy_string(vhd_disk()->format, 16, "raw");
    assert_probe(NULL, XENFORK_E_DISK, "format=raw");
    *vhd_disk() = good;
    vhd_disk()->is_tap_gone = true;
    assert_probe(NULL, XENFORK_E_DISK, "no tapdisk");
    *vhd_disk() = good;
    fake_fail_function("xenfork__xen_tapdisk", XENFORK_E_XEN, 0);
    assert_probe(NULL, XENFORK_E_XEN, NULL);
}

/* Paused, and resumed after the snapshot, as by nbd; its clones' tapdisks are
 * ours. */

static void test_options(void **state)
{
    (void)state;
    assert_probe("max-depth=2", 0, NULL);
    assert_probe("max-depth=1", XENFORK_E_INVAL, "max-depth=1");
    assert_probe("max-depth=", XENFORK_E_INVAL, "max-depth=");
    assert_probe("max-depth=5x", XENFORK_E_INVAL, "max-depth=5x");
    assert_probe("max-depth=1025", XENFORK_E_INVAL, "max-depth=1025");
    assert_probe("depth=5", XENFORK_E_INVAL, "depth=5");
    assert_int_equal(xenfork_spec_set_disk(s->spec, "xvda", "vhd:max-depth=9"),
                     0);
    assert_int_equal(fork_it(s, s->src), 0);
    /* Two of them now. */
    assert_probe("max-depth=3", 0, NULL);
    assert_probe("max-depth=2", XENFORK_E_DISK, "2 VHDs");
}

/* A refusal that is final is reported, though other drivers come after. */
static void test_refused(void **state)
{
    (void)state;
    vhd_disk()->is_tap_gone = true;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "no tapdisk"));
    vhd_disk()->is_tap_gone = false;
    assert_int_equal(xenfork_spec_set_disk(s->spec, "xvda", "reflink:a=b"), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_INVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_probe),
        TEST(test_options),
        TEST(test_probe_tap),
        TEST(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
