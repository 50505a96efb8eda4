/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pidfile.c, notify.c: one daemon at a time, and what systemd hears of it. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/pidfile.h"
#include "daemon/notify.h"

static char dir[] = "/tmp/xenfork-unit-XXXXXX";
static char path[sizeof(dir) + 8];

static int setup(void **state)
{
    (void)state;
    strcpy(strstr(dir, "unit-") + 5, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/x", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

/* Asked by another process; the lock is of the open file, not of us. */
static bool another_can_take(void)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        int fd = instance_take(path);

        _exit(fd < 0 ? (errno == EAGAIN ? 1 : 2) : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

static void test_one(void **state)
{
    char text[32] = "";
    FILE *file;
    int fd;

    (void)state;
    assert_false(instance_is_running(path));
    fd = instance_take(path);
    assert_true(fd >= 0);
    assert_true(instance_is_running(path));
    assert_false(another_can_take());
    /* To ask is not to take. */
    assert_true(instance_is_running(path));
    assert_true(instance_sign(fd));
    file = fopen(path, "re");
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_int_equal(atoi(text), getpid());
    close(fd);
    assert_false(instance_is_running(path));
    assert_true(another_can_take());
}

/* As daemon(3) does: the child has it, when the parent has gone. */
static void test_inherited(void **state)
{
    int fd = instance_take(path), pipe_fds[2];
    pid_t pid;
    char c;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(pipe(pipe_fds), 0);
    pid = fork();
    if (pid == 0) {
        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
    }
    close(fd);
    close(pipe_fds[0]);
    assert_true(instance_is_running(path));
    assert_false(another_can_take());
    close(pipe_fds[1]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(instance_is_running(path));
}

static void test_cannot(void **state)
{
    (void)state;
    assert_int_equal(instance_take("/nonexistent/x"), -1);
    assert_int_equal(errno, ENOENT);
    assert_false(instance_is_running("/nonexistent/x"));
}

/* A pid of yesterday, longer than that of today. */
static void test_sign_again(void **state)
{
    FILE *file = fopen(path, "we");
    char text[64];
    size_t n;
    int fd;

    (void)state;
    fputs("123456789012345678901234567890\n", file);
    fclose(file);
    fd = instance_take(path);
    assert_true(instance_sign(fd));
    close(fd);
    file = fopen(path, "re");
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    assert_int_equal(strspn(text, "0123456789"), n - 1);
    assert_int_equal(atoi(text), getpid());
}

static int listen_on(const char *name, size_t name_bytes)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    memcpy(address.sun_path, name, name_bytes);
    assert_int_equal(
        bind(fd, (struct sockaddr *)&address,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name_bytes)),
        0);
    return fd;
}

static void assert_heard(int fd)
{
    char text[64] = "";

    assert_true(notify("READY=1"));
    assert_int_equal(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
    assert_string_equal(text, "READY=1");
    close(fd);
}

static void test_notify(void **state)
{
    char name[64];
    int fd;

    (void)state;
    setenv("NOTIFY_SOCKET", path, 1);
    assert_false(notify("READY=1"));
    assert_heard(listen_on(path, strlen(path)));
    /* One without a file. */
    snprintf(name, sizeof(name), "@%s", dir);
    setenv("NOTIFY_SOCKET", name, 1);
    name[0] = '\0';
    fd = listen_on(name, strlen(dir) + 1);
    assert_heard(fd);
}

static void test_nobody_to_notify(void **state)
{
    char name[300];

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_false(notify("READY=1"));
    setenv("NOTIFY_SOCKET", "", 1);
    assert_false(notify("READY=1"));
    setenv("NOTIFY_SOCKET", "x", 1);
    assert_false(notify("READY=1"));
    memset(name, '/', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    assert_false(notify("READY=1"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one),    TEST(test_inherited),
        TEST(test_cannot), TEST(test_sign_again),
        TEST(test_notify), TEST(test_nobody_to_notify),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
