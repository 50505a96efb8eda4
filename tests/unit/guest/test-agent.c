/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the guest's agent; tests/agent has it as a whole. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest/agent.h"
#include "guest/dir.h"
#include "guest/hooks.h"
#include "guest/identity.h"
#include "guest/random.h"
#include "guest/store.h"
#include "guest/util.h"

enum {
    READ = 2,
    DIRECTORY = 1,
    WATCH = 4,
    WRITE = 11,
    EVENT = 15,
    ERROR = 16
};

/* Stands in for main.c, which is not linked. */
void complain(const char *format, ...)
{
    (void)format;
}

static long long clock_ms;

long long now_ms(void)
{
    return clock_ms += 10000; /* no test waits long */
}

/* xenstore's end of a connection: answers are put there beforehand. */
static int peer;

static void connect_store(struct store *store)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    store_attach(store, fds[0]);
    peer = fds[1];
}

static void disconnect(struct store *store)
{
    store_close(store);
    close(peer);
}

static void answer_bytes(uint32_t type, uint32_t id, const void *payload,
                         uint32_t bytes)
{
    uint32_t header[4] = {type, id, 0, bytes};

    assert_int_equal(write(peer, header, sizeof(header)), sizeof(header));
    assert_int_equal(write(peer, payload, bytes), bytes);
}

static void answer(uint32_t type, uint32_t id, const char *text)
{
    answer_bytes(type, id, text, (uint32_t)strlen(text));
}

/* The next request as xenstore gets it. */
static void assert_request(uint32_t type, uint32_t id, const char *payload,
                           uint32_t bytes)
{
    uint32_t header[4];
    char text[STORE_PAYLOAD_MAX];

    assert_int_equal(read(peer, header, sizeof(header)), sizeof(header));
    assert_int_equal(header[0], type);
    assert_int_equal(header[1], id);
    assert_int_equal(header[2], 0);
    assert_int_equal(header[3], bytes);
    assert_int_equal(read(peer, text, bytes), bytes);
    assert_memory_equal(text, payload, bytes);
}

static void test_requests(void **state)
{
    struct store store;
    char value[16], names[STORE_PAYLOAD_MAX];
    size_t bytes;

    (void)state;
    connect_store(&store);
    answer(READ, 1, "clone");
    answer(WRITE, 2, "OK");
    answer_bytes(DIRECTORY, 3, "a\0bc\0", 5);
    answer(WATCH, 4, "OK");
    answer(WATCH, 0, "OK"); /* as Linux does */
    assert_int_equal(store_read(&store, "fork/role", value, sizeof(value)), 0);
    assert_string_equal(value, "clone");
    assert_int_equal(store_write(&store, "data/x", "1"), 0);
    assert_int_equal(store_list(&store, "p", names, &bytes), 0);
    assert_int_equal(bytes, 5);
    assert_memory_equal(names, "a\0bc\0", 5);
    assert_int_equal(store_watch(&store, "fork"), 0);
    assert_int_equal(store_watch(&store, "fork"), 0);
    assert_request(READ, 1, "fork/role", 10);
    assert_request(WRITE, 2, "data/x\0001", 8);
    assert_request(DIRECTORY, 3, "p", 2);
    assert_request(WATCH, 4, "fork\0w", 7);
    disconnect(&store);
}

/* An event may come before the answer to anything. */
static void test_events(void **state)
{
    struct store store;
    char value[16];

    (void)state;
    connect_store(&store);
    assert_int_equal(store_wait(&store, 0), 0);
    answer_bytes(EVENT, 0, "fork\0w\0", 7);
    answer_bytes(EVENT, 0, "fork\0w\0", 7);
    answer(READ, 1, "x");
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), 0);
    assert_int_equal(store_wait(&store, 0), 1);
    assert_int_equal(store_wait(&store, 0), 0);
    answer_bytes(EVENT, 0, "fork\0w\0", 7);
    assert_int_equal(store_wait(&store, 0), 1);
    assert_int_equal(store_wait(&store, 0), 0);
    answer(READ, 2, "nobody asked");
    assert_int_equal(store_wait(&store, 0), -EPROTO);
    assert_int_equal(store_wait(&store, 0), -EPIPE);
    disconnect(&store);
}

static void test_errors(void **state)
{
    struct store store;
    char value[4] = "old";

    (void)state;
    connect_store(&store);
    answer_bytes(ERROR, 1, "ENOENT", 7);
    answer_bytes(ERROR, 2, "EACCES", 7);
    answer(ERROR, 3, "ENONSENSE");
    answer(READ, 4, "four");
    answer_bytes(READ, 5, "a\0b", 3);
    answer(READ, 6, "new");
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), -ENOENT);
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), -EACCES);
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), -EIO);
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), -EMSGSIZE);
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), -EPROTO);
    assert_string_equal(value, "old");
    assert_int_equal(store_read(&store, "k", value, sizeof(value)), 0);
    assert_string_equal(value, "new");
    disconnect(&store);
}

/* After these nothing that comes can be told apart. */
static void test_broken_streams(void **state)
{
    static const struct {
        uint32_t type, id, claimed_bytes;
        int rc;
    } cases[] = {
        {READ, 2, 0, -EPROTO},
        {WRITE, 1, 0, -EPROTO},
        {READ, 1, STORE_PAYLOAD_MAX + 1, -EPROTO},
        {READ, 1, UINT32_MAX, -EPROTO},
        {READ, 1, 5, -ETIMEDOUT},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t header[4] = {cases[i].type, cases[i].id, 0,
                              cases[i].claimed_bytes};
        struct store store;
        char value[16];

        connect_store(&store);
        assert_int_equal(write(peer, header, sizeof(header)), sizeof(header));
        assert_int_equal(store_read(&store, "k", value, sizeof(value)),
                         cases[i].rc);
        assert_int_equal(store.fd, -1);
        assert_int_equal(store_read(&store, "k", value, sizeof(value)), -EPIPE);
        disconnect(&store);
    }
}

static void test_too_long_to_send(void **state)
{
    char text[STORE_PAYLOAD_MAX + 1], value[16];
    struct store store;

    (void)state;
    connect_store(&store);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(store_read(&store, text, value, sizeof(value)),
                     -ENAMETOOLONG);
    assert_int_equal(store_write(&store, "k", text), -EMSGSIZE);
    assert_int_not_equal(store.fd, -1);
    disconnect(&store);
}

static void test_keys(void **state)
{
    static const char *const good[] = {"a", "A.b_c-9", "9", "-", "_"};
    static const char *const bad[] = {"",    ".a",  "a b",      "a/b",
                                      "a\n", "a=b", "\xc3\xa4", "$(x)"};
    char key[PARAM_KEY_MAX + 2];
    char name[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(param_key_is_valid(good[i]));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(param_key_is_valid(bad[i]));
    memset(key, 'x', sizeof(key) - 1);
    key[PARAM_KEY_MAX + 1] = '\0';
    assert_false(param_key_is_valid(key));
    key[PARAM_KEY_MAX] = '\0';
    assert_true(param_key_is_valid(key));
    param_variable(key, name);
    assert_int_equal(strlen(name), sizeof(name) - 1);
    param_variable("a.b-C_9", name);
    assert_string_equal(name, "XENFORK_PARAM_A_B_C_9");
}

static void test_hook_names(void **state)
{
    (void)state;
    assert_true(hook_name_is_valid("10-hostname"));
    assert_true(hook_name_is_valid("A_b"));
    assert_false(hook_name_is_valid(""));
    assert_false(hook_name_is_valid("."));
    assert_false(hook_name_is_valid("10-x.dpkg-new"));
    assert_false(hook_name_is_valid("x~"));
}

static void test_seed(void **state)
{
    char hex[2 * SEED_BYTES + 2];
    uint8_t seed[SEED_BYTES] = {0};

    (void)state;
    memset(hex, 'a', sizeof(hex));
    hex[2 * SEED_BYTES + 1] = '\0';
    assert_false(seed_decode(hex, seed)); /* one too many */
    hex[2 * SEED_BYTES] = '\0';
    memcpy(hex, "09aF", 4);
    assert_true(seed_decode(hex, seed));
    assert_int_equal(seed[0], 0x09);
    assert_int_equal(seed[1], 0xaf);
    assert_int_equal(seed[SEED_BYTES - 1], 0xaa);
    hex[2 * SEED_BYTES - 1] = 'g';
    assert_false(seed_decode(hex, seed));
    hex[2 * SEED_BYTES - 1] = '\0';
    assert_false(seed_decode(hex, seed));
    assert_false(seed_decode("", seed));
    assert_false(seed_decode("0x", seed));
}

/* The kernel's generator: what it was told, in order. */
static char told[64];
static int entropy_bits, pool_bytes;
static uint8_t pool[SEED_BYTES];

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    (void)fd;
    if (request == (unsigned long)RNDADDENTROPY) {
        const int *numbers = argument;

        entropy_bits = numbers[0];
        pool_bytes = numbers[1];
        memcpy(pool, numbers + 2, sizeof(pool));
        strcat(told, "add ");
    } else if (request == (unsigned long)RNDRESEEDCRNG) {
        strcat(told, "reseed ");
    } else {
        strcat(told, "? ");
    }
    return 0;
}

static ino_t synced[8];
static size_t synced_count;

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_in_range(synced_count, 0, 7);
    synced[synced_count++] = st.st_ino;
    return 0;
}

/* Each name that is made is synced in the directory that it is in. */
static void test_make_dir(void **state)
{
    char top[] = "/tmp/xenfork-agent-XXXXXX", one[64], two[96];
    struct stat in_top, in_one;

    (void)state;
    synced_count = 0;
    assert_non_null(mkdtemp(top));
    snprintf(one, sizeof(one), "%s/one", top);
    snprintf(two, sizeof(two), "%s/two", one);
    assert_int_equal(make_dir(two), 0);
    assert_int_equal(stat(top, &in_top), 0);
    assert_int_equal(stat(one, &in_one), 0);
    assert_int_equal(synced_count, 2);
    assert_true(synced[0] == in_top.st_ino && synced[1] == in_one.st_ino);
    assert_int_equal(make_dir(two), 0);
    assert_int_equal(synced_count, 2);
    rmdir(two);
    rmdir(one);
    rmdir(top);
}

static void test_reseed(void **state)
{
    char hex[2 * SEED_BYTES + 1];
    struct store store;

    (void)state;
    memset(hex, '5', sizeof(hex));
    hex[2 * SEED_BYTES] = '\0';
    connect_store(&store);
    answer(READ, 1, hex);
    assert_int_equal(random_reseed(&store, "/dev/null", "g"), 0);
    assert_string_equal(told, "add reseed ");
    assert_int_equal(entropy_bits, 512);
    assert_int_equal(pool_bytes, 64);
    assert_int_equal(pool[0], 0x55);
    assert_int_equal(pool[63], 0x55);
    told[0] = '\0';
    answer_bytes(ERROR, 2, "ENOENT", 7);
    assert_int_equal(random_reseed(&store, "/dev/null", "g"), -ENOENT);
    assert_string_equal(told, "reseed ");
    told[0] = '\0';
    hex[5] = ' ';
    answer(READ, 3, hex);
    assert_int_equal(random_reseed(&store, "/dev/null", "g"), -EINVAL);
    assert_string_equal(told, "reseed ");
    assert_int_equal(random_reseed(&store, "/no/such/device", "g"), -ENOENT);
    disconnect(&store);
}

/* A fork between the first read and the last one. */
static void test_torn_instance(void **state)
{
    struct instance instance;
    struct store store;
    uint32_t id = 1;

    (void)state;
    connect_store(&store);
    for (int round = 0; round < 2; round++) {
        answer(READ, id++, round ? "new" : "old");
        answer(READ, id++, "clone");
        answer(READ, id++, "source");
        answer(READ, id++, "0");
        answer(READ, id++, "0=00:16:3e:00:00:02");
        answer(READ, id++, "name");
        answer_bytes(DIRECTORY, id++, "k\0", 2);
        answer(READ, id++, round ? "of the new" : "of the old");
        answer(READ, id++, "new");
        answer(READ, id++, "clone");
    }
    assert_int_equal(instance_read(&store, &instance), 0);
    assert_true(instance_is_clone(&instance));
    assert_string_equal(instance.generation, "new");
    assert_int_equal(instance.param_count, 1);
    assert_string_equal(instance.params[0].value, "of the new");
    instance_free(&instance);
    disconnect(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_broken_streams),
        cmocka_unit_test(test_too_long_to_send),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_hook_names),
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_make_dir),
        cmocka_unit_test(test_reseed),
        cmocka_unit_test(test_torn_instance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
