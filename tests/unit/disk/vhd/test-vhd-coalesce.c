/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/vhd/coalesce.c, disk/chain.c, collapse.c: base VHDs coalesced with each
 * other. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ids.h"
#include "disk/base.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"
#include "host/host.h"
#include "op/collapse.h"
#include "../../lib/scene.h"
#include "../../lib/vhd-scene.h"
#include "state/lock.h"

#define TURNS 20U

static struct fork_scene *s;

static const char *clone_file(const char *name)
{
    return fake_file(fake_domain_named(name)->disks[0].path);
}

/* All that is seen through a VHD, the oldest line first, each once. */
static void assert_seen(const char *file, const char *text)
{
    char line[FAKE_PATH], seen[256] = "", path[FAKE_PATH], own[256];

    for (fake_copy_string(path, sizeof(path), file); strcmp(path, "-") != 0;) {
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        line[strcspn(line, "\n")] = '\0';
        fake_copy_string(path, sizeof(path), line + strlen("vhd "));
        for (own[0] = '\0'; fgets(line, sizeof(line), f);) {
            line[strcspn(line, "\n")] = ' ';
            assert_true(strlen(own) + strlen(line) + 1 < sizeof(own));
            if (!strstr(seen, line))
                strcat(own, line);
        }
        fclose(f);
        assert_true(strlen(own) + strlen(seen) < sizeof(seen));
        memmove(seen + strlen(own), seen, strlen(seen) + 1);
        memcpy(seen, own, strlen(own));
    }
    assert_string_equal(seen, text);
}

static void assert_depth(const char *file, uint32_t depth)
{
    struct xenfork__vhd found = {0};

    assert_int_equal(xenfork__sys_vhd_query(s->ctx, file, &found), 0);
    free(found.parent);
    assert_int_equal(found.depth, depth);
}

/* Two clones without an image, and then a line. */
static void fork_and_write(const char *line)
{
    char name[FAKE_NAME];
    uint32_t i;

    xenfork_result_free(s->result);
    s->result = NULL;
    fake->keeper_count = 0;
    assert_int_equal(fork_it(s, s->src), 0);
    for (i = 0; i < 2; i++)
        assert_int_equal(
            scene_hydrate(s->ctx, xenfork_clone_domid(
                                      xenfork_result_clone(s->result, i))),
            0);
    fake_copy_string(name, sizeof(name), xenfork_result_image_name(s->result));
    assert_int_equal(xenfork_image_destroy(s->ctx, name), 0);
    vhd_add_line(vhd_user(), line);
}

static int setup(void **state)
{
    vhd_setup(state);
    s = *state;
    s->ctx->guard_fd = -1;
    fork_and_write("a");             /* src-1, src-2 */
    fork_and_write("b");             /* src-3, src-4 */
    fork_and_write("c");             /* src-5, src-6 */
    s->ctx->guard_fd = STDIN_FILENO; /* stands for the keeper's lock */
    return 0;
}

static int collapse_once(void *opaque)
{
    bool again;

    return xenfork__collapse(opaque, fake_domain(s->src)->uuid, &again);
}

static void collapse(void)
{
    bool again = true;
    uint32_t n;

    for (n = 0; again && n < TURNS; n++)
        assert_int_equal(
            xenfork__collapse(s->ctx, fake_domain(s->src)->uuid, &again), 0);
    assert_false(again);
    assert_string_equal(fake->violation, "");
}

static void destroy(const char *first, const char *second)
{
    assert_int_equal(xenfork_clone_destroy(s->ctx, first, 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, second, 0), 0);
}

static size_t base_count(void)
{
    struct xenfork__base_list list = {0};
    size_t count;

    assert_int_equal(xenfork__base_load(s->ctx, &list), 0);
    count = list.count;
    xenfork__base_free(&list);
    return count;
}

/* The source and four clones, whatever is backed by what. */
static void assert_all_seen(void)
{
    assert_seen(vhd_user(), "base of src a b c ");
    assert_seen(clone_file("src-3"), "base of src a ");
    assert_seen(clone_file("src-4"), "base of src a ");
    assert_seen(clone_file("src-5"), "base of src a b ");
    assert_seen(clone_file("src-6"), "base of src a b ");
}

static void assert_due(bool is_due)
{
    bool is = !is_due;

    assert_int_equal(xenfork__collapse_is_due(s->ctx, &is), 0);
    assert_int_equal(is, is_due);
}

static void test_middle(void **state)
{
    (void)state;
    collapse();
    assert_depth(vhd_user(), 4);
    assert_due(false);
    assert_int_equal(base_count(), 3);
    destroy("src-1", "src-2");
    assert_due(true);
    collapse();
    assert_due(false);
    assert_depth(vhd_user(), 3);
    assert_depth(clone_file("src-3"), 2);
    assert_depth(clone_file("src-5"), 3);
    assert_all_seen();
    assert_int_equal(base_count(), 2);
    destroy("src-3", "src-4");
    collapse();
    assert_depth(vhd_user(), 2);
    assert_seen(clone_file("src-5"), "base of src a b ");
    destroy("src-5", "src-6");
    collapse();
    assert_depth(vhd_user(), 1);
    assert_seen(vhd_user(), "base of src a b c ");
    assert_int_equal(base_count(), 0);
}

/* So much in the source's own would keep the guest waiting. */
static void test_much(void **state)
{
    uint32_t n;

    (void)state;
    for (n = 0; n < 130; n++)
        vhd_add_line(vhd_user(), "a block");
    destroy("src-1", "src-2");
    destroy("src-3", "src-4");
    destroy("src-5", "src-6");
    collapse();
    assert_depth(vhd_user(), 2);
}

/* Nothing is changed about a clone that is being forked. */
static void test_busy(void **state)
{
    char uuid[XENFORK__UUID_CHARS], file[FAKE_PATH];
    struct xenfork__lock *lock;
    bool again = true;
    uint32_t n;

    (void)state;
    destroy("src-1", "src-2");
    xenfork__uuid_print(fake_domain_named("src-3")->uuid, uuid);
    assert_int_equal(xenfork__lock_take(s->ctx, uuid, false, &lock), 0);
    for (n = 0; n < TURNS; n++)
        assert_int_equal(
            xenfork__collapse(s->ctx, fake_domain(s->src)->uuid, &again), 0);
    assert_true(again);
    assert_all_seen();
    /* It has another file now, on the one that it had. */
    fake_copy_string(file, sizeof(file), clone_file("src-3"));
    assert_int_equal(unlink(file), 0);
    vhd_add_line(file, "vhd -");
    vhd_add_line(file, "of another");
    xenfork__lock_drop(lock);
    collapse();
    assert_seen(vhd_user(), "base of src a b c ");
    assert_seen(clone_file("src-4"), "base of src a ");
    assert_seen(file, "of another ");
    assert_depth(vhd_user(), 3);
}

/* The turn in which it is killed: that coalesces, or that relinks. */
static void prepare_turn(void **state, uint32_t turn)
{
    fork_teardown(state);
    setup(state);
    destroy("src-1", "src-2");
    if (turn)
        assert_int_equal(collapse_once(s->ctx), 0);
    fake_disarm();
}

/* The next process does the rest. */
static void test_killed(void **state)
{
    uint32_t turn, n, calls;
    int rc, when;

    for (turn = 0; turn < 2; turn++) {
        prepare_turn(state, turn);
        assert_int_equal(collapse_once(s->ctx), 0);
        calls = fake_calls();
        assert_true(calls > 5);
        for (n = 1; n <= calls; n++)
            for (when = FAKE_BEFORE; when <= FAKE_AFTER; when++) {
                prepare_turn(state, turn);
                fake_crash_at(n, when);
                assert_true(fake_crash(collapse_once, s->ctx, &rc));
                fake_disarm();
                assert_int_equal(xenfork_recover(s->ctx), 0);
                collapse();
                assert_depth(vhd_user(), 3);
                assert_all_seen();
                assert_int_equal(base_count(), 2);
            }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_middle),
        TEST(test_much),
        TEST(test_busy),
        TEST(test_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
