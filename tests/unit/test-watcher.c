/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* watcher.c: xl is found among processes, and nobody is taken for it. */
#include "config.h"

#include <ftw.h>
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

#include "daemon/watcher.h"

static char proc[] = "/tmp/xenfork-unit-XXXXXX";

static int setup(void **state)
{
    (void)state;
    strcpy(strstr(proc, "unit-") + 5, "XXXXXX");
    return mkdtemp(proc) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(proc, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A process as /proc shows it. */
static void add(const char *pid, const char *exe, const char *out,
                const char *cmdline, size_t cmdline_bytes)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/exe", proc, pid);
    assert_int_equal(symlink(exe, path), 0);
    snprintf(path, sizeof(path), "%s/%s/fd", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/fd/1", proc, pid);
    assert_int_equal(symlink(out, path), 0);
    snprintf(path, sizeof(path), "%s/%s/cmdline", proc, pid);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(cmdline, 1, cmdline_bytes, file), cmdline_bytes);
    assert_int_equal(fclose(file), 0);
}

#define ADD(pid, exe, out, cmdline) add(pid, exe, out, cmdline, sizeof(cmdline))

static void test_nobody(void **state)
{
    (void)state;
    assert_false(watcher_lives(proc, "web"));
}

static void test_by_its_log(void **state)
{
    (void)state;
    ADD("12", "/usr/lib/xen-4.20/bin/xl", "/var/log/xen/xl-web.log",
        "xl\0create\0web.cfg");
    assert_true(watcher_lives(proc, "web"));
    assert_false(watcher_lives(proc, "we"));
    assert_false(watcher_lives(proc, "web1"));
}

/* Its package was upgraded. */
static void test_deleted(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl (deleted)", "/var/log/xen/xl-web.log",
        "xl\0create\0web.cfg");
    assert_true(watcher_lives(proc, "web"));
}

static void test_others(void **state)
{
    (void)state;
    ADD("12", "/usr/bin/tail", "/var/log/xen/xl-web.log", "tail\0-F\0create");
    ADD("13", "/usr/sbin/xl", "/dev/pts/0", "xl\0list\0-F");
    ADD("14", "/usr/sbin/xl", "/var/log/xen/xl-db.log", "xl\0create\0-f");
    ADD("15", "/usr/sbin/xlx", "/var/log/xen/xl-web.log", "xlx\0create\0-F");
    ADD("x16", "/usr/sbin/xl", "/var/log/xen/xl-web.log", "xl\0create\0-F");
    assert_false(watcher_lives(proc, "web"));
}

/* Of which domain cannot be told: so it may be this. */
static void test_in_foreground(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0create\0-cF\0web.cfg");
    assert_true(watcher_lives(proc, "web"));
    assert_true(watcher_lives(proc, "db"));
}

static void test_restored_in_foreground(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0-v\0restore\0-F\0web.save");
    assert_true(watcher_lives(proc, "web"));
}

/* It cannot be told: then somebody may. */
static void test_no_proc(void **state)
{
    (void)state;
    assert_true(watcher_lives("/nonexistent", "web"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody),        TEST(test_by_its_log),
        TEST(test_deleted),       TEST(test_others),
        TEST(test_in_foreground), TEST(test_restored_in_foreground),
        TEST(test_no_proc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
