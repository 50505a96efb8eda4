/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host/qmp.c, host/qemu-job.c: what a QEMU may answer, of which a guest may
 * have got hold.
 */
#include "config.h"

#include "host/qmp.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"
#define DONE     "{\"return\": {}}\r\n"
#define DOMID    7U

static xenfork_ctx ctx;
static pid_t server;

/* One line of what we say. */
static void hear(int fd)
{
    char c = 0;

    while (c != '\n' && read(fd, &c, 1) == 1)
        ;
}

static void say(int fd, const char *text)
{
    size_t bytes = strlen(text);

    if (send(fd, text, bytes, MSG_NOSIGNAL) != (ssize_t)bytes)
        _exit(1);
}

/* A text at first, and one for each line that it hears; then it goes. */
static void serve(int listener, const char *const texts[])
{
    int fd = accept(listener, NULL, NULL);
    size_t i;

    for (i = 0; texts[i]; i++) {
        if (i)
            hear(fd);
        say(fd, texts[i]);
    }
    _exit(0);
}

/* One text again and again, without an end. */
static void serve_endlessly(int listener, const char *const texts[])
{
    int fd = accept(listener, NULL, NULL);

    say(fd, texts[0]);
    hear(fd);
    for (;;)
        say(fd, texts[1]);
}

static void start(void (*how)(int listener, const char *const texts[]),
                  const char *const texts[])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), QMP_SOCKET, DOMID);
    unlink(address.sun_path);
    assert_int_equal(
        bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(listener, 1), 0);
    server = fork();
    assert_true(server >= 0);
    if (!server)
        how(listener, texts);
    close(listener);
}

static int setup(void **state)
{
    (void)state;
    ctx = (xenfork_ctx){.guard_fd = -1, .domid = XENFORK_DOMID_NONE};
    server = 0;
    return 0;
}

static int teardown(void **state)
{
    char path[64];

    (void)state;
    xenfork__sys_qemu_close(&ctx);
    if (server) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
    snprintf(path, sizeof(path), QMP_SOCKET, DOMID);
    unlink(path);
    return 0;
}

static int ask(void)
{
    return xenfork__qmp(&ctx, DOMID, "query-block", NULL, NULL);
}

/* Check the reply to query-block; NULL: QEMU goes. */
static void assert_answer(const char *answer, int code, const char *text)
{
    const char *const texts[] = {GREETING, DONE, answer, NULL};

    start(serve, texts);
    assert_int_equal(ask(), code);
    if (text)
        assert_non_null(strstr(ctx.error.text, text));
}

static void test_answer(void **state)
{
    static const char *const path[] = {"return", "n", NULL};
    const char *const texts[] = {GREETING, DONE, "{\"return\": {\"n\": 4}}\n",
                                 DONE, NULL};
    yajl_val reply = NULL;

    (void)state;
    start(serve, texts);
    assert_int_equal(xenfork__qmp(&ctx, DOMID, "query-block", NULL, &reply), 0);
    assert_int_equal(YAJL_GET_INTEGER(yajl_tree_get(
                         reply, (const char **)(uintptr_t)path, yajl_t_number)),
                     4);
    yajl_tree_free(reply);
    /* By the same connection. */
    assert_int_equal(xenfork__qmp(&ctx, DOMID, "stop", "{\"a\": 1}", NULL), 0);
}

static void test_events(void **state)
{
    (void)state;
    assert_answer("{\"event\": \"RESUME\"}\n{\"event\": \"STOP\"}\n" DONE, 0,
                  NULL);
}

static void test_refused(void **state)
{
    (void)state;
    assert_answer("{\"error\": {\"class\": \"x\", \"desc\": \"no such\"}}\n",
                  XENFORK_E_DISK, "query-block: no such");
}

static void test_refused_oddly(void **state)
{
    (void)state;
    assert_answer("{\"error\": {\"desc\": [1]}}\n", XENFORK_E_DISK, "refused");
}

static void test_no_json(void **state)
{
    (void)state;
    assert_answer("hello\n", XENFORK_E_DISK, "not JSON");
    assert_null(ctx.qmp);
}

/* A guest that has got hold of its QEMU: no more than an error of it. */
static void test_deep(void **state)
{
    static char text[(4U << 20) - 4096];
    static const char open[] = "[[[[{\"a\":[";
    size_t i;

    (void)state;
    memset(text, '[', sizeof(text));
    strcpy(text + sizeof(text) - 2, "\n");
    assert_answer(text, XENFORK_E_DISK, "not JSON");
    for (i = 0; i + sizeof(open) < sizeof(text) / 64; i += sizeof(open) - 1)
        memcpy(text + i, open, sizeof(open));
    strcpy(text + i, "\n");
    assert_answer(text, XENFORK_E_DISK, "not JSON");
    /* Brackets in a text are none. */
    strcpy(text, "{\"return\": {}, \"a\": \"\\\"");
    memset(text + strlen(text), '[', 200);
    strcpy(strchr(text, '[') + 200, "\"}\r\n");
    assert_answer(text, 0, NULL);
}

static void test_no_object(void **state)
{
    (void)state;
    assert_answer("[1]\n{\"return\"\n", XENFORK_E_DISK, "not JSON");
}

static void test_goes(void **state)
{
    (void)state;
    assert_answer(NULL, XENFORK_E_DISK, "has gone away");
    assert_null(ctx.qmp);
}

static void test_half(void **state)
{
    (void)state;
    assert_answer("{\"return\": ", XENFORK_E_DISK, "has gone away");
}

static void test_no_greeting(void **state)
{
    static const char *const texts[] = {"{\"return\": {}}\n", NULL};

    (void)state;
    start(serve, texts);
    assert_int_equal(ask(), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "does not speak QMP"));
}

static void test_endless_line(void **state)
{
    static const char *const texts[] = {GREETING, "aaaaaaaaaaaaaaaaaaaaaaaa",
                                        NULL};

    (void)state;
    start(serve_endlessly, texts);
    assert_int_equal(ask(), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "sends too long a reply"));
}

static void test_endless_events(void **state)
{
    static const char *const texts[] = {GREETING, "{\"event\": \"X\"}\n", NULL};

    (void)state;
    start(serve_endlessly, texts);
    assert_int_equal(ask(), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "does not answer"));
}

static void test_nobody(void **state)
{
    (void)state;
    assert_false(xenfork__sys_qemu_is_there(DOMID));
    assert_int_equal(ask(), XENFORK_E_NOTFOUND);
}

/* What QEMU does is asked again and again, until it has said it. */
static void test_status(void **state)
{
    const char *const texts[] = {
        GREETING, DONE, "{\"return\": {\"status\": \"paused\"}}\n", NULL};
    const struct timespec pause = {.tv_nsec = 1000000};
    cleanup_free char *status = NULL;

    (void)state;
    assert_int_equal(xenfork__qmp_status(&ctx, DOMID, &status), 0);
    assert_null(status);
    start(serve, texts);
    while (xenfork__qmp_status(&ctx, DOMID, &status) == 0 && !status)
        nanosleep(&pause, NULL);
    assert_non_null(status);
    assert_string_equal(status, "paused");
}

static void serve_silently(int listener, const char *const texts[])
{
    int fd = accept(listener, NULL, NULL);

    (void)texts;
    hear(fd);
    _exit(0);
}

static int poll_status(yajl_val *reply)
{
    return xenfork__qmp_poll(&ctx, DOMID, "query-status", reply);
}

/* Ask until there is an answer, which is @is_error or not. */
static int poll_to_end(bool is_error)
{
    static const char *const path[] = {"error", NULL};
    const struct timespec pause = {.tv_nsec = 1000000};
    yajl_val reply = NULL;
    int rc;

    while ((rc = poll_status(&reply)) == 0 && !reply)
        nanosleep(&pause, NULL);
    if (reply)
        assert_int_equal(
            !!yajl_tree_get(reply, (const char **)(uintptr_t)path, yajl_t_any),
            is_error);
    yajl_tree_free(reply);
    return rc;
}

/* Asked without waiting: twice, and then as otherwise, by one connection. */
static void test_poll(void **state)
{
    static const char event[] = "{\"event\": \"X\"}\n";
    cleanup_free char *late = NULL;

    (void)state;
    assert_true(asprintf(&late, "%s" DONE, event) > 0);
    {
        const char *const texts[] = {
            GREETING, late, "{\"error\": {\"desc\": \"no\"}}\n",
            DONE,     DONE, NULL};

        start(serve, texts);
    }
    assert_int_equal(poll_to_end(true), 0);
    assert_int_equal(poll_to_end(false), 0);
    assert_int_equal(ask(), 0);
}

static void test_poll_silent(void **state)
{
    uint64_t start_ns = xenfork__now_ns();
    yajl_val reply = NULL;
    int i;

    (void)state;
    start(serve_silently, NULL);
    for (i = 0; i < 3; i++)
        assert_int_equal(poll_status(&reply), 0);
    assert_null(reply);
    assert_true(xenfork__now_ns() - start_ns < 5000000000);
    /* Another question does not go on with that session. */
    kill(server, SIGKILL);
    assert_int_equal(waitpid(server, NULL, 0), server);
    server = 0;
    assert_int_equal(ask(), XENFORK_E_NOTFOUND);
}

static void test_poll_odd(void **state)
{
    static const char *const texts[] = {"{\"return\": {}}\n", NULL};

    (void)state;
    start(serve, texts);
    assert_int_equal(poll_to_end(false), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "does not speak QMP"));
    assert_null(ctx.qmp);
}

static void test_poll_goes(void **state)
{
    static const char *const texts[] = {GREETING, DONE, NULL};

    (void)state;
    start(serve, texts);
    assert_int_equal(poll_to_end(false), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "has gone away"));
}

static void test_poll_endless(void **state)
{
    static const char *const texts[] = {GREETING, "aaaaaaaaaaaaaaaaaaaaaaaa",
                                        NULL};

    (void)state;
    start(serve_endlessly, texts);
    assert_int_equal(poll_to_end(false), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "sends too long a reply"));
}

static void test_poll_nobody(void **state)
{
    (void)state;
    assert_int_equal(poll_to_end(false), XENFORK_E_NOTFOUND);
}

static void test_quote(void **state)
{
    char *quoted = xenfork__qmp_quote("a\"b\\c\n");

    (void)state;
    assert_string_equal(quoted, "\"a\\\"b\\\\c\\n\"");
    free(quoted);
}

#define REFUSED "{\"error\": {\"class\": \"x\", \"desc\": \"no\"}}\n"
#define NO_JOB  "{\"return\": []}\n"
#define JOB(status, total)                                    \
    "{\"return\": [{\"id\": \"m0123456789abcdef0123-xvda\", " \
    "\"status\": \"" status "\", \"total-progress\": " total "}]}\n"

/* A copy that begins, by what QEMU says of its job then. */
static int commit(const char *first, const char *second)
{
    static const struct xenfork__qemu_top top = {.node = "xvda-qcow2"};
    const char *const texts[] = {GREETING, DONE,  REFUSED, DONE,
                                 DONE,     first, second,  NULL};

    start(serve, texts);
    return xenfork__sys_qemu_commit(&ctx, DOMID, &top,
                                    "m0123456789abcdef0123-xvda", "/x");
}

static void test_begins(void **state)
{
    (void)state;
    assert_int_equal(commit(JOB("running", "0"), JOB("running", "65536")), 0);
    /* By the second answer: there is no third. */
    assert_int_equal(ask(), XENFORK_E_DISK);
}

static void test_begins_empty(void **state)
{
    (void)state;
    assert_int_equal(commit(JOB("created", "0"), JOB("ready", "0")), 0);
    assert_int_equal(ask(), XENFORK_E_DISK);
}

static void test_begins_not(void **state)
{
    (void)state;
    assert_int_equal(commit(JOB("running", "0"), NO_JOB), XENFORK_E_DISK);
    assert_non_null(strstr(ctx.error.text, "cannot copy disk xvda"));
}

#define DEVICE(node, bytes)                                     \
    "{\"inserted\": {\"node-name\": \"" node "\", \"image\": {" \
    "\"actual-size\": " bytes "}}}"

static int ask_allocated(const char *answer, uint64_t *bytes_out)
{
    const char *const texts[] = {GREETING, DONE, answer, NULL};
    int rc;

    start(serve, texts);
    rc = xenfork__sys_qemu_allocated(&ctx, DOMID, "xvda", bytes_out);
    teardown(NULL);
    return rc;
}

/* By the name of its node, of any format; an empty drive has none. */
static void test_allocated(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    assert_int_equal(
        ask_allocated("{\"return\": [{}, " DEVICE("xvdaa-raw", "1") ", " DEVICE(
                          "xvda-raw", "4096") "]}\n",
                      &bytes),
        0);
    assert_int_equal(bytes, 4096);
    assert_int_equal(
        ask_allocated("{\"return\": [" DEVICE("o0123456789abcdef0123-xvda",
                                              "8192") "]}\n",
                      &bytes),
        0);
    assert_int_equal(bytes, 8192);
    assert_int_equal(
        ask_allocated("{\"return\": [" DEVICE("#block123", "1") "]}\n", &bytes),
        XENFORK_E_NOTFOUND);
    assert_int_equal(
        ask_allocated("{\"return\": [" DEVICE("xvda-raw", "[]") "]}\n", &bytes),
        XENFORK_E_NOTFOUND);
    assert_int_equal(ask_allocated("{\"return\": {}}\n", &bytes),
                     XENFORK_E_DISK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answer),       TEST(test_events),
        TEST(test_refused),      TEST(test_refused_oddly),
        TEST(test_no_json),      TEST(test_no_object),
        TEST(test_deep),         TEST(test_goes),
        TEST(test_half),         TEST(test_no_greeting),
        TEST(test_endless_line), TEST(test_endless_events),
        TEST(test_nobody),       TEST(test_quote),
        TEST(test_begins),       TEST(test_begins_empty),
        TEST(test_begins_not),   TEST(test_allocated),
        TEST(test_status),       TEST(test_poll),
        TEST(test_poll_silent),  TEST(test_poll_odd),
        TEST(test_poll_goes),    TEST(test_poll_endless),
        TEST(test_poll_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
