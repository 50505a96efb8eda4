/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hotplug scripts of a host that xenfork-hotplug may stand in for. */
#include "config.h"

#include "xen/hotplug-scripts.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/digest.h"

#define BLOCK  XENFORK__HOTPLUG_BLOCK
#define BRIDGE XENFORK__HOTPLUG_BRIDGE

static char dir[64];
static xenfork_ctx ctx;

static void write_file(const char *name, const char *text, mode_t mode)
{
    cleanup_free char *path = NULL;
    cleanup_file FILE *file = NULL;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fchmod(fileno(file), mode), 0);
}

static void make_folder(const char *name)
{
    cleanup_free char *path = NULL;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void remove_file(const char *name)
{
    cleanup_free char *path = NULL;

    assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
    assert_int_equal(unlink(path), 0);
}

/* Two versions of each file: its name, and "other". */
static struct xenfork__script scripts[] = {
    {"common.sh", BLOCK | BRIDGE, false, 0},
    {"common.sh", BLOCK | BRIDGE, false, 0},
    {"block", BLOCK, false, 0},
    {"vif-bridge", BRIDGE, false, 0},
    {"vif-common.sh", BRIDGE, true, 0},
    {"vif-common.sh", BRIDGE, false, 0},
};

static int setup(void **state)
{
    size_t i;

    (void)state;
    strcpy(dir, "/tmp/test-hotplug-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (i = 0; i < ARRAY_SIZE(scripts); i++) {
        const char *text = i > 0 &&
                                   !strcmp(scripts[i].name, scripts[i - 1].name)
                               ? "other"
                               : scripts[i].name;

        scripts[i].digest = xenfork__digest(text, strlen(text));
        write_file(scripts[i].name, scripts[i].name, 0755);
    }
    write_file("hotplugpath.sh", "sbindir=\"/usr/sbin\"\n\n# x\nA_b=\"\"\n",
               0644);
    return 0;
}

static int remove_one(const char *path, const struct stat *s, int kind,
                      struct FTW *ftw)
{
    (void)s;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static unsigned int look(void)
{
    cleanup_free char *path = NULL;

    assert_true(asprintf(&path, "/none:%s/bin", dir) > 0);
    return xenfork__hotplug_known(&ctx, dir, path, scripts,
                                  ARRAY_SIZE(scripts));
}

static void test_digest(void **state)
{
    (void)state;
    /* From the description of FNV-1a. */
    assert_true(xenfork__digest("", 0) == 0xcbf29ce484222325);
    assert_true(xenfork__digest("a", 1) == 0xaf63dc4c8601ec8c);
    assert_true(xenfork__digest("foobar", 6) == 0x85944171f73967e8);
}

static void test_known(void **state)
{
    (void)state;
    assert_int_equal(look(), BLOCK | BRIDGE);
    write_file("common.sh", "other", 0644);
    assert_int_equal(look(), BLOCK | BRIDGE);
}

static void test_changed(void **state)
{
    (void)state;
    write_file("block", "block ", 0755);
    assert_int_equal(look(), BRIDGE);
    write_file("vif-common.sh", "", 0755);
    assert_int_equal(look(), 0);
    write_file("block", "block", 0755);
    assert_int_equal(look(), BLOCK);
    write_file("common.sh", "more", 0755);
    assert_int_equal(look(), 0);
}

/* Count the warnings; a context gives one. */
static unsigned int warnings;

static void count_warning(xentoollog_logger *logger, xentoollog_level level,
                          int errnoval, const char *context, const char *format,
                          va_list al)
{
    (void)logger;
    (void)errnoval;
    (void)context;
    (void)format;
    (void)al;
    warnings += level == XTL_WARN;
}

static void test_unknown_is_said(void **state)
{
    xentoollog_logger logger = {.vmessage = count_warning};

    (void)state;
    ctx.logger = &logger;
    ctx.has_said_scripts = false;
    warnings = 0;
    assert_int_equal(look(), BLOCK | BRIDGE);
    assert_int_equal(warnings, 0);
    write_file("vif-bridge", "of a later release", 0755);
    assert_int_equal(look(), BLOCK);
    assert_int_equal(warnings, 1);
    write_file("block", "of a later release", 0755);
    assert_int_equal(look(), 0);
    assert_int_equal(warnings, 1);
    ctx.logger = NULL;
}

static void test_missing(void **state)
{
    (void)state;
    remove_file("vif-bridge");
    assert_int_equal(look(), BLOCK);
    remove_file("common.sh");
    assert_int_equal(look(), 0);
}

static void test_endless(void **state)
{
    cleanup_free char *text = calloc(1, 70000);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', 69999);
    write_file("block", text, 0755);
    assert_int_equal(look(), BRIDGE);
}

static void test_iptables(void **state)
{
    (void)state;
    make_folder("bin");
    write_file("bin/iptables", "", 0644);
    assert_int_equal(look(), BLOCK | BRIDGE); /* cannot be run */
    write_file("bin/iptables", "", 0755);
    assert_int_equal(look(), BLOCK);
    write_file("vif-common.sh", "other", 0644); /* one that never uses it */
    assert_int_equal(look(), BLOCK | BRIDGE);
}

static void test_hooks(void **state)
{
    (void)state;
    make_folder("vif-post.d");
    assert_int_equal(look(), BLOCK | BRIDGE);
    write_file("vif-post.d/README", "", 0755);
    write_file("vif-post.d/.hook", "", 0755); /* no match of *.hook */
    assert_int_equal(look(), BLOCK | BRIDGE);
    write_file("vif-post.d/vlan.hook", "", 0755);
    assert_int_equal(look(), BLOCK);
}

static void test_settings(void **state)
{
    static const char *const bad[] = {
        "A=\"`x`\"\n",
        "A=\"$(x)\"\n",
        "A=\"$B\"\n",
        "A=\"x\"; y\n",
        "A=\"x\" y=\"z\"\n",
        "rm x\n",
        "A=x\n",
        "=\"x\"\n",
        "A=\"\n",
        "A=\"\\\n\"\n",
        " A=\"x\"\n",
        "A =\"x\"\n",
        "A=\"x\ny\"\n",
        "A\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(bad); i++) {
        write_file("hotplugpath.sh", bad[i], 0644);
        assert_int_equal(look(), 0);
    }
    write_file("hotplugpath.sh", "A=\"x\"", 0644);
    assert_int_equal(look(), BLOCK | BRIDGE);
    remove_file("hotplugpath.sh");
    assert_int_equal(look(), 0);
}

/* Every part of both scripts is in the table, versions of one side by side. */
static void test_table(void **state)
{
    static const struct {
        const char *name;
        unsigned int uses;
    } parts[] = {
        {"xen-script-common.sh", BLOCK | BRIDGE},
        {"xen-hotplug-common.sh", BLOCK | BRIDGE},
        {"locking.sh", BLOCK | BRIDGE},
        {"logging.sh", BLOCK | BRIDGE},
        {"block", BLOCK},
        {"block-common.sh", BLOCK},
        {"vif-bridge", BRIDGE},
        {"vif-common.sh", BRIDGE},
        {"xen-network-common.sh", BRIDGE},
    };
    size_t i, j = 0;

    (void)state;
    for (i = 0; i < ARRAY_SIZE(parts); i++) {
        assert_true(j < xenfork__script_count);
        for (; j < xenfork__script_count &&
               !strcmp(xenfork__scripts[j].name, parts[i].name);
             j++)
            assert_int_equal(xenfork__scripts[j].uses, parts[i].uses);
        assert_true(j > 0 &&
                    !strcmp(xenfork__scripts[j - 1].name, parts[i].name));
    }
    assert_int_equal(j, xenfork__script_count);
}

/* Our own script is compared with the copy of it. */
static void test_ours(void **state)
{
    cleanup_free char *other = NULL;

    (void)state;
    assert_false(xenfork__hotplug_is_ours(dir, dir));
    write_file("block-fork", "#!/bin/bash\n", 0755);
    assert_true(xenfork__hotplug_is_ours(dir, dir));
    assert_false(xenfork__hotplug_is_ours(dir, "/nonexistent"));
    assert_false(xenfork__hotplug_is_ours("/nonexistent", dir));
    assert_true(asprintf(&other, "%s/other", dir) > 0);
    assert_int_equal(mkdir(other, 0755), 0);
    write_file("other/block-fork", "#!/bin/bash\nx\n", 0755);
    assert_false(xenfork__hotplug_is_ours(dir, other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_table),
        cmocka_unit_test_setup_teardown(test_known, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(test_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless, setup, teardown),
        cmocka_unit_test_setup_teardown(test_iptables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hooks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_settings, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ours, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
