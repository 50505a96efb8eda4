/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* halt.c: a clone that ends while its host goes down is kept. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/ephemeral-scene.h"
#include "../lib/fake-host.h"
#include "../lib/scene.h"
#include "../lib/serving.h"

static void xendomains(const char *args, size_t bytes)
{
    make_root_dir("/proc/77");
    put_proc("proc/77/cmdline", args, bytes);
}

static void test_xendomains_keeps(void **state)
{
    static const char args[] = "/bin/sh\0/usr/lib/xen/bin/xendomains\0stop";

    (void)state;
    make_ephemeral(CRASH);
    xendomains(args, sizeof(args));
    shut_clone_down(XENFORK__SHUTDOWN_POWEROFF);
    destroy_clone();
    assert_clone_kept();
}

/* It ends with the last domain, before we look. */
static void test_xendomains_has_just_ended(void **state)
{
    static const char args[] = "/bin/sh\0/etc/init.d/xendomains\0restart";
    char path[2 * FAKE_PATH];

    (void)state;
    make_ephemeral(CRASH);
    xendomains(args, sizeof(args));
    shut_clone_down(XENFORK__SHUTDOWN_POWEROFF);
    snprintf(path, sizeof(path), "%s/proc/77/cmdline", ephemeral.root);
    assert_int_equal(unlink(path), 0);
    destroy_clone();
    assert_clone_kept();
}

static void test_xendomains_starts(void **state)
{
    static const char args[] = "/bin/sh\0/usr/lib/xen/bin/xendomains\0start";

    (void)state;
    make_ephemeral(POWEROFF);
    xendomains(args, sizeof(args));
    destroy_clone();
    assert_clone_removed();
}

static void test_systemd_keeps(void **state)
{
    (void)state;
    make_ephemeral(POWEROFF);
    destroy_clone();
    make_root_dir("/run");
    make_root_dir("/run/systemd");
    make_root_dir("/run/systemd/system");
    strcpy(fake_host->system_state, "stopping\n");
    assert_clone_kept_after_all();
    /* It does not answer. */
    fake_host->system_state[0] = '\0';
    assert_clone_kept_after_all();
    strcpy(fake_host->system_state, "degraded\n");
    assert_clone_removed();
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, serving_setup, serving_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_xendomains_keeps),
        TEST(test_xendomains_has_just_ended),
        TEST(test_xendomains_starts),
        TEST(test_systemd_keeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
