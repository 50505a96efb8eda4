/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "sweep.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "scene.h"

int sweep_end(xenfork_ctx *ctx, int rc)
{
    if (rc < 0 &&
        (xenfork_error_code(ctx) != rc || !xenfork_error_text(ctx)[0] ||
         strpbrk(xenfork_error_text(ctx), "\n")))
        fake_violation("returned %s, but said %s: \"%s\"",
                       xenfork_code_name(rc),
                       xenfork_code_name(xenfork_error_code(ctx)),
                       xenfork_error_text(ctx));
    xenfork_close(ctx);
    return rc;
}

static int recover(void *opaque)
{
    xenfork_ctx *ctx = scene_open();

    (void)opaque;
    return sweep_end(ctx, xenfork_recover(ctx));
}

/* Tell whether an injected failure may turn into this code. */
static bool is_expected(const struct sweep *sweep, const char *name, int rc)
{
    if (sweep->code)
        return rc == sweep->code;
    if (!strncmp(name, "xenfork__", 9))
        return rc == XENFORK_E_XEN;
    return rc == XENFORK_E_STATE || rc == XENFORK_E_DISK || rc == XENFORK_E_IO;
}

struct plan {
    uint32_t calls;
    const char *log[FAKE_LOG];
    bool is_point[FAKE_LOG]; /* [n - 1]: call n is worth interrupting */
};

/*
 * One good run tells which calls there are.  Of a long row of calls of one
 * function (looking for pages is a thousand) the ends are enough.
 */
static void make_plan(const struct sweep *sweep, struct plan *plan)
{
    uint32_t i, first, end;

    fake_setup();
    sweep->prepare();
    fake_disarm();
    assert_int_equal(sweep->run(NULL), 0);
    assert_string_equal(fake->violation, "");
    plan->calls = fake_calls();
    assert_in_range(plan->calls, 1, FAKE_LOG - 1);
    memcpy(plan->log, fake->log, sizeof(plan->log));
    for (first = 0; first < plan->calls; first = end) {
        for (end = first;
             end < plan->calls && plan->log[end] == plan->log[first]; end++)
            ;
        for (i = first; i < end; i++)
            plan->is_point[i] = i < first + 4 || i + 4 >= end;
    }
    fake_setup();
}

static bool complain(const char *what, const char *verb, int rc)
{
    print_error("%s: %s %s\n", what, verb, xenfork_code_name(rc));
    return false;
}

/* Has it got to where it should?  Of SWEEP_UNDOES: though it was disturbed. */
static bool is_done(const struct sweep *sweep, const char *wanted,
                    const char *what)
{
    if (fake->violation[0]) {
        print_error("%s: %s\n", what, fake->violation);
        return false;
    }
    if (sweep->is_done)
        return sweep->is_done() || complain(what, "not done, but", 0);
    if (sweep->promise == SWEEP_UNDOES)
        return complain(what, "returned", 0);
    return fake_is_same(wanted, what);
}

/* The operation once more: now it must get there. */
static bool repeat(const struct sweep *sweep, const char *done,
                   const char *what)
{
    int rc;

    fake_disarm();
    rc = recover(NULL);
    if (rc == 0)
        rc = sweep->run(NULL);
    /* It may have been done already. */
    if (rc != 0 && rc != XENFORK_E_NOTFOUND)
        return complain(what, "repeated: returned", rc);
    return is_done(sweep, done, what);
}

static bool verify(const struct sweep *sweep, const char *wanted,
                   const char *what)
{
    return sweep->promise == SWEEP_UNDOES ? fake_is_same(wanted, what)
                                          : repeat(sweep, wanted, what);
}

/* To where the operation starts.  Returns what the end must look like. */
static char *start(const struct sweep *sweep)
{
    fake_setup();
    sweep->prepare();
    fake_disarm();
    if (sweep->promise == SWEEP_REPEATS)
        return strdup(fake_marked());
    return fake_snapshot();
}

static bool fail_one(const struct sweep *sweep, const char *name, uint32_t n,
                     const char *wanted, const char *what)
{
    int rc;

    fake_fail_at(n);
    rc = sweep->run(NULL);
    fake_disarm();
    /* Passed over: what is left, as lock files, the next call removes. */
    if (rc == 0 && recover(NULL) == 0)
        return is_done(sweep, wanted, what);
    if (!is_expected(sweep, name, rc))
        return complain(what, "returned", rc);
    return verify(sweep, wanted, what);
}

static bool fail_on(const struct sweep *sweep, const char *name, uint32_t n,
                    const char *wanted, const char *what)
{
    int rc;

    fake_fail_from(n);
    rc = sweep->run(NULL);
    fake_disarm();
    /* All was made before; what failed after it was passed over. */
    if (rc == 0 && recover(NULL) == 0)
        return is_done(sweep, wanted, what);
    /* Recovery passes its own failures over: then a call to Xen fails. */
    if (rc != XENFORK_E_RESIDUE && rc != XENFORK_E_XEN &&
        !is_expected(sweep, name, rc))
        return complain(what, "returned", rc);
    /* Only RESIDUE may leave something. */
    if (rc != XENFORK_E_RESIDUE && sweep->promise == SWEEP_UNDOES &&
        !fake_is_same(wanted, what))
        return false;
    rc = recover(NULL);
    if (rc < 0)
        return complain(what, "recover returned", rc);
    return verify(sweep, wanted, what);
}

static bool kill_one(const struct sweep *sweep, uint32_t n, int when,
                     const char *wanted, const char *what)
{
    int rc;

    fake_crash_at(n, when);
    if (!fake_crash(sweep->run, NULL, &rc))
        return complain(what, "was not killed: returned", rc);
    fake_disarm();
    rc = recover(NULL);
    if (rc < 0)
        return complain(what, "recover returned", rc);
    if (sweep->promise == SWEEP_UNDOES && sweep->is_done && sweep->is_done())
        return true;
    return verify(sweep, wanted, what);
}

enum how {
    FAIL_ONE,
    FAIL_ON,
    KILL_BEFORE,
    KILL_AFTER
};

static bool interrupt(const struct sweep *sweep, const char *name, uint32_t n,
                      enum how how)
{
    static const char *const verbs[] = {"fail", "fail from", "kill before",
                                        "kill after"};
    char *wanted = start(sweep);
    char what[256];
    bool ok;

    snprintf(what, sizeof(what), "%s: %s call %u, %s", sweep->name, verbs[how],
             n, name);
    if (how == FAIL_ONE)
        ok = fail_one(sweep, name, n, wanted, what);
    else if (how == FAIL_ON)
        ok = fail_on(sweep, name, n, wanted, what);
    else
        ok = kill_one(sweep, n, how == KILL_BEFORE ? FAKE_BEFORE : FAKE_AFTER,
                      wanted, what);
    free(wanted);
    return ok;
}

/*
 * Tell whether a kill after call @n finds what a kill before the next one does:
 * between two calls to Xen or the host only the file of a lock may be made.
 * Before a call that makes the state durable more may have been written.
 * XENFORK_TEST_ALL, in the environment, kills at both.
 */
static bool is_told_by_next(const struct plan *plan, uint32_t n, enum how how)
{
    return how == KILL_AFTER && n < plan->calls && plan->is_point[n] &&
           !strncmp(plan->log[n], "xenfork__", 9) &&
           !getenv("XENFORK_TEST_ALL");
}

/* All points, so that one run shows all that is wrong. */
static void sweep_all(const struct sweep *sweep, enum how first, enum how last)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    uint32_t n, bad = 0, points = 0;
    enum how how;

    assert_non_null(plan);
    make_plan(sweep, plan);
    for (n = 1; n <= plan->calls; n++) {
        if (!plan->is_point[n - 1] ||
            (first < KILL_BEFORE && !strcmp(plan->log[n - 1], "unlink")))
            continue;
        for (how = first; how <= last; how++) {
            if (is_told_by_next(plan, n, how))
                continue;
            points++;
            bad += !interrupt(sweep, plan->log[n - 1], n, how);
        }
    }
    free(plan);
    if (bad)
        print_error("%s: %u of %u points went wrong\n", sweep->name, bad,
                    points);
    assert_int_equal(bad, 0);
}

void sweep_failures(const struct sweep *sweep)
{
    sweep_all(sweep, FAIL_ONE, FAIL_ONE);
}

void sweep_residues(const struct sweep *sweep)
{
    sweep_all(sweep, FAIL_ON, FAIL_ON);
}

void sweep_crashes(const struct sweep *sweep)
{
    sweep_all(sweep, KILL_BEFORE, KILL_AFTER);
}

void sweep_test_failures(void **state)
{
    sweep_failures(*state);
}

void sweep_test_residues(void **state)
{
    sweep_residues(*state);
}

void sweep_test_crashes(void **state)
{
    sweep_crashes(*state);
}

int sweep_group_teardown(void **state)
{
    (void)state;
    fake_teardown();
    return 0;
}
