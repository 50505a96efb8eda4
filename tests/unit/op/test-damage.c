/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A damaged state directory: hundreds of random damages to records and
 * journals, each followed by what users do.  Whatever was in it, nothing
 * crashes (the sanitizers look on), an answer is one that is documented, and
 * the source's domain goes on.
 */
#include "config.h"

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/scene.h"

#define DAMAGES   400U
#define MAX_FILES 64U
#define MAX_BYTES 65536U

/* As in Numerical Recipes: the same damages in every run. */
static uint32_t seed;

static uint32_t choose(uint32_t below)
{
    seed = seed * 1664525U + 1013904223U;
    return below ? (uint32_t)(((uint64_t)seed * below) >> 32) : 0;
}

struct files {
    uint32_t count;
    char paths[MAX_FILES][FAKE_PATH + 300];
};

static void collect(const char *dir, struct files *files)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d)) && files->count < MAX_FILES) {
        char *path = files->paths[files->count];
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(files->paths[0]), "%s/%s", dir, entry->d_name);
        if (lstat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode)) {
            char deeper[sizeof(files->paths[0])];

            memcpy(deeper, path, sizeof(deeper));
            collect(deeper, files);
        } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
            files->count++;
        }
    }
    if (d)
        closedir(d);
}

static size_t change_digits(char *text, size_t bytes)
{
    size_t i;

    for (i = 0; i < bytes; i++)
        if (text[i] >= '0' && text[i] <= '9' && choose(8) == 0)
            text[i] = (char)('0' + choose(10));
    return bytes;
}

static size_t swap_bytes(char *text, size_t bytes)
{
    uint32_t n = 1 + choose(8);

    while (n--)
        text[choose((uint32_t)bytes)] = (char)choose(256);
    return bytes;
}

static size_t rotate(char *text, size_t bytes)
{
    size_t by = choose((uint32_t)bytes);
    char *copy = malloc(bytes);

    assert_non_null(copy);
    memcpy(copy, text + by, bytes - by);
    memcpy(copy + bytes - by, text, by);
    memcpy(text, copy, bytes);
    free(copy);
    return bytes;
}

static size_t truncate_it(char *text, size_t bytes)
{
    (void)text;
    return choose((uint32_t)bytes);
}

/* A line is there twice, or is not there. */
static size_t double_or_drop(char *text, size_t bytes)
{
    char *line = memchr(text, '\n', bytes), *end;
    size_t n;
    uint32_t skip = choose(12);

    while (line && skip--)
        line = memchr(line + 1, '\n', bytes - (size_t)(line + 1 - text));
    end = line ? memchr(line + 1, '\n', bytes - (size_t)(line + 1 - text))
               : NULL;
    if (!end)
        return bytes;
    n = (size_t)(end - line);
    if (choose(2) && bytes + n <= MAX_BYTES) {
        memmove(end + n, end, bytes - (size_t)(end - text));
        memcpy(end, line, n);
        return bytes + n;
    }
    memmove(line, end, bytes - (size_t)(end - text));
    return bytes - n;
}

/* Give the text the checksum that it must end with. */
static size_t sum_up(char *text, size_t bytes)
{
    static const size_t sum_bytes = sizeof("sum 0123456789abcdef\n") - 1;

    if (bytes < sum_bytes)
        return bytes;
    bytes -= sum_bytes;
    return bytes + (size_t)sprintf(text + bytes, "sum %016" PRIx64 "\n",
                                   xenfork__digest(text, bytes));
}

/*
 * Damage a file.  Where its checksum is right afterwards, the parsers see the
 * damage, and what acts on what they have read.
 */
static void damage(const char *path, bool is_summed)
{
    static size_t (*const ways[])(char *, size_t) = {
        change_digits, swap_bytes, rotate, truncate_it, double_or_drop};
    char *text = malloc(MAX_BYTES);
    FILE *file = fopen(path, "r+");
    size_t bytes;

    assert_non_null(text);
    assert_non_null(file);
    bytes = fread(text, 1, MAX_BYTES / 2, file);
    if (bytes)
        bytes = ways[choose(ARRAY_SIZE(ways))](text, bytes);
    if (is_summed)
        bytes = sum_up(text, bytes);
    rewind(file);
    assert_int_equal(ftruncate(fileno(file), 0), 0);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    free(text);
}

static int fork_once(void *opaque)
{
    return scene_fork(*(uint32_t *)opaque, 1, 0);
}

static int freeze_it(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    int rc = xenfork_freeze(ctx, *(uint32_t *)opaque, 1000);

    xenfork_close(ctx);
    return rc;
}

/* A source with two clones, a frozen domain, and perhaps a killed operation. */
static uint32_t make_state(void)
{
    uint32_t source = scene_source();
    uint32_t frozen = fake_add_guest("cold");
    int rc;

    assert_int_equal(scene_fork(source, 2, 0), 0);
    assert_int_equal(freeze_it(&frozen), 0);
    if (choose(2)) {
        fake_disarm();
        fake_crash_at(1 + choose(120), (int)choose(2));
        fake_crash(choose(4) ? fork_once : freeze_it, &source, &rc);
        fake_disarm();
    }
    return source;
}

static void look(xenfork_ctx *ctx)
{
    xenfork_list *list = NULL;

    if (xenfork_list_open(ctx, 0, &list) == 0)
        xenfork_list_free(list);
    list = NULL;
    if (xenfork_list_open(ctx, XENFORK_LIST_BASES, &list) == 0)
        xenfork_list_free(list);
}

static bool is_documented(int rc)
{
    return rc <= 0 && strcmp(xenfork_code_name(rc ? rc : -1), "UNKNOWN") != 0;
}

static void use(uint32_t source)
{
    xenfork_ctx *ctx = scene_open();
    uint32_t cold;

    assert_true(is_documented(xenfork_recover(ctx)));
    look(ctx);
    assert_true(is_documented(xenfork_clone_destroy(ctx, "src-1", 0)));
    assert_true(is_documented(xenfork_detach(ctx, "src-2", NULL, NULL, 0)));
    if (xenfork_find(ctx, "cold", &cold) == 0)
        assert_true(is_documented(xenfork_thaw(ctx, cold)));
    xenfork_close(ctx);
    assert_true(is_documented(scene_fork(source, 1, 0)));
    ctx = scene_open();
    look(ctx);
    xenfork_close(ctx);
}

/*
 * The source is there, and was not destroyed and made anew.  Nothing more can
 * be promised where a record with a right checksum says what is not so: that no
 * clone needs an image, for example.
 */
static void check_source(uint32_t source, const uint8_t uuid[16], uint32_t n,
                         bool is_summed)
{
    const struct fake_domain *d = fake_domain(source);

    if (is_summed)
        fake->violation[0] = '\0';
    if (d && !memcmp(d->uuid, uuid, 16) && !d->is_dying && !d->is_shutdown &&
        !fake->violation[0])
        return;
    fail_msg("damage %u: the source is %s; %s", n,
             d ? "shut down" : "destroyed", fake->violation);
}

static void test_damages(void **state)
{
    uint32_t n;

    (void)state;
    for (n = 1; n <= DAMAGES; n++) {
        static struct files files;
        char dir[FAKE_PATH + 8];
        bool is_summed = n % 2;
        uint32_t source, i, times;
        uint8_t uuid[16];

        seed = n;
        source = make_state();
        memcpy(uuid, fake_domain(source)->uuid, sizeof(uuid));
        snprintf(dir, sizeof(dir), "%s/state", fake->dir);
        files.count = 0;
        collect(dir, &files);
        assert_true(files.count > 0);
        times = 1 + choose(3);
        for (i = 0; i < times; i++)
            damage(files.paths[choose(files.count)], is_summed);
        use(source);
        check_source(source, uuid, n, is_summed);
        fake_teardown();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
