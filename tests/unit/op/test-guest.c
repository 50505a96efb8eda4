/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest.c: who clones and their source are told to be. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ids.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"

static struct fork_scene *s;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    return 0;
}

static void test_clones_are_told(void **state)
{
    char first[40], mac[XENFORK__MAC_CHARS];
    uint32_t i;

    (void)state;
    assert_int_equal(xenfork_spec_set_param(s->spec, XENFORK_ALL, "a", "1 \"2"),
                     0);
    assert_int_equal(xenfork_spec_set_param(s->spec, 1, "b", ""), 0);
    fork_two(s);
    for (i = 0; i < 2; i++) {
        const struct fake_guest *g = &fork_clone(s, i)->guest;

        assert_string_equal(g->role, "clone");
        assert_string_equal(g->source, "src");
        xenfork__mac_print(fake_domain(s->src)->nics[0].mac, mac);
        assert_memory_equal(g->source_macs, "0=", 2);
        assert_string_equal(g->source_macs + 2, mac);
        assert_int_equal(g->index, i);
        assert_int_equal(strlen(g->generation), 36);
        assert_string_equal(
            xenfork_clone_generation(xenfork_result_clone(s->result, i)),
            g->generation);
        assert_int_equal(strlen(g->entropy), 128);
        assert_int_equal(strspn(g->entropy, "0123456789abcdef"), 128);
        assert_int_equal(g->param_count, 1 + i);
        assert_string_equal(g->params[0], "a=1 \"2");
    }
    assert_string_equal(fork_clone(s, 1)->guest.params[1], "b=");
    assert_string_not_equal(fork_clone(s, 0)->guest.entropy,
                            fork_clone(s, 1)->guest.entropy);
    fake_copy_string(first, sizeof(first), fork_clone(s, 0)->guest.generation);
    assert_string_not_equal(first, fork_clone(s, 1)->guest.generation);
    assert_null(xenfork_clone_generation(xenfork_result_clone(s->result, 2)));
}

static void test_source_is_told_once(void **state)
{
    const struct fake_guest *g = &fake_domain(s->src)->guest;
    char generation[40];

    (void)state;
    fork_two(s);
    assert_string_equal(g->role, "source");
    assert_int_equal(strlen(g->generation), 36);
    assert_string_equal(g->entropy, "");
    assert_string_equal(g->source, "");
    fake_copy_string(generation, sizeof(generation), g->generation);
    assert_int_equal(scene_fork(s->src, 1, 0), 0);
    assert_string_equal(g->generation, generation);
}

/* It was a clone before it was a source, and stays one. */
static void test_clone_as_source(void **state)
{
    char generation[40];

    (void)state;
    fork_two(s);
    fake_copy_string(generation, sizeof(generation),
                     fork_clone(s, 0)->guest.generation);
    assert_int_equal(scene_fork(fork_clone(s, 0)->domid, 1, 0), 0);
    assert_string_equal(fork_clone(s, 0)->guest.role, "clone");
    assert_string_equal(fork_clone(s, 0)->guest.generation, generation);
}

/* One that fails takes nothing from a source that had it before. */
static void test_failed_fork_retracts_its_own(void **state)
{
    char *before;

    (void)state;
    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_XEN, 0);
    before = fake_snapshot();
    assert_int_equal(scene_fork(s->src, 1, 0), XENFORK_E_XEN);
    assert_true(fake_is_same(before, "first fork"));
    free(before);
    fake_disarm();
    fork_two(s);
    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_XEN, 0);
    before = fake_snapshot();
    assert_int_equal(scene_fork(s->src, 1, 0), XENFORK_E_XEN);
    assert_true(fake_is_same(before, "second fork"));
    free(before);
    assert_string_equal(fake_domain(s->src)->guest.role, "source");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_clones_are_told),
        TEST(test_source_is_told_once),
        TEST(test_clone_as_source),
        TEST(test_failed_fork_retracts_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
