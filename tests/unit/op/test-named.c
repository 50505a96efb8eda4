/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named.c: clones and images go by the name that they have today. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "op/named.h"
#include "../lib/scene.h"

static struct {
    xenfork_ctx *ctx;
    uint32_t src, clone;
} s;

static int setup(void **state)
{
    (void)state;
    s.src = scene_source();
    assert_int_equal(scene_fork(s.src, 1, XENFORK_FORK_KEEP_IMAGE), 0);
    s.clone = fake_domain_named("src-1")->domid;
    s.ctx = scene_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    scene_close(s.ctx);
    return 0;
}

static void rename_clone(const char *name)
{
    strcpy(fake_domain(s.clone)->name, name);
}

/* An ordinary domain. */
static uint32_t stranger(const char *name)
{
    return fake_add_guest(name);
}

static const char *listed_name(uint32_t domid)
{
    static char name[FAKE_NAME];
    xenfork_list *list;
    uint32_t i;

    name[0] = '\0';
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        if (xenfork_entry_domid(xenfork_list_entry(list, i)) == domid)
            snprintf(name, sizeof(name), "%s",
                     xenfork_entry_name(xenfork_list_entry(list, i)));
    xenfork_list_free(list);
    return name;
}

static void test_renamed(void **state)
{
    uint32_t domid;

    (void)state;
    rename_clone("cc");
    assert_string_equal(listed_name(s.clone), "cc");
    assert_int_equal(xenfork_clone_set_nic_link(s.ctx, "src-1", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_clone_set_nic_link(s.ctx, "cc", XENFORK_ALL,
                                                XENFORK_LINK_CONNECT),
                     0);
    assert_int_equal(xenfork_find(s.ctx, "cc", &domid), 0);
    /* Its record, too: it goes by that when it has stopped. */
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "cc", 0), 0);
}

/* Asked by its old name first: the new one is said, and nothing is done. */
static void test_old_name(void **state)
{
    (void)state;
    rename_clone("cc");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0),
                     XENFORK_E_NOTFOUND);
    assert_non_null(strstr(xenfork_error_remedy(s.ctx), "cc"));
    assert_false(fake_domain(s.clone)->is_dying);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "cc", 0), 0);
}

/* The name is an ordinary domain's now: both stay, and both are named. */
static void test_taken_name(void **state)
{
    char number[16];
    uint32_t other, domid = 0;

    (void)state;
    rename_clone("cc");
    other = stranger("src-1");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0),
                     XENFORK_E_NOTOURS);
    assert_non_null(strstr(xenfork_error_text(s.ctx), "cc"));
    snprintf(number, sizeof(number), "domain %u", other);
    assert_non_null(strstr(xenfork_error_text(s.ctx), number));
    assert_false(fake_domain(s.clone)->is_dying);
    assert_false(fake_domain(other)->is_dying);
    /* From here on it is known which is which. */
    assert_int_equal(xenfork_find(s.ctx, "src-1", &domid), 0);
    assert_int_equal(domid, other);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "cc", 0), 0);
    assert_false(fake_domain(other)->is_dying);
}

/* A source is named that way: likewise. */
static void test_taken_name_of_source(void **state)
{
    uint32_t other, domid = 0;

    (void)state;
    rename_clone("cc");
    other = stranger("src-1");
    assert_int_equal(xenfork_find(s.ctx, "src-1", &domid), XENFORK_E_NOTOURS);
    assert_int_equal(domid, 0);
    assert_int_equal(xenfork_find(s.ctx, "src-1", &domid), 0);
    assert_int_equal(domid, other);
}

/* A stopped clone's name: by it neither is touched, as often as it is said. */
static void test_taken_name_of_stopped(void **state)
{
    char uuid[XENFORK__UUID_CHARS], number[16];
    uint32_t other, domid = 0;
    int i;

    (void)state;
    xenfork__uuid_print(fake_domain(s.clone)->uuid, uuid);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
    other = stranger("src-1");
    for (i = 0; i < 2; i++) {
        assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0),
                         XENFORK_E_NOTOURS);
        assert_non_null(strstr(xenfork_error_text(s.ctx), uuid));
        assert_int_equal(xenfork_find(s.ctx, "src-1", &domid),
                         XENFORK_E_NOTOURS);
    }
    snprintf(number, sizeof(number), "%u", other);
    assert_int_equal(xenfork_find(s.ctx, number, &domid), 0);
    assert_int_equal(xenfork_clone_destroy(s.ctx, uuid, 0), 0);
    assert_false(fake_domain(other)->is_dying);
    assert_int_equal(xenfork_find(s.ctx, "src-1", &domid), 0);
}

/* Two clones, one of which has stopped, by one name. */
static void test_ambiguous(void **state)
{
    (void)state;
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.clone), 0);
    strcpy(fake_domain_named("src-2")->name, "src-1");
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0),
                     XENFORK_E_NAMETAKEN);
    assert_non_null(fake_domain_named("src-1"));
}

static void test_image(void **state)
{
    xenfork_list *list;
    uint32_t i;

    (void)state;
    strcpy(fake_domain_named("src@fork-1")->name, "gold");
    strcpy(fake_domain(s.src)->name, "origin");
    assert_int_equal(xenfork_list_open(s.ctx, 0, &list), 0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        assert_string_equal(xenfork_entry_parent(xenfork_list_entry(list, i)),
                            xenfork_entry_kind(xenfork_list_entry(list, i)) ==
                                    XENFORK_KIND_IMAGE
                                ? "origin"
                                : "gold");
    assert_int_equal(xenfork_entry_parent_domid(xenfork_list_entry(list, 0)),
                     s.src);
    assert_int_equal(xenfork_entry_parent_domid(xenfork_list_entry(list, 1)),
                     XENFORK_DOMID_NONE);
    xenfork_list_free(list);
    assert_int_equal(xenfork_clone_destroy(s.ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_image_destroy(s.ctx, "gold"), 0);
}

static void assert_stem(const char *name, size_t chars, const char *stem)
{
    char text[XENFORK__NAME_MAX + 1];

    xenfork__name_stem(name, chars, text);
    assert_string_equal(text, stem);
}

static void test_stems(void **state)
{
    (void)state;
    assert_stem("web-1.a_b", 40, "web-1.a_b");
    assert_stem("../x", 40, ".._x");
    assert_stem("a b'c\"d\ne", 40, "a_b_c_d_e");
    assert_stem("-a", 40, "_a");
    assert_stem("", 40, "_");
    assert_stem("a\xc3\xbc\xe2\x82\xac"
                "b",
                40, "a__b");
    assert_stem("a\xc3\xbc"
                "b",
                2, "a_");
    assert_stem("a\x80\xff", 40, "a__");
    assert_stem("abc", 2, "ab");
}

/* Clones are named by the name that their source has today. */
static void test_source_renamed(void **state)
{
    uint32_t image;

    (void)state;
    assert_int_equal(xenfork_freeze(s.ctx, s.src, 1000), 0);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_non_null(fake_domain_named("src-2"));
    strcpy(fake_domain(s.src)->name, "shop");
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    assert_non_null(fake_domain_named("shop-1"));
    assert_string_equal(fake_domain_named("shop-1")->guest.source, "shop");
    /* By its image, too. */
    image = scene_image();
    strcpy(fake_domain(s.src)->name, "store");
    assert_int_equal(scene_fork(image, 1, 0), 0);
    assert_non_null(fake_domain_named("store-1"));
    /* It is gone: by its last known name. */
    assert_int_equal(xenfork__xen_destroy(s.ctx, s.src), 0);
    assert_int_equal(scene_fork(image, 1, 0), 0);
    assert_non_null(fake_domain_named("src-3"));
}

/* Names that we make up keep our own rule, whatever the source is called. */
static void test_names_made(void **state)
{
    char name[XENFORK__NAME_MAX + 1] = "../";
    size_t n;

    (void)state;
    for (n = 3; n < 46; n++)
        name[n] = 'y';
    strcpy(name + n, "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc");
    strcpy(fake_domain(s.src)->name, name);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    memset(name, 'y', 46);
    memcpy(name, ".._", 3);
    strcpy(name + 46, "_____-1");
    assert_non_null(fake_domain_named(name));
    strcpy(name + 46, "_@fork-1");
    assert_non_null(fake_domain_named(name));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_renamed),
        TEST(test_old_name),
        TEST(test_taken_name),
        TEST(test_taken_name_of_source),
        TEST(test_taken_name_of_stopped),
        TEST(test_ambiguous),
        TEST(test_image),
        TEST(test_stems),
        TEST(test_source_renamed),
        TEST(test_names_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
