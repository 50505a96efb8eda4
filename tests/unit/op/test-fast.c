/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* op/fast.c: which way clones are made, and that the result says so. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ids.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "../lib/scene.h"

static uint32_t calls_of(const char *name)
{
    uint32_t i, count = 0;

    for (i = 0; i < fake->calls && i < FAKE_LOG; i++)
        count += fake->log[i] && !strcmp(fake->log[i], name);
    return count;
}

static const char *why(const struct fork_scene *s, uint32_t i)
{
    return xenfork_clone_why_libxl(xenfork_result_clone(s->result, i));
}

static const struct fake_domain *clone(const struct fork_scene *s, uint32_t i)
{
    return fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, i)));
}

/* Fork the source into two clones, from now on in the fast way. */
static void fork_fast(struct fork_scene *s)
{
    fake->is_fast = true;
    fake->calls = 0;
    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(fake->violation, "");
}

static void test_fast(void **state)
{
    struct fork_scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);
    uint32_t i;

    fork_fast(s);
    assert_int_equal(calls_of("xenfork__xen_restore_begin"), 0);
    assert_int_equal(calls_of("xenfork__xen_fast_open"), 1);
    assert_int_equal(calls_of("xenfork__xen_fast_create"), 2);
    for (i = 0; i < 2; i++) {
        const struct fake_domain *c = clone(s, i);

        assert_null(why(s, i));
        assert_false(c->is_unfinished);
        assert_false(c->is_paused);
        assert_true(fake_memory_hash(c->domid) == memory);
        assert_string_equal(c->nics[0].on, "xenbr0");
        assert_false(c->nics[0].is_up); /* held */
        assert_false(c->nics[0].was_up);
    }
}

/* An HVM clone has a QEMU of its own; both load side by side. */
static void test_hvm(void **state)
{
    struct fork_scene *s = *state;
    uint64_t memory = fake_memory_hash(s->src);
    uint32_t i;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fork_fast(s);
    assert_int_equal(calls_of("xenfork__xen_restore_begin"), 0);
    assert_int_equal(calls_of("xenfork__xen_fast_emulator"), 2);
    assert_int_equal(fake->loaded_at_once, 2);
    for (i = 0; i < 2; i++) {
        const struct fake_domain *c = clone(s, i);

        assert_null(why(s, i));
        assert_false(c->is_paused);
        assert_int_equal(c->loads, 0);
        assert_true(fake_memory_hash(c->domid) == memory);
        assert_true(c->nics[0].is_emulated_joined);
        assert_false(c->nics[0].was_up);
    }
}

static void test_connected(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(xenfork_spec_set_nic_link(s->spec, 1, XENFORK_ALL,
                                               XENFORK_LINK_CONNECT),
                     0);
    fork_fast(s);
    assert_true(clone(s, 1)->nics[0].is_up);
    assert_false(clone(s, 0)->nics[0].is_up);
}

/* Both clones go by libxl's restore, and their result says why. */
static void assert_slow(struct fork_scene *s, const char *wanted)
{
    fork_fast(s);
    assert_int_equal(calls_of("xenfork__xen_restore_begin"), 2);
    assert_int_equal(calls_of("xenfork__xen_fast_create"), 0);
    assert_string_equal(why(s, 0), wanted);
    assert_string_equal(why(s, 1), wanted);
}

static void test_not_asked(void **state)
{
    struct fork_scene *s = *state;

    assert_int_equal(fork_it(s, s->src), 0);
    assert_string_equal(why(s, 0), "the test has not asked for it");
}

static void test_tapdisk(void **state)
{
    struct fork_scene *s = *state;

    fake_make_vhd(s->src);
    assert_slow(s, "a process serves a disk");
}

static void test_odd_emulator(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake->has_odd_emulator = true;
    assert_slow(s, "it has SPICE");
}

static void test_qdisk(void **state)
{
    struct fork_scene *s = *state;

    fake_make_qcow2(s->src);
    assert_slow(s, "a disk is not served by the kernel");
}

/* An interface that never comes: the fork is undone, and says so. */
static void test_no_interface(void **state)
{
    struct fork_scene *s = *state;

    fake_mark();
    fake->is_fast = true;
    fake->fail_name = "xenfork__sys_join";
    fake->fail_name_code = XENFORK_E_DEVICE;
    fake->fail_name_count = 1;
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DEVICE);
    fake->fail_name = NULL;
    fake->is_fast = false;
    assert_true(fake_is_same(fake_marked(), "undone"));
}

/* A QEMU that ends: its clone is undone, and the one whose QEMU still loads. */
static void test_emulator_ends(void **state)
{
    struct fork_scene *s = *state;

    fake_domain(s->src)->type = XENFORK__TYPE_HVM;
    fake_mark();
    fake->is_fast = true;
    fake_fail_function("xenfork__xen_fast_serve", XENFORK_E_XEN, 1);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_XEN);
    assert_int_equal(fake->loaded_at_once, 2);
    fake_disarm();
    fake->is_fast = false;
    fake->loaded_at_once = 0;
    assert_true(fake_is_same(fake_marked(), "undone"));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, fork_setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fast),    TEST(test_connected),    TEST(test_not_asked),
        TEST(test_tapdisk), TEST(test_qdisk),        TEST(test_no_interface),
        TEST(test_hvm),     TEST(test_odd_emulator), TEST(test_emulator_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
