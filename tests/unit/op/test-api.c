/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The public interface, given what is not there: NULL, an index out of range,
 * an object whose context is closed.  tests/abi/header.t sees that no function
 * is missing here.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"

static struct fork_scene *s;

static int setup(void **state)
{
    int r = fork_setup(state);

    s = *state;
    return r;
}

static void test_free_nothing(void **state)
{
    (void)state;
    xenfork_close(NULL);
    xenfork_spec_free(NULL);
    xenfork_check_free(NULL);
    xenfork_result_free(NULL);
    xenfork_list_free(NULL);
}

static void test_strings_of_nothing(void **state)
{
    (void)state;
    assert_null(xenfork_finding_text(NULL));
    assert_null(xenfork_finding_remedy(NULL));
    assert_null(xenfork_result_image_name(NULL));
    assert_null(xenfork_clone_name(NULL));
    assert_null(xenfork_clone_uuid(NULL));
    assert_null(xenfork_clone_generation(NULL));
    assert_null(xenfork_clone_error(NULL));
    assert_null(xenfork_clone_why_libxl(NULL));
    assert_null(xenfork_entry_name(NULL));
    assert_null(xenfork_entry_uuid(NULL));
    assert_null(xenfork_entry_parent(NULL));
    assert_null(xenfork_entry_state(NULL));
    assert_null(xenfork_entry_left(NULL));
    assert_null(xenfork_entry_ephemeral(NULL));
    assert_int_equal(xenfork_entry_priority(NULL), 0);
    xenfork_memory_free(NULL);
    assert_int_equal(xenfork_memory_host_kib(NULL, XENFORK_MEMORY_FREE), 0);
    assert_int_equal(xenfork_memory_domain_count(NULL), 0);
    assert_null(xenfork_memory_domain(NULL, 0));
    assert_int_equal(xenfork_domain_kind(NULL), 0);
    assert_int_equal(xenfork_domain_domid(NULL), XENFORK_DOMID_NONE);
    assert_null(xenfork_domain_name(NULL));
    assert_null(xenfork_domain_family(NULL));
    assert_null(xenfork_domain_state(NULL));
    assert_int_equal(xenfork_domain_kib(NULL, XENFORK_MEMORY_OWN), 0);
    assert_int_equal(xenfork_domain_priority(NULL), 0);
    assert_int_equal(xenfork_domain_turn(NULL), 0);
    assert_null(xenfork_entry_generation(NULL));
    assert_null(xenfork_entry_error(NULL));
    assert_null(xenfork_nic_vif(NULL));
    assert_null(xenfork_nic_mac(NULL));
    assert_null(xenfork_disk_vdev(NULL));
    assert_null(xenfork_disk_driver(NULL));
    assert_null(xenfork_disk_why(NULL));
    assert_null(xenfork_disk_path(NULL));
    assert_null(xenfork_param_fault(NULL, "a"));
    assert_null(xenfork_param_fault("ip", NULL));
}

static void test_numbers_of_nothing(void **state)
{
    (void)state;
    assert_int_equal(xenfork_check_finding_count(NULL), 0);
    assert_int_equal(xenfork_check_disk_count(NULL), 0);
    assert_int_equal(xenfork_finding_code(NULL), 0);
    assert_int_equal(xenfork_result_clone_count(NULL), 0);
    assert_int_equal(xenfork_result_image_domid(NULL), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_result_ns(NULL, XENFORK_STAGE_TOTAL), 0);
    assert_int_equal(xenfork_result_counter(NULL, 0), 0);
    assert_int_equal(xenfork_result_kib(NULL, XENFORK_RESULT_SOURCE), 0);
    assert_int_equal(xenfork_clone_domid(NULL), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_clone_is_ready(NULL), 0);
    assert_int_equal(xenfork_clone_is_reseeded(NULL), 0);
    assert_int_equal(xenfork_clone_nic_count(NULL), 0);
    assert_int_equal(xenfork_clone_ns(NULL, XENFORK_STAGE_TOTAL), 0);
    assert_int_equal(xenfork_list_entry_count(NULL), 0);
    assert_int_equal(xenfork_entry_kind(NULL), 0);
    assert_int_equal(xenfork_entry_domid(NULL), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_entry_parent_domid(NULL), XENFORK_DOMID_NONE);
    assert_int_equal(xenfork_entry_created(NULL), 0);
    assert_int_equal(xenfork_entry_total_kib(NULL), 0);
    assert_int_equal(xenfork_entry_shared_kib(NULL), 0);
    assert_int_equal(xenfork_entry_private_kib(NULL), 0);
    assert_int_equal(xenfork_entry_host_kib(NULL), 0);
    assert_int_equal(xenfork_entry_hydrated(NULL), 0);
    assert_null(xenfork_entry_hydrate(NULL));
    assert_int_equal(xenfork_entry_detached(NULL), 0);
    assert_int_equal(xenfork_entry_users(NULL), 0);
    assert_int_equal(xenfork_entry_is_kept(NULL), 0);
    assert_int_equal(xenfork_entry_is_ready(NULL), 0);
    assert_int_equal(xenfork_entry_is_reseeded(NULL), 0);
    assert_int_equal(xenfork_entry_nic_count(NULL), 0);
    assert_int_equal(xenfork_entry_disk_count(NULL), 0);
    assert_int_equal(xenfork_nic_link(NULL), XENFORK_LINK_HOLD);
    assert_int_equal(xenfork_nic_is_held(NULL), 0);
    assert_int_equal(xenfork_disk_depth(NULL), 0);
    assert_int_equal(xenfork_disk_users(NULL), 0);
}

/* No part @count, none at the end of all numbers, none of no object. */
#define NO_PART(get, parent, count)              \
    do {                                         \
        assert_null(get(parent, count));         \
        assert_null(get(parent, UINT32_MAX));    \
        assert_null(get(NULL, 0));               \
        assert_true(!(count) || get(parent, 0)); \
    } while (0)

static void test_out_of_range(void **state)
{
    const xenfork_clone *clone;
    const xenfork_entry *entry;
    xenfork_check *check;
    xenfork_list *list;

    (void)state;
    assert_int_equal(xenfork_check_open(s->ctx, s->src, s->spec, &check), 0);
    NO_PART(xenfork_check_finding, check, xenfork_check_finding_count(check));
    NO_PART(xenfork_check_disk, check, xenfork_check_disk_count(check));
    xenfork_check_free(check);
    assert_int_equal(fork_it(s, s->src), 0);
    NO_PART(xenfork_result_clone, s->result, 2U);
    clone = xenfork_result_clone(s->result, 1);
    NO_PART(xenfork_clone_nic, clone, xenfork_clone_nic_count(clone));
    assert_int_equal(xenfork_clone_ns(clone, -1), 0);
    assert_int_equal(xenfork_clone_ns(clone, XENFORK_STAGES), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    NO_PART(xenfork_list_entry, list, xenfork_list_entry_count(list));
    entry = xenfork_list_entry(list, 1);
    NO_PART(xenfork_entry_nic, entry, xenfork_entry_nic_count(entry));
    NO_PART(xenfork_entry_disk, entry, xenfork_entry_disk_count(entry));
    xenfork_list_free(list);
}

/* Objects are read and freed after their context is closed. */
static void test_closed(void **state)
{
    const xenfork_entry *entry;
    xenfork_check *check;
    xenfork_list *list;

    (void)state;
    assert_int_equal(xenfork_check_open(s->ctx, s->src, s->spec, &check), 0);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    xenfork_close(s->ctx);
    s->ctx = NULL;
    assert_string_equal(xenfork_disk_vdev(xenfork_check_disk(check, 0)),
                        "xvda");
    entry = xenfork_list_entry(list, 1);
    assert_string_equal(xenfork_entry_name(entry), "src-1");
    assert_string_equal(xenfork_nic_vif(xenfork_entry_nic(entry, 0)),
                        xenfork_nic_vif(xenfork_clone_nic(
                            xenfork_result_clone(s->result, 0), 0)));
    xenfork_list_free(list);
    xenfork_check_free(check);
}

/* It is INVAL, and says so in the context. */
static void invalid(int rc)
{
    assert_int_equal(rc, XENFORK_E_INVAL);
    assert_int_equal(xenfork_error_code(s->ctx), XENFORK_E_INVAL);
    assert_true(xenfork_error_text(s->ctx)[0]);
    assert_int_equal(xenfork_recover(s->ctx), 0); /* which forgets it */
    assert_int_equal(xenfork_error_code(s->ctx), 0);
}

static void test_calls_without(void **state)
{
    char *before = fake_snapshot();
    uint32_t domid = 4711;
    uint64_t kib = 4711;

    (void)state;
    invalid(xenfork_find(s->ctx, NULL, &domid));
    assert_int_equal(xenfork_agree(s->ctx), XENFORK_E_INVAL);
    invalid(xenfork_find(s->ctx, "src", NULL));
    invalid(xenfork_image_find(s->ctx, NULL, &domid));
    invalid(xenfork_image_find(s->ctx, "src", NULL));
    invalid(xenfork_check_open(s->ctx, s->src, s->spec, NULL));
    invalid(xenfork_fork(s->ctx, s->src, NULL, &s->result));
    invalid(xenfork_fork(s->ctx, s->src, s->spec, NULL));
    invalid(xenfork_freeze(s->ctx, s->src, 0));
    invalid(xenfork_wait_ready(s->ctx, NULL, 1));
    invalid(xenfork_list_open(s->ctx, 0, NULL));
    invalid(xenfork_memory_open(s->ctx, NULL));
    invalid(xenfork_disk_usage(s->ctx, NULL, &kib, &kib));
    invalid(xenfork_clone_destroy(s->ctx, NULL, 0));
    invalid(xenfork_clone_leaves(s->ctx, NULL, "", 0));
    invalid(xenfork_clone_leaves(s->ctx, "src-1", NULL, 0));
    invalid(xenfork_clone_forget(s->ctx, NULL));
    invalid(xenfork_clone_reset(s->ctx, NULL, 0, &s->result));
    invalid(xenfork_clone_reset(s->ctx, "src-1", 0, NULL));
    invalid(xenfork_clone_start(s->ctx, NULL, 0, &domid));
    invalid(xenfork_clone_start(s->ctx, "src-1", 0, NULL));
    invalid(xenfork_clone_set_nic_link(s->ctx, NULL, 0, XENFORK_LINK_HOLD));
    invalid(xenfork_clone_set_nic_bridge(s->ctx, NULL, 0, "xenbr0"));
    invalid(xenfork_clone_set_nic_bridge(s->ctx, "src-1", 0, NULL));
    invalid(xenfork_image_destroy(s->ctx, NULL));
    invalid(xenfork_hydrate(s->ctx, NULL, 0));
    invalid(xenfork_detach(s->ctx, NULL, NULL, NULL, 0));
    invalid(xenfork_detach_stop(s->ctx, NULL));
    invalid(xenfork_journal_set_aside(s->ctx, NULL));
    xenfork_batch_begin(NULL);
    assert_int_equal(xenfork_batch_end(s->ctx), 0);
    assert_int_equal(xenfork_thaw(s->ctx, 4711), XENFORK_E_NOTFOUND);
    assert_int_equal(domid, 4711);
    assert_int_equal(kib, 4711);
    assert_true(fake_is_same(before, "nothing was done"));
    free(before);
}

static void test_unknown_flags(void **state)
{
    xenfork_ctx *ctx = NULL;
    xenfork_list *list = NULL;
    uint32_t domid = 4711;

    (void)state;
    assert_int_equal(xenfork_open(&ctx, NULL, 1U << 31), XENFORK_E_INVAL);
    assert_int_equal(xenfork_open(NULL, NULL, 0), XENFORK_E_INVAL);
    assert_null(ctx);
    invalid(xenfork_list_open(s->ctx, 1U << 31, &list));
    assert_null(list);
    invalid(xenfork_clone_destroy(s->ctx, "src-1", 1U << 31));
    invalid(xenfork_clone_reset(s->ctx, "src-1", 1U << 31,
                                &s->result));
    invalid(xenfork_clone_start(s->ctx, "src-1", 1U << 31, &domid));
    assert_int_equal(domid, 4711);
}

static void test_setters_without(void **state)
{
    static const uint8_t bytes[16] = {2, 1};
    xenfork_spec *spec = s->spec;

    (void)state;
#define REFUSED(call) assert_int_equal(call, XENFORK_E_INVAL)
    REFUSED(xenfork_spec_new(1, NULL));
    REFUSED(xenfork_spec_set_name(NULL, 0, "a"));
    REFUSED(xenfork_spec_set_name(spec, 0, NULL));
    REFUSED(xenfork_spec_set_name(spec, 2, "a"));
    REFUSED(xenfork_spec_set_name(spec, XENFORK_ALL, "a"));
    REFUSED(xenfork_spec_set_uuid(NULL, 0, bytes));
    REFUSED(xenfork_spec_set_uuid(spec, 0, NULL));
    REFUSED(xenfork_spec_set_uuid(spec, 2, bytes));
    REFUSED(xenfork_spec_set_nic_mac(NULL, 0, 0, bytes));
    REFUSED(xenfork_spec_set_nic_mac(spec, 0, 0, NULL));
    REFUSED(xenfork_spec_set_nic_mac(spec, 2, 0, bytes));
    REFUSED(xenfork_spec_set_nic_mac(spec, 0, XENFORK_ALL, bytes));
    REFUSED(xenfork_spec_set_mac_prefix(NULL, bytes));
    REFUSED(xenfork_spec_set_mac_prefix(spec, NULL));
    REFUSED(xenfork_spec_set_nic_bridge(NULL, 0, 0, "a"));
    REFUSED(xenfork_spec_set_nic_bridge(spec, 0, 0, NULL));
    REFUSED(xenfork_spec_set_nic_bridge(spec, 2, 0, "a"));
    REFUSED(xenfork_spec_set_nic_ip(NULL, 0, 0, "10.0.0.1"));
    REFUSED(xenfork_spec_set_nic_ip(spec, 0, 0, NULL));
    REFUSED(xenfork_spec_set_nic_ip(spec, 2, 0, "10.0.0.1"));
    REFUSED(xenfork_spec_set_nic_link(NULL, 0, 0, XENFORK_LINK_HOLD));
    REFUSED(xenfork_spec_set_nic_link(spec, 2, 0, XENFORK_LINK_HOLD));
    REFUSED(xenfork_spec_set_nic_link(spec, 0, 0, 9));
    REFUSED(xenfork_spec_set_param(NULL, 0, "a", "b"));
    REFUSED(xenfork_spec_set_param(spec, 0, NULL, "b"));
    REFUSED(xenfork_spec_set_param(spec, 0, "a", NULL));
    REFUSED(xenfork_spec_set_param(spec, 2, "a", "b"));
    REFUSED(xenfork_spec_set_disk(NULL, "xvda", "auto"));
    REFUSED(xenfork_spec_set_disk(spec, NULL, "auto"));
    REFUSED(xenfork_spec_set_disk(spec, "xvda", NULL));
    REFUSED(xenfork_spec_set_paused(NULL, 0, 1));
    REFUSED(xenfork_spec_set_paused(spec, 2, 1));
    REFUSED(xenfork_spec_set_reserve_percent(NULL, 1));
    REFUSED(xenfork_spec_set_reserve_percent(spec, 101));
    REFUSED(xenfork_spec_set_reserve_kib(NULL, 1));
    REFUSED(xenfork_spec_set_source_reserve(NULL, 1));
    REFUSED(xenfork_spec_set_source_reserve(spec, 101));
    REFUSED(xenfork_spec_set_leave_kib(NULL, 1));
    REFUSED(xenfork_spec_set_priority(NULL, 1));
    REFUSED(xenfork_spec_set_priority(spec, XENFORK_MAX_PRIORITY + 1));
    REFUSED(xenfork_spec_set_quiesce(NULL, XENFORK_QUIESCE_AUTO));
    REFUSED(xenfork_spec_set_quiesce(spec, 2));
    REFUSED(xenfork_spec_set_timeout_ms(NULL, 1));
    REFUSED(xenfork_spec_set_timeout_ms(spec, 0));
    REFUSED(xenfork_spec_set_max_stun_ms(NULL, 1));
    REFUSED(xenfork_spec_set_max_stun_ms(spec, 0));
    REFUSED(xenfork_spec_set_pace(NULL, 1));
    REFUSED(xenfork_spec_set_pace(spec, 100));
    REFUSED(xenfork_spec_set_flags(NULL, 0));
    REFUSED(xenfork_spec_set_flags(spec, 1U << 31));
#undef REFUSED
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_free_nothing),
        TEST(test_strings_of_nothing),
        TEST(test_numbers_of_nothing),
        TEST(test_out_of_range),
        TEST(test_closed),
        TEST(test_calls_without),
        TEST(test_unknown_flags),
        TEST(test_setters_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
