/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* docs/examples/fork-and-wait.c, with the fake in place of Xen. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"

/* The program as it is, but for the name of its main(). */
#define main example_main
int example_main(int argc, char **argv);
#include "docs/examples/fork-and-wait.c"
#undef main

int __real_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags);
int __wrap_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags);

/* Its state directory is below the fake's directory. */
int __wrap_xenfork_open(xenfork_ctx **ctx_out, struct xentoollog_logger *logger,
                        uint32_t flags)
{
    static bool is_nested;
    if (is_nested || fake->cannot_open)
        return __real_xenfork_open(ctx_out, logger, flags);
    is_nested = true;
    *ctx_out = scene_open();
    is_nested = false;
    return 0;
}

static uint32_t source;
static char said[1024], complained[1024];

static int setup(void **state)
{
    (void)state;
    fake_setup();
    source = scene_source();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_teardown();
    return 0;
}

static void acknowledge(void)
{
    const struct fake_domain *clone = fake_domain_named("src-1");

    if (clone)
        fake_ack(clone->domid, NULL);
}

static void give_up(void)
{
    const struct fake_domain *clone = fake_domain_named("src-1");

    if (clone)
        fake_fault(clone->domid, "40-network: no way");
}

static void slurp(FILE *file, int fd, int saved, char *text, size_t bytes)
{
    size_t n;

    fflush(fd == STDOUT_FILENO ? stdout : stderr);
    dup2(saved, fd);
    close(saved);
    rewind(file);
    n = fread(text, 1, bytes - 1, file);
    text[n] = '\0';
    fclose(file);
}

/* Run the program; what it has printed is in said and complained. */
static int run(const char *name, const char *seconds)
{
    char *argv[] = {(char *)"fork-and-wait", (char *)name, (char *)seconds,
                    NULL};
    FILE *out = tmpfile(), *err = tmpfile();
    int saved_out, saved_err, status;

    assert_true(out && err);
    fflush(stdout);
    saved_out = dup(STDOUT_FILENO);
    saved_err = dup(STDERR_FILENO);
    dup2(fileno(out), STDOUT_FILENO);
    dup2(fileno(err), STDERR_FILENO);
    status = example_main(seconds ? 3 : name ? 2 : 1, argv);
    slurp(out, STDOUT_FILENO, saved_out, said, sizeof(said));
    slurp(err, STDERR_FILENO, saved_err, complained, sizeof(complained));
    return status;
}

static void test_good(void **state)
{
    (void)state;
    fake->on_wait = acknowledge;
    assert_int_equal(run("src", NULL), 0);
    assert_string_equal(complained, "");
    assert_non_null(strstr(said, "src-1: domain "));
    assert_non_null(strstr(said, "src-1: ready after "));
    assert_non_null(strstr(said, "src-1: 276 KiB in all, "));
    assert_null(fake_domain_named("src-1"));
    assert_false(fake_domain(source)->is_shutdown);
}

/* Every call fails once: it is reported, and the clone does not stay. */
static void test_failures(void **state)
{
    (void)state;
    assert_int_equal(run("nobody", NULL), 1);
    assert_string_equal(said, "");
    assert_non_null(strstr(complained, "nobody: NOTFOUND: "));
    assert_non_null(strstr(complained, "xl list"));
    fake->on_wait = give_up;
    assert_int_equal(run("src", "1"), 1);
    assert_non_null(strstr(complained, "src-1: NOTADAPTED: "));
    assert_null(fake_domain_named("src-1"));
    fake->on_wait = NULL;
    fake_fail_function("xenfork__xen_fork_memory", XENFORK_E_HOSTMEM, 0);
    assert_int_equal(run("src", NULL), 1);
    fake_disarm();
    assert_non_null(strstr(complained, "src: HOSTMEM: "));
    assert_null(fake_domain_named("src-1"));
    fake->cannot_open = true;
    assert_int_equal(run("src", NULL), 1);
    assert_non_null(strstr(complained, "PERM"));
}

static void test_usage(void **state)
{
    (void)state;
    assert_int_equal(run(NULL, NULL), 2);
    assert_int_equal(run("src", "0"), 2);
    assert_int_equal(run("src", "soon"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, setup, teardown),
        cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usage, setup, teardown)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
