/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/outlive.c: programs that are nobody's child. */
#include "config.h"

#include "host/outlive.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static xenfork_ctx ctx;
static char file[64], input[64];
static int log_fd, input_fd;
static uint32_t told;
static bool was_there;

static int setup(void **state)
{
    (void)state;
    ctx = (xenfork_ctx){.guard_fd = -1};
    snprintf(file, sizeof(file), "/tmp/xenfork-outlive-%d", (int)getpid());
    snprintf(input, sizeof(input), "/tmp/xenfork-outlive-in-%d",
             (int)getpid());
    log_fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
    input_fd = open(input, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(log_fd >= 0 && input_fd >= 0);
    assert_int_equal(write(input_fd, "not this\nstate\n", 15), 15);
    assert_int_equal(lseek(input_fd, 9, SEEK_SET), 9);
    told = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(log_fd);
    close(input_fd);
    unlink(file);
    unlink(input);
    return 0;
}

static off_t logged(void)
{
    struct stat st;

    return fstat(log_fd, &st) ? -1 : st.st_size;
}

/* Hear of it: it waits, and has written nothing. */
static int hear(xenfork_ctx *c, void *opaque, uint32_t pid)
{
    const int *rc = opaque;

    (void)c;
    told = pid;
    xenfork__sleep_ns(50000000);
    was_there = xenfork__sys_is_running(pid) && logged() == 0;
    return *rc;
}

static void wait_until_gone(void)
{
    int i;

    for (i = 0; i < 500 && xenfork__sys_is_running(told); i++)
        xenfork__sleep_ns(10000000);
    assert_false(xenfork__sys_is_running(told));
}

/*
 * What it says: its parent is not us, its descriptors are its own, its session
 * is, too.
 */
static char script[] =
    "read -r state <&3; echo $state $EXTRA; [ $PPID != $1 ] && echo orphan; "
    "for fd in /proc/$$/fd/*; do echo ${fd##*/}; done | sort -n | "
    "grep -c '^[4-9]$'; ps -o sid= -p $$ | grep -qw $$ && echo leader; "
    "trap | grep -c TERM; echo $$";
static char name[] = "/bin/sh", option[] = "-c", self[16];
static char *const argv[] = {name, option, script, name, self, NULL};
static char extra[] = "EXTRA=extra";
static char *const env[] = {extra, NULL};

static int start(int rc)
{
    const struct xenfork__program program = {
        .argv = argv, .env = env, .log = log_fd, .input = input_fd};

    snprintf(self, sizeof(self), "%d", (int)getpid());
    return xenfork__sys_outlive(&ctx, &program, hear, &rc);
}

static void test_started(void **state)
{
    char text[256] = "", wanted[64];
    int stays = open("/dev/null", O_RDONLY); /* ours, without O_CLOEXEC */

    (void)state;
    assert_int_equal(dup2(stays, 7), 7);
    assert_int_equal(start(0), 0);
    close(7);
    close(stays);
    assert_true(was_there);
    wait_until_gone();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    assert_true(pread(log_fd, text, sizeof(text) - 1, 0) > 0);
    snprintf(wanted, sizeof(wanted), "state extra\norphan\n");
    assert_int_equal(strncmp(text, wanted, strlen(wanted)), 0);
    assert_null(strstr(text, "not this"));
    snprintf(wanted, sizeof(wanted), "\n%u\n", told);
    assert_non_null(strstr(text, wanted)); /* the process that was said */
}

/* What cannot be announced is never run. */
static void test_not_announced(void **state)
{
    (void)state;
    assert_int_equal(start(XENFORK_E_XEN), XENFORK_E_XEN);
    assert_true(was_there);
    wait_until_gone();
    assert_int_equal(logged(), 0);
}

/* Nor is it when we are killed before. */
static int die(xenfork_ctx *c, void *opaque, uint32_t pid)
{
    const int *to = opaque;

    (void)c;
    if (write(*to, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
        _exit(1);
    kill(getpid(), SIGKILL);
    return 0;
}

static void test_killed(void **state)
{
    const struct xenfork__program program = {
        .argv = argv, .env = env, .log = log_fd, .input = input_fd};
    int said[2];
    pid_t pid;

    (void)state;
    assert_int_equal(pipe(said), 0);
    pid = fork();
    if (pid == 0) {
        xenfork__sys_outlive(&ctx, &program, die, &said[1]);
        _exit(1);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(read(said[0], &told, sizeof(told)), sizeof(told));
    close(said[0]);
    close(said[1]);
    wait_until_gone();
    assert_int_equal(logged(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_started, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_announced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
