/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The stream byte by byte, and as a second reader sees it. */
#include "config.h"

#include "op/stream.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"
#include "../lib/stream-parser.h"

static int setup(void **state)
{
    fake_setup();
    *state = scene_open();
    return 0;
}

static int teardown(void **state)
{
    xenfork_close(*state);
    fake_teardown();
    return 0;
}

/* Two pages, and a context whose size is no multiple of 8. */
static struct xenfork__capture small = {
    .xen_major = 4,
    .xen_minor = 17,
    .cpuid = (uint8_t *)(char[]){"cpuid-leaf-of-24-bytes.."},
    .cpuid_bytes = 24,
    .msrs = (uint8_t *)(char[]){"msr-entry-16-by."},
    .msrs_bytes = 16,
    .tsc_mode = 2,
    .tsc_khz = 0x11223344,
    .tsc_incarnation = 5,
    .tsc_ns = 0x0102030405060708,
    .context = (uint8_t *)(char[]){"context-13-by"},
    .context_bytes = 13,
    .param_count = 2,
    .params = (struct xenfork__param[]){{1, 0xfeffc}, {17, 0xfeffd}},
    .page_count = 2,
    .page_gfns = (uint64_t[]){0xfeffc, 0xfeffd},
};

static void check_bytes(const uint8_t **at, const char *wanted, size_t bytes)
{
    assert_memory_equal(*at, wanted, bytes);
    *at += bytes;
}

#define BYTES(text) check_bytes(&at, text, sizeof(text) - 1)

static void test_golden(void **state)
{
    static uint8_t pages[2 * 4096];
    const uint8_t *at;
    uint8_t *stream;
    size_t bytes;

    memset(pages, 'p', 4096);
    memset(pages + 4096, 'q', 4096);
    small.pages = pages;
    assert_int_equal(xenfork__stream_build(*state, &small, &stream, &bytes), 0);
    at = stream;
    BYTES("LibxlFmt"
          "\0\0\0\2"
          "\0\0\0\0");
    BYTES("\1\0\0\0"
          "\0\0\0\0"); /* LIBXC_CONTEXT */
    BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"
          "XENF"
          "\0\0\0\3");
    BYTES("\0\0"
          "\0\0"
          "\0\0\0\0"); /* options, reserved */
    BYTES("\2\0\0\0"
          "\14\0"
          "\0\0"
          "\4\0\0\0"
          "\21\0\0\0");
    BYTES("\21\0\0\0"
          "\30\0\0\0"
          "cpuid-leaf-of-24-bytes..");
    BYTES("\22\0\0\0"
          "\20\0\0\0"
          "msr-entry-16-by.");
    BYTES("\20\0\0\0"
          "\0\0\0\0"); /* STATIC_DATA_END */
    BYTES("\1\0\0\0"
          "\30\40\0\0"
          "\2\0\0\0"
          "\0\0\0\0");
    BYTES("\xfc\xef\x0f\0\0\0\0\0"
          "\xfd\xef\x0f\0\0\0\0\0");
    assert_memory_equal(at, pages, sizeof(pages));
    at += sizeof(pages);
    BYTES("\10\0\0\0"
          "\30\0\0\0"
          "\2\0\0\0"
          "\x44\x33\x22\x11");
    BYTES("\x08\x07\x06\x05\x04\x03\x02\x01"
          "\5\0\0\0"
          "\0\0\0\0");
    BYTES("\11\0\0\0"
          "\15\0\0\0"
          "context-13-by"
          "\0\0\0");
    BYTES("\12\0\0\0"
          "\50\0\0\0"
          "\2\0\0\0"
          "\0\0\0\0");
    BYTES("\1\0\0\0\0\0\0\0"
          "\xfc\xef\x0f\0\0\0\0\0");
    BYTES("\21\0\0\0\0\0\0\0"
          "\xfd\xef\x0f\0\0\0\0\0");
    BYTES("\0\0\0\0"
          "\0\0\0\0"); /* END */
    BYTES("\0\0\0\0"
          "\0\0\0\0"); /* libxl's END */
    assert_ptr_equal(at, stream + bytes);
    free(stream);
}

static struct stream *build(xenfork_ctx *ctx,
                            const struct xenfork__capture *capture,
                            uint8_t **data_out)
{
    struct stream *s;
    const char *why;
    size_t bytes;

    assert_int_equal(xenfork__stream_build(ctx, capture, data_out, &bytes), 0);
    s = stream_parse(*data_out, bytes, &why);
    if (!s)
        print_error("%s\n", why);
    assert_non_null(s);
    return s;
}

/* The second reader returns all that went in. */
static void test_parsed(void **state)
{
    uint64_t gfns[] = {0xfeff8, 0xfeff9, 0xfefff};
    struct xenfork__capture *capture;
    const uint8_t *body;
    struct stream *s;
    uint8_t *data;
    size_t bytes;
    uint32_t domid = fake_add_guest("src");

    fake_domain(domid)->is_shutdown = true;
    assert_int_equal(xenfork__xen_capture(*state, domid, gfns, 3, &capture), 0);
    s = build(*state, capture, &data);
    assert_int_equal(s->xen_major, 4);
    assert_int_equal(s->xen_minor, 17);
    assert_int_equal(s->page_count, 3);
    assert_memory_equal(s->gfns, gfns, sizeof(gfns));
    assert_memory_equal(s->pages, capture->pages, 3 * 4096);
    body = stream_record(s, 0x11, &bytes);
    assert_int_equal(bytes, capture->cpuid_bytes);
    assert_memory_equal(body, capture->cpuid, bytes);
    body = stream_record(s, 0x12, &bytes);
    assert_int_equal(bytes, capture->msrs_bytes);
    assert_memory_equal(body, capture->msrs, bytes);
    body = stream_record(s, 0x09, &bytes);
    assert_int_equal(bytes, capture->context_bytes);
    assert_memory_equal(body, capture->context, bytes);
    stream_free(s);
    free(data);
    xenfork__capture_free(capture);
}

/* QEMU's frame buffer of 128 MiB and more: libxc reads no longer record. */
static void test_many_pages(void **state)
{
    enum {
        COUNT = 33000
    };
    struct xenfork__capture c = small;
    uint64_t *gfns = calloc(COUNT, sizeof(*gfns));
    uint32_t i, n, done = 0;
    struct stream *s;
    uint8_t *data;

    c.page_count = COUNT;
    c.page_gfns = gfns;
    c.pages = calloc(COUNT, 4096);
    assert_non_null(gfns);
    assert_non_null(c.pages);
    for (i = 0; i < COUNT; i++) {
        gfns[i] = 0xf0000 + i;
        memcpy(c.pages + i * 4096U, &i, sizeof(i));
    }
    s = build(*state, &c, &data);
    assert_int_equal(s->page_count, COUNT);
    assert_memory_equal(s->gfns, gfns, COUNT * sizeof(*gfns));
    for (i = 0; i < s->record_count; i++) {
        if (s->types[i] != 0x01)
            continue;
        n = (uint32_t)(s->lengths[i] / (8 + 4096));
        assert_in_range(n, 1, 1024);
        assert_memory_equal(s->bodies[i] + 8 + 8 * n, c.pages + done * 4096U,
                            n * 4096U);
        done += n;
    }
    assert_int_equal(done, COUNT);
    stream_free(s);
    free(data);
    free(c.pages);
    free(gfns);
}

/* Every size of the context modulo 8; nothing that is empty. */
static void test_padding(void **state)
{
    struct xenfork__capture c = small;
    uint8_t context[32] = {0};
    struct stream *s;
    uint8_t *data;
    size_t n, bytes;

    c.context = context;
    c.page_count = c.param_count = 0;
    c.cpuid_bytes = c.msrs_bytes = 0;
    for (n = 1; n <= 16; n++) {
        c.context_bytes = n;
        s = build(*state, &c, &data);
        assert_non_null(stream_record(s, 0x09, &bytes));
        assert_int_equal(bytes, n);
        assert_int_equal(s->bytes % 8, 0);
        /* Absent, not empty: libxc refuses empty ones. */
        assert_null(stream_record(s, 0x01, &bytes));
        assert_null(stream_record(s, 0x0a, &bytes));
        assert_null(stream_record(s, 0x11, &bytes));
        assert_null(stream_record(s, 0x12, &bytes));
        stream_free(s);
        free(data);
    }
}

/* The second reader can say no: or it would prove nothing. */
static void test_parser_refuses(void **state)
{
    static uint8_t pages[2 * 4096];
    const char *why;
    uint8_t *data, *copy;
    size_t bytes, n;
    struct stream *s;

    small.pages = pages;
    assert_int_equal(xenfork__stream_build(*state, &small, &data, &bytes), 0);
    for (n = 0; n < bytes; n += n < 200 || n > 8400 ? 1 : 8) {
        copy = malloc(n + 1); /* of its own, so that ASan sees the end */
        assert_non_null(copy);
        memcpy(copy, data, n);
        assert_null(stream_parse(copy, n, &why));
        assert_non_null(why);
        free(copy);
    }
    copy = malloc(bytes + 8);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    memset(copy + bytes, 0, 8);
    assert_null(stream_parse(copy, bytes + 8, &why));
    copy[0] ^= 1;
    assert_null(stream_parse(copy, bytes, &why));
    copy[0] ^= 1;
    copy[16] = 2; /* LIBXC_CONTEXT */
    assert_null(stream_parse(copy, bytes, &why));
    copy[16] = 1;
    s = stream_parse(copy, bytes, &why);
    assert_non_null(s);
    stream_free(s);
    free(copy);
    free(data);
}

/* Read what QEMU is started with, of as much of a stream as there is. */
static int read_emulator(xenfork_ctx *ctx, const uint8_t *stream, size_t bytes,
                         char **nodes_out, size_t *nodes_bytes_out,
                         char *state_out)
{
    char path[] = "/tmp/xenfork-stream-XXXXXX";
    int fd = mkstemp(path), rc;

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, stream, bytes), bytes);
    rc = xenfork__stream_emulator(ctx, fd, nodes_out, nodes_bytes_out);
    if (rc == 0)
        assert_int_equal(read(fd, state_out, 11), 11);
    close(fd);
    return rc;
}

static void check_emulator(xenfork_ctx *ctx, const struct xenfork__capture *hvm,
                           const uint8_t *stream, size_t bytes)
{
    char state[11], *nodes = NULL;
    size_t i, nodes_bytes = 0;

    assert_int_equal(
        read_emulator(ctx, stream, bytes, &nodes, &nodes_bytes, state), 0);
    assert_memory_equal(state, hvm->emulator, sizeof(state));
    assert_int_equal(nodes_bytes, hvm->emulator_nodes_bytes);
    assert_memory_equal(nodes, hvm->emulator_nodes, nodes_bytes);
    free(nodes);
    for (i = 0; i < bytes; i += 7) /* it is cut off anywhere */
        assert_int_equal(
            read_emulator(ctx, stream, i, &nodes, &nodes_bytes, state),
            XENFORK_E_STATE);
}

static void check_refused(xenfork_ctx *ctx, const uint8_t *stream, size_t bytes)
{
    char state[11], *nodes = NULL;
    size_t nodes_bytes;

    assert_int_equal(
        read_emulator(ctx, stream, bytes, &nodes, &nodes_bytes, state),
        XENFORK_E_STATE);
    assert_null(nodes);
}

/* QEMU's state comes after libxc's part, each record with its header. */
static void test_emulator(void **state)
{
    static uint8_t pages[2 * 4096];
    struct xenfork__capture hvm = small;
    struct stream *parsed;
    const char *why;
    uint8_t *stream;
    size_t bytes;

    hvm.pages = pages;
    hvm.emulator = (uint8_t *)(char[]){"QEVM-11-byt"};
    hvm.emulator_bytes = 11;
    hvm.emulator_nodes = (char[]){"physmap/f0/size\0001000"};
    hvm.emulator_nodes_bytes = 21;
    assert_int_equal(xenfork__stream_build(*state, &hvm, &stream, &bytes), 0);
    parsed = stream_parse(stream, bytes, &why);
    assert_null(why);
    assert_non_null(parsed);
    assert_int_equal(parsed->emulator_bytes, 11);
    assert_memory_equal(parsed->emulator, hvm.emulator, 11);
    assert_int_equal(parsed->nodes_bytes, 21);
    assert_memory_equal(parsed->nodes, hvm.emulator_nodes, 21);
    check_emulator(*state, &hvm, stream, bytes);
    stream_free(parsed);
    free(stream);
    hvm.emulator_nodes_bytes = 20; /* the last text does not end */
    assert_int_equal(xenfork__stream_build(*state, &hvm, &stream, &bytes), 0);
    check_refused(*state, stream, bytes);
    free(stream);
    hvm.emulator_bytes = 0; /* a PVH domain's */
    assert_int_equal(xenfork__stream_build(*state, &hvm, &stream, &bytes), 0);
    check_refused(*state, stream, bytes);
    free(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_golden, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parsed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_padding, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parser_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_emulator, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
