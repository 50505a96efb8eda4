/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "state/keyfile.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"

static char path[FAKE_PATH + 16];

static int setup(void **state)
{
    fake_setup();
    snprintf(path, sizeof(path), "%s/record", fake->dir);
    *state = scene_open();
    return 0;
}

static int teardown(void **state)
{
    xenfork_close(*state);
    fake_teardown();
    return 0;
}

static void put_file(const char *text, size_t bytes)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
}

static void test_round_trip(void **state)
{
    struct xenfork__keyfile *keyfile, *read;
    xenfork_ctx *ctx = *state;
    uint64_t n = 0;
    struct stat st;

    assert_int_equal(xenfork__keyfile_new(ctx, &keyfile), 0);
    assert_int_equal(xenfork__keyfile_set(ctx, keyfile, "name", "old"), 0);
    assert_int_equal(xenfork__keyfile_set(ctx, keyfile, "name", "a b"), 0);
    assert_int_equal(xenfork__keyfile_set(ctx, keyfile, "empty", ""), 0);
    assert_int_equal(
        xenfork__keyfile_set(ctx, keyfile, "odd", "\nkey value\n\\n\\ \t\xff"),
        0);
    assert_int_equal(xenfork__keyfile_set_u64(ctx, keyfile, "big", UINT64_MAX),
                     0);
    assert_int_equal(xenfork__keyfile_set_nth(ctx, keyfile, "file", 1, "/x"),
                     0);
    assert_int_equal(xenfork__keyfile_write(ctx, path, keyfile), 0);
    xenfork__keyfile_free(keyfile);

    assert_int_equal(xenfork__keyfile_read(ctx, path, &read), 0);
    assert_string_equal(xenfork__keyfile_get(read, "name"), "a b");
    assert_string_equal(xenfork__keyfile_get(read, "empty"), "");
    assert_string_equal(xenfork__keyfile_get(read, "odd"),
                        "\nkey value\n\\n\\ \t\xff");
    assert_null(xenfork__keyfile_get(read, "key"));
    assert_true(xenfork__keyfile_get_u64(read, "big", &n));
    assert_true(n == UINT64_MAX);
    assert_string_equal(xenfork__keyfile_get_nth(read, "file", 1), "/x");
    assert_null(xenfork__keyfile_get_nth(read, "file", 0));
    xenfork__keyfile_free(read);
    /* Only root reads the state; nothing temporary stays beside it. */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    strcat(path, ".new");
    assert_int_equal(stat(path, &st), -1);
}

static void test_numbers(void **state)
{
    static const char *const bad[] = {
        "", "-1", " 1", "1 ", "0x10", "+1", "1a", "18446744073709551616"};
    struct xenfork__keyfile *keyfile;
    uint64_t n = 7;
    size_t i;

    assert_int_equal(xenfork__keyfile_new(*state, &keyfile), 0);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(xenfork__keyfile_set(*state, keyfile, "n", bad[i]), 0);
        assert_false(xenfork__keyfile_get_u64(keyfile, "n", &n));
    }
    assert_false(xenfork__keyfile_get_u64(keyfile, "absent", &n));
    assert_true(n == 7);
    xenfork__keyfile_free(keyfile);
}

static void test_absent(void **state)
{
    struct xenfork__keyfile *keyfile = NULL;

    assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                     XENFORK_E_NOTFOUND);
    assert_null(keyfile);
}

static void test_unknown_keys(void **state)
{
    static const char text[] = "xenfork 1\nfrom.a.later.release 1\nname x\n";
    struct xenfork__keyfile *keyfile;

    scene_put_record(path, text, sizeof(text) - 1);
    assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile), 0);
    assert_string_equal(xenfork__keyfile_get(keyfile, "name"), "x");
    xenfork__keyfile_free(keyfile);
}

static void test_hostile(void **state)
{
    static const struct {
        const char *text;
        size_t bytes;
    } bad[] = {
#define BAD(text) {text, sizeof(text) - 1}
        BAD(""),
        BAD("\n"),
        BAD("name x\n"),               /* no magic */
        BAD("xenfork 2\nname x\n"),    /* a later format */
        BAD("xenfork 1\nname\n"),      /* no value */
        BAD("xenfork 1\n value\n"),    /* no key */
        BAD("xenfork 1\nname a\\\n"),  /* half an escape */
        BAD("xenfork 1\nname a\\t\n"), /* an unknown one */
        BAD("xenfork 1\nname a\nname b\n"),
        BAD("xenfork 1\nname a\0b\n"),
        BAD("\0\n"),
    };
    struct xenfork__keyfile *keyfile = NULL;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put_file(bad[i].text, bad[i].bytes);
        assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                         XENFORK_E_STATE);
        scene_put_record(path, bad[i].text, bad[i].bytes);
        assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                         XENFORK_E_STATE);
        assert_null(keyfile);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                     XENFORK_E_STATE);
}

/* Every bit counts, and every byte that is cut off. */
static void test_checksum(void **state)
{
    static const char text[] = "xenfork 1\nname x\ndomid 7\n";
    struct xenfork__keyfile *keyfile = NULL;
    char all[128];
    size_t bytes, i;
    FILE *f;

    scene_put_record(path, text, sizeof(text) - 1);
    f = fopen(path, "r");
    assert_non_null(f);
    bytes = fread(all, 1, sizeof(all), f);
    fclose(f);
    for (i = 0; i < bytes; i++) {
        put_file(all, i);
        assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                         XENFORK_E_STATE);
        all[i] ^= 1;
        put_file(all, bytes);
        assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                         XENFORK_E_STATE);
        all[i] ^= 1;
    }
    put_file(all, bytes);
    assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile), 0);
    xenfork__keyfile_free(keyfile);
}

static void test_huge(void **state)
{
    struct xenfork__keyfile *keyfile = NULL;
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs("xenfork 1\nname ", f) >= 0);
    assert_int_equal(fseek(f, 3L << 30, SEEK_SET), 0);
    assert_true(fputs("\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(xenfork__keyfile_read(*state, path, &keyfile),
                     XENFORK_E_STATE);
}

/* The largest file can be read: a journal of 1024 clones with disks. */
static void test_large(void **state)
{
    struct xenfork__keyfile *keyfile, *read;
    char value[256];
    uint32_t i;

    memset(value, '/', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    assert_int_equal(xenfork__keyfile_new(*state, &keyfile), 0);
    for (i = 0; i < 6 * XENFORK_MAX_CLONES; i++)
        assert_int_equal(
            xenfork__keyfile_set_nth(*state, keyfile, "file", i, value), 0);
    assert_int_equal(xenfork__keyfile_write(*state, path, keyfile), 0);
    xenfork__keyfile_free(keyfile);
    assert_int_equal(xenfork__keyfile_read(*state, path, &read), 0);
    assert_string_equal(xenfork__keyfile_get_nth(read, "file", i - 1), value);
    xenfork__keyfile_free(read);
}

static void test_no_directory(void **state)
{
    struct xenfork__keyfile *keyfile;

    assert_int_equal(xenfork__keyfile_new(*state, &keyfile), 0);
    snprintf(path, sizeof(path), "%s/none/record", fake->dir);
    assert_int_equal(xenfork__keyfile_write(*state, path, keyfile),
                     XENFORK_E_STATE);
    assert_int_equal(xenfork_error_errno(*state), ENOENT);
    xenfork__keyfile_free(keyfile);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_absent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_checksum, setup, teardown),
        cmocka_unit_test_setup_teardown(test_huge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
