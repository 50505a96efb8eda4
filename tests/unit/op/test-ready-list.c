/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ready.c, list.c: what is kept of the answers of clones, and said of them. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "host/host.h"
#include "op/ready.h"
#include "../lib/scene.h"
#include "state/files.h"
#include "state/record.h"

#define SOON_MS 20U

static struct fork_scene *s;
static uint32_t turns;

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    return 0;
}

/* The record of a clone as it was written before there were generations. */
static void age_record(const char *path)
{
    FILE *from = fopen(path, "re"), *to;
    char line[512], copy[FAKE_PATH + 8];

    snprintf(copy, sizeof(copy), "%s/aged", fake->dir);
    to = fopen(copy, "we");
    assert_non_null(from);
    assert_non_null(to);
    while (fgets(line, sizeof(line), from))
        if (strncmp(line, "generation ", 11) && strncmp(line, "ready ", 6) &&
            strncmp(line, "reseeded ", 9) && strncmp(line, "nic.", 4))
            fputs(line, to);
    fclose(from);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(rename(copy, path), 0);
    scene_sign_record(path);
}

static void test_old_record(void **state)
{
    struct xenfork__ready ready = {0};
    struct xenfork__record *n;
    char *path;

    (void)state;
    fork_two(s);
    path = xenfork__record_path(s->ctx, XENFORK_KIND_CLONE,
                                fork_clone(s, 0)->uuid, XENFORK__FILE_RECORD);
    age_record(path);
    free(path);
    n = fork_record(s, 0);
    assert_string_equal(n->generation, "");
    assert_int_equal(n->nic_count, 0);
    assert_int_equal(xenfork__ready_add(s->ctx, &ready, n), 0);
    assert_int_equal(ready.waiting, 0);
    xenfork__ready_free(s->ctx, &ready);
    xenfork__record_free(n);
    assert_int_equal(
        xenfork_clone_set_nic_link(s->ctx, "src-1", 0, XENFORK_LINK_CONNECT),
        0);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
}

static void test_list(void **state)
{
    xenfork_list *list;
    char mac[XENFORK__MAC_CHARS];

    (void)state;
    fork_two(s);
    fake->on_wait = fork_acknowledge_second;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, SOON_MS),
                     XENFORK_E_TIMEOUT);
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_int_equal(xenfork_list_entry_count(list), 3);
    assert_null(xenfork_entry_generation(xenfork_list_entry(list, 0)));
    assert_string_equal(xenfork_entry_generation(xenfork_list_entry(list, 1)),
                        fork_clone(s, 0)->guest.generation);
    assert_false(xenfork_entry_is_ready(xenfork_list_entry(list, 1)));
    assert_true(xenfork_entry_is_ready(xenfork_list_entry(list, 2)));
    assert_int_equal(xenfork_entry_nic_count(xenfork_list_entry(list, 1)), 1);
    xenfork__mac_print(fork_clone(s, 0)->nics[0].mac, mac);
    assert_string_equal(
        xenfork_nic_mac(xenfork_entry_nic(xenfork_list_entry(list, 1), 0)),
        mac);
    assert_int_equal(
        xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, 1), 0)),
        XENFORK_LINK_AUTO);
    assert_int_equal(
        xenfork_nic_link(xenfork_entry_nic(xenfork_list_entry(list, 2), 0)),
        XENFORK_LINK_CONNECT);
    assert_null(
        xenfork_nic_mac(xenfork_entry_nic(xenfork_list_entry(list, 1), 1)));
    assert_null(xenfork_entry_generation(xenfork_list_entry(list, 3)));
    xenfork_list_free(list);
}

static void fail_first(void)
{
    if (turns++)
        return;
    fake_reseeded(fork_clone(s, 0)->domid);
    fake_fault(fork_clone(s, 0)->domid, "40-network: \033[2J no\xc3\xa4");
    fake_reseeded(fork_clone(s, 1)->domid);
    fake_ack(fork_clone(s, 1)->domid, NULL);
}

static void fail_and_mend(void)
{
    fail_first();
    if (turns > 8)
        fake_ack(fork_clone(s, 0)->domid, NULL);
}

/* At once, by name, with its own words; and it stays as it is. */
static void test_not_adapted(void **state)
{
    static const char words[] = "40-network: ?[2J no??";
    xenfork_list *list;

    (void)state;
    turns = 0;
    fork_two(s);
    fake->on_wait = fail_first;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 3600000),
                     XENFORK_E_NOTADAPTED);
    assert_in_range(turns, 1, 8);
    assert_non_null(strstr(xenfork_error_text(s->ctx), "src-1"));
    assert_non_null(strstr(xenfork_error_text(s->ctx), words));
    assert_non_null(
        strstr(xenfork_error_remedy(s->ctx), "xl fork-net src-1 connect"));
    assert_false(xenfork_clone_is_ready(xenfork_result_clone(s->result, 0)));
    assert_true(xenfork_clone_is_reseeded(xenfork_result_clone(s->result, 0)));
    assert_string_equal(xenfork_clone_error(xenfork_result_clone(s->result, 0)),
                        words);
    assert_true(xenfork_nic_link(
                    xenfork_clone_nic(xenfork_result_clone(s->result, 0), 0)) !=
                XENFORK_LINK_CONNECT);
    assert_false(fork_clone(s, 0)->nics[0].is_up);
    assert_true(xenfork_clone_is_ready(xenfork_result_clone(s->result, 1)));
    assert_null(xenfork_clone_error(xenfork_result_clone(s->result, 1)));
    assert_null(xenfork_clone_error(xenfork_result_clone(s->result, 2)));
    assert_false(xenfork_clone_is_reseeded(xenfork_result_clone(s->result, 2)));
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_false(xenfork_entry_is_ready(xenfork_list_entry(list, 1)));
    assert_true(xenfork_entry_is_reseeded(xenfork_list_entry(list, 1)));
    assert_string_equal(xenfork_entry_error(xenfork_list_entry(list, 1)),
                        words);
    assert_null(xenfork_entry_error(xenfork_list_entry(list, 2)));
    assert_true(xenfork_entry_is_reseeded(xenfork_list_entry(list, 2)));
    assert_null(xenfork_entry_error(xenfork_list_entry(list, 9)));
    xenfork_list_free(list);
    /* Mended in the guest, or the user overrides it. */
    assert_int_equal(xenfork_clone_set_nic_link(s->ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
    fake->on_wait = fork_acknowledge;
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_null(xenfork_clone_error(xenfork_result_clone(s->result, 0)));
}

/* A keeper waits on: the next attempt may succeed. */
static void test_mended(void **state)
{
    const struct xenfork__ready_clone *one;
    struct xenfork__ready ready = {0};
    struct xenfork__record *n;

    (void)state;
    turns = 0;
    fork_two(s);
    n = fork_record(s, 0);
    assert_int_equal(xenfork__ready_add(s->ctx, &ready, n), 0);
    xenfork__record_free(n);
    fake->on_wait = fail_and_mend;
    while (ready.waiting)
        assert_int_equal(xenfork__ready_turn(s->ctx, &ready, -1, 0, &one), 0);
    assert_true(turns > 8);
    assert_true(fork_clone(s, 0)->nics[0].is_up);
    n = fork_record(s, 0);
    assert_true(n->is_ready && n->is_reseeded);
    xenfork__record_free(n);
    xenfork__ready_free(s->ctx, &ready);
}

/* A clone that acknowledges without having reseeded has not reseeded. */
static void test_not_reseeded(void **state)
{
    xenfork_list *list;

    (void)state;
    fork_two(s);
    fake_reseeded(fork_clone(s, 0)->domid);
    fork_acknowledge();
    assert_int_equal(xenfork_wait_ready(s->ctx, s->result, 5000), 0);
    assert_true(xenfork_clone_is_reseeded(xenfork_result_clone(s->result, 0)));
    assert_false(xenfork_clone_is_reseeded(xenfork_result_clone(s->result, 1)));
    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    assert_true(xenfork_entry_is_reseeded(xenfork_list_entry(list, 1)));
    assert_false(xenfork_entry_is_reseeded(xenfork_list_entry(list, 2)));
    xenfork_list_free(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_old_record), TEST(test_list),         TEST(test_not_adapted),
        TEST(test_mended),     TEST(test_not_reseeded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
