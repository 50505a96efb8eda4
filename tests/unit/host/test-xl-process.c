/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl-process.c: xl is found among processes, and nobody is taken for it. */
#include "config.h"

#include <errno.h>
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

#include "host/host.h"

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

static void put(const char *pid, const char *name, const void *data,
                size_t bytes)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s/%s", proc, pid, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *pid, const char *name, const char *text)
{
    put(pid, name, text, strlen(text));
}

#define ROOT "Name:\txl\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\n"

/* A process of root's as /proc shows it. */
static void add(const char *pid, const char *exe, const char *out,
                const char *cmdline, size_t cmdline_bytes)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/exe", proc, pid);
    assert_int_equal(symlink(exe, path), 0);
    snprintf(path, sizeof(path), "%s/%s/fd", proc, pid);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/%s/fd/1", proc, pid);
    assert_int_equal(symlink(out, path), 0);
    put(pid, "cmdline", cmdline, cmdline_bytes);
    put_text(pid, "status", ROOT);
}

/* Put the output of the process into a file of ours, named as xl would. */
static void say(const char *pid, const char *log, const char *text)
{
    char path[128], target[128];

    snprintf(target, sizeof(target), "%s/%s", proc, log);
    put_text(".", log, text);
    snprintf(path, sizeof(path), "%s/%s/fd/1", proc, pid);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(target, path), 0);
}

/* It sees the file below its root, or in the folder that it is in. */
static void show(const char *pid, const char *folder, const char *file,
                 const char *text)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s/%s", proc, pid, folder);
    if (mkdir(path, 0700))
        assert_int_equal(errno, EEXIST);
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    put_text(pid, path, text);
}

/* A domain is asked about by its name of today, and its number. */
static bool lives(const char *name)
{
    return xenfork__sys_xl_watches(proc, name, 5);
}

#define ADD(pid, exe, out, cmdline) add(pid, exe, out, cmdline, sizeof(cmdline))

static void test_nobody(void **state)
{
    (void)state;
    assert_false(lives("web"));
}

static void test_by_its_log(void **state)
{
    (void)state;
    ADD("12", "/usr/lib/xen-4.20/bin/xl", "/var/log/xen/xl-web.log",
        "xl\0create\0web.cfg");
    assert_true(lives("web"));
    assert_false(lives("we"));
    assert_false(lives("web1"));
}

/* Its package was upgraded. */
static void test_deleted(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl (deleted)", "/var/log/xen/xl-web.log",
        "xl\0create\0web.cfg");
    assert_true(lives("web"));
}

static void test_others(void **state)
{
    (void)state;
    ADD("12", "/usr/bin/tail", "/var/log/xen/xl-web.log", "tail\0-F\0create");
    ADD("13", "/usr/sbin/xl", "/dev/pts/0", "xl\0list\0-F");
    ADD("14", "/usr/sbin/xl", "/var/log/xen/xl-db.log", "xl\0create\0-f");
    ADD("15", "/usr/sbin/xlx", "/var/log/xen/xl-web.log", "xlx\0create\0-F");
    ADD("x16", "/usr/sbin/xl", "/var/log/xen/xl-web.log", "xl\0create\0-F");
    assert_false(lives("web"));
}

/* A user may call anything xl. */
static void test_users(void **state)
{
    static const char *const statuses[] = {
        "Name:\txl\nUid:\t1000\t1000\t1000\t1000\n",
        /* Run by a user, with root's rights; and as root would not be. */
        "Name:\txl\nUid:\t1000\t0\t0\t0\n",
        "Name:\txl\nUid:\t0\t0\t1000\t0\n",
        "Name:\txl\n",
        /* The name that another user gave it must not count. */
        "Name:\tUid:\t0\t0\t0\t0\nUid:\t65534\t65534\t65534\t65534\n",
        "",
    };
    size_t i;

    (void)state;
    ADD("12", "/home/u/xl", "/dev/pts/0", "xl\0-F\0create");
    ADD("13", "/home/u/xl", "/var/log/xen/xl-web.log", "xl\0create\0x");
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        put_text("12", "status", statuses[i]);
        put_text("13", "status", statuses[i]);
        assert_false(lives("web"));
    }
    put_text("12", "status", ROOT);
    assert_true(lives("web"));
}

/* It says for which domain it waits, whatever that is called by now. */
static void test_by_its_word(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/null", "xl\0create\0web.cfg");
    say("12", "xl-web.log",
        "Waiting for domain web (domid 5) to die [pid 9]\n"
        "Waiting for domain web (domid 3) to die [pid 12]\n"
        "Domain 3 has shut down, reason code 1 0x1\n"
        "Waiting for domain web (domid 4) to die [pid 12]\n");
    assert_false(xenfork__sys_xl_watches(proc, "web", 5));
    assert_false(xenfork__sys_xl_watches(proc, "web", 3));
    assert_true(xenfork__sys_xl_watches(proc, "web", 4));
    assert_true(xenfork__sys_xl_watches(proc, "renamed", 4));
    /* Only the file's name is left to go by. */
    say("12", "xl-web.log", "Waiting for domain web (domid 4) to die [pid 1]");
    assert_true(xenfork__sys_xl_watches(proc, "web", 5));
    assert_false(xenfork__sys_xl_watches(proc, "renamed", 4));
}

/* Its domain cannot be told: so it may be this one. */
static void test_in_foreground(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0create\0-cF\0web.cfg");
    assert_true(lives("web"));
    assert_true(lives("db"));
}

/* It was started with a name: then it is that domain's alone. */
static void test_in_foreground_of_another(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0create\0-F\0db.cfg");
    show("12", "cwd", "db.cfg",
         "# name = \"web\"\nmemory = 64\n name=\"db\" # \nvif = [\n"
         "'name=web' ]\n");
    assert_false(lives("web"));
    assert_true(lives("db"));
    ADD("13", "/usr/sbin/xl", "/dev/pts/0",
        "xl\0create\0-F\0/a.cfg\0memory=4\0name='front'");
    show("13", "root", "a.cfg", "name = 'web'");
    assert_false(lives("web"));
    assert_true(lives("front"));
}

#define SAVED_HEADER "Xen saved domain, xl format\n"

/* xl create -F names no file that can be read: it may be of any domain. */
static void test_restored_of_another(void **state)
{
    static const char saved[] = SAVED_HEADER
        "\0 \0\r\4\3\2\1\3\0\0\0\0\0\0\0\x50\0\0\0\x4c\0\0\0"
        "{\"c_info\":{\"type\":\"pvh\",\"name\":\"db\"},\"x\":1}";

    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0restore\0-F\0db.save");
    show("12", "cwd", "x", "");
    put("12", "cwd/db.save", saved, sizeof(saved) - 1);
    assert_false(lives("web"));
    assert_true(lives("db"));
    put_text("12", "cwd/db.save", SAVED_HEADER);
    assert_true(lives("web"));
}

static void test_restored_in_foreground(void **state)
{
    (void)state;
    ADD("12", "/usr/sbin/xl", "/dev/pts/0", "xl\0-v\0restore\0-F\0web.save");
    assert_true(lives("web"));
}

/* It cannot be told: then somebody may. */
static void test_no_proc(void **state)
{
    (void)state;
    assert_true(xenfork__sys_xl_watches("/nonexistent", "web", 5));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nobody),
        TEST(test_by_its_log),
        TEST(test_deleted),
        TEST(test_others),
        TEST(test_in_foreground),
        TEST(test_restored_in_foreground),
        TEST(test_users),
        TEST(test_by_its_word),
        TEST(test_in_foreground_of_another),
        TEST(test_restored_of_another),
        TEST(test_no_proc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
