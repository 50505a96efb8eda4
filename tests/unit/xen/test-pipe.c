/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xen/pipe.c, on a xenstored of our own. */
#include "config.h"

#include "xen/pipe.h"

#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <xen/io/xs_wire.h>

#include <cmocka.h>

#define MANY 4000U

static struct xenfork__xen xen;
static xenfork_ctx ctx = {.xen = &xen};
static char dir[] = "/tmp/xenfork-test-pipe-XXXXXX", path[64];
static int listener;
static pthread_t thread;

/* The server's behaviour, and what it has seen. */
static uint32_t disputes;              /* transactions that others get into */
static uint32_t fail_at, silent_at;    /* a request by its number; 0: none */
static uint32_t hang_up_at, mix_up_at; /* likewise */
static const char *fail_by;
static uint32_t requests, started, done, dropped, introduced;
static char last[XENFORK__PIPE_MAX + 1];
static uint32_t last_bytes;

static bool get(int fd, void *data, size_t bytes)
{
    return recv(fd, data, bytes, MSG_WAITALL) == (ssize_t)bytes;
}

static void answer(int fd, struct xsd_sockmsg header, const char *text)
{
    header.len = (uint32_t)strlen(text) + 1;
    if (send(fd, &header, sizeof(header), MSG_NOSIGNAL | MSG_MORE) > 0)
        send(fd, text, header.len, MSG_NOSIGNAL);
}

static void end_transaction(int fd, struct xsd_sockmsg header, char how)
{
    if (how == 'F') {
        dropped++;
    } else if (disputes) {
        disputes--;
        header.type = XS_ERROR;
        answer(fd, header, "EAGAIN");
        return;
    } else {
        done++;
    }
    answer(fd, header, "OK");
}

static void serve_one(int fd, struct xsd_sockmsg header, const char *payload)
{
    if (requests == mix_up_at)
        header.req_id++;
    if (requests == fail_at) {
        header.type = XS_ERROR;
        answer(fd, header, fail_by);
    } else if (header.type == XS_TRANSACTION_START) {
        started++;
        answer(fd, header, "7");
    } else if (header.type == XS_TRANSACTION_END) {
        end_transaction(fd, header, payload[0]);
    } else {
        introduced += header.type == XS_INTRODUCE;
        assert(header.type == XS_INTRODUCE || header.tx_id == 7);
        memcpy(last, payload, header.len);
        last_bytes = header.len;
        answer(fd, header, "OK");
    }
}

static void serve(int fd)
{
    static char payload[XENFORK__PIPE_MAX];
    struct xsd_sockmsg header;

    while (get(fd, &header, sizeof(header)) && header.len <= sizeof(payload) &&
           get(fd, payload, header.len)) {
        requests++;
        if (requests == hang_up_at)
            return;
        if (!silent_at || requests < silent_at)
            serve_one(fd, header, payload);
    }
}

static void *run(void *unused)
{
    int fd;

    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        serve(fd);
        close(fd);
    }
    return unused;
}

static int teardown(void **state)
{
    (void)state;
    xenfork__pipe_free(xen.pipe);
    xen.pipe = NULL;
    return 0;
}

/* Begin anew, in a test too. */
static int setup(void **state)
{
    teardown(state);
    xen.pipe = xenfork__pipe_new();
    disputes = fail_at = silent_at = hang_up_at = mix_up_at = 0;
    requests = started = done = dropped = introduced = 0;
    memset(ctx.counters, 0, sizeof(ctx.counters));
    return xen.pipe ? 0 : -1;
}

/* As many nodes as @opaque says, of 2000 bytes each. */
static void fill(xenfork_ctx *c, uint32_t transaction, const void *opaque)
{
    static char value[2001];
    uint32_t i, count = *(const uint32_t *)opaque;

    memset(value, 'x', sizeof(value) - 1);
    for (i = 0; i < count; i++)
        xenfork__pipe_write(c, transaction, value, "/a/%u", i);
}

static int transact(uint32_t count)
{
    return xenfork__pipe_transact(&ctx, fill, &count);
}

/* Far more than the sockets hold: neither side waits for the other. */
static void test_many(void **state)
{
    (void)state;
    assert_int_equal(transact(MANY), 0);
    assert_int_equal(requests, MANY + 2);
    assert_int_equal(done, 1);
    assert_int_equal(ctx.counters[XENFORK_COUNT_XENSTORE_OPS], MANY + 2);
    assert_int_equal(ctx.counters[XENFORK_COUNT_XENSTORE_WAITS], 3);
}

static void put_forms(xenfork_ctx *c, uint32_t transaction, const void *opaque)
{
    xenfork__pipe_rm(c, transaction, "/a");
    xenfork__pipe_mkdir(c, transaction, "/a");
    xenfork__pipe_permit(c, transaction, 0, *(const uint32_t *)opaque, "/%s",
                         "a");
}

static void test_forms(void **state)
{
    static const char perms[] = "/a\0n0\0r5", where[] = "5\0"
                                                        "1044476\0"
                                                        "3";
    uint32_t reader = 5;

    (void)state;
    assert_int_equal(xenfork__pipe_transact(&ctx, put_forms, &reader), 0);
    assert_int_equal(last_bytes, sizeof(perms));
    assert_memory_equal(last, perms, sizeof(perms));
    reader = XENFORK_DOMID_NONE;
    assert_int_equal(xenfork__pipe_transact(&ctx, put_forms, &reader), 0);
    assert_int_equal(last_bytes, 6);
    xenfork__pipe_introduce(&ctx, 5, 1044476, 3);
    assert_int_equal(introduced, 0);
    assert_int_equal(xenfork__pipe_wait(&ctx), 0);
    assert_int_equal(introduced, 1);
    assert_int_equal(last_bytes, sizeof(where));
    assert_memory_equal(last, where, sizeof(where));
}

/* One that is refused drops all, whatever came after it. */
static void test_refused(void **state)
{
    static const struct {
        const char *by;
        int e;
    } cases[] = {{"E2BIG", E2BIG}, {"ENOSPC", ENOSPC}, {"EODD", EIO}};
    size_t i;

    for (i = 0; i < ARRAY_SIZE(cases); i++) {
        setup(state);
        fail_at = 4;
        fail_by = cases[i].by;
        assert_int_equal(transact(10), cases[i].e);
        assert_int_equal(dropped, 1);
        assert_int_equal(done, 0);
        assert_int_equal(transact(10), 0); /* nothing is left of it */
        assert_int_equal(done, 1);
    }
}

static void put_too_much(xenfork_ctx *c, uint32_t transaction,
                         const void *opaque)
{
    xenfork__pipe_write(c, transaction, opaque, "/a");
    xenfork__pipe_write(c, transaction, "b", "/b");
}

static void test_too_long(void **state)
{
    char value[XENFORK__PIPE_MAX];

    (void)state;
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(xenfork__pipe_transact(&ctx, put_too_much, value), E2BIG);
    assert_int_equal(dropped, 1);
    value[sizeof(value) - 4] = '\0'; /* with the path it is all that fits */
    assert_int_equal(xenfork__pipe_transact(&ctx, put_too_much, value), 0);
}

/* Others who get between make it begin again, not for ever. */
static void test_dispute(void **state)
{
    (void)state;
    disputes = 3;
    assert_int_equal(transact(2), 0);
    assert_int_equal(started, 4);
    assert_int_equal(done, 1);
    disputes = UINT32_MAX;
    assert_int_equal(transact(2), EAGAIN);
    assert_int_equal(started, 4 + XENFORK__XS_TRIES);
    assert_int_equal(done, 1);
}

/* Nothing more of a broken connection is believed; the next is a new one. */
static void test_broken(void **state)
{
    static const struct {
        uint32_t *at;
        int e;
    } cases[] = {
        {&silent_at, ETIMEDOUT}, {&hang_up_at, EPIPE}, {&mix_up_at, EPROTO}};
    uint64_t start_ns;
    uint32_t at;
    size_t i;
    int e;

    for (i = 0; i < ARRAY_SIZE(cases); i++)
        for (at = 1; at <= 5; at++) {
            setup(state);
            *cases[i].at = at;
            start_ns = xenfork__now_ns();
            e = transact(3);
            assert_int_equal(e == ECONNRESET ? EPIPE : e, cases[i].e);
            assert_in_range(xenfork__now_ns() - start_ns, 0, 3000000000U);
            *cases[i].at = 0;
            done = 0;
            assert_int_equal(transact(3), 0);
            assert_int_equal(done, 1);
        }
}

static void test_nobody(void **state)
{
    (void)state;
    assert_true(xenfork__pipe_is_there(&ctx));
    setup(state);
    setenv("XENSTORED_PATH", "/nowhere", 1);
    assert_false(xenfork__pipe_is_there(&ctx));
    assert_int_equal(transact(1), ENOENT);
    setenv("XENSTORED_PATH", path, 1);
    assert_int_equal(transact(1), 0);
}

static int start(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof(path), "%s/socket", dir);
    memcpy(address.sun_path, path, strlen(path));
    setenv("XENSTORED_PATH", path, 1);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return listener < 0 ||
           bind(listener, (struct sockaddr *)&address, sizeof(address)) ||
           listen(listener, 1) || pthread_create(&thread, NULL, run, NULL);
}

static int stop(void **state)
{
    (void)state;
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    unlink(path);
    rmdir(dir);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many),     TEST(test_forms),   TEST(test_refused),
        TEST(test_too_long), TEST(test_dispute), TEST(test_broken),
        TEST(test_nobody),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
