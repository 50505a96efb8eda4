/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuts.h"
#include "disk/base.h"
#include "disk/disk.h"
#include "disk/thin/thin.h"
#include "fake-xen.h"
#include "power.h"
#include "scene.h"
#include "state/record.h"

#define MAX_KNOWN 64U
#define PATH      (2 * FAKE_PATH)

/* The state in which the source's disk must be again. */
static char source_path[FAKE_PATH], source_driver[16];

uint32_t cuts_source(void)
{
    return fake_domain_named("src")->domid;
}

void cuts_note_source(const char *driver)
{
    fake_copy_string(source_path, sizeof(source_path),
                     fake_domain(cuts_source())->disks[0].path);
    fake_copy_string(source_driver, sizeof(source_driver), driver);
}

/* Files that something speaks of. */
struct known {
    uint32_t count;
    char paths[MAX_KNOWN][PATH];
    bool has_thin;
};

static void know(struct known *known, const char *path)
{
    assert_in_range(known->count, 0, MAX_KNOWN - 1);
    fake_copy_string(known->paths[known->count++], PATH, fake_file(path));
}

static bool bad(const char *what, const char *why, const char *path)
{
    print_error("%s: %s %s\n", what, why, path);
    return false;
}

static bool is_thin_whole(xenfork_ctx *ctx, const char *path)
{
    struct xenfork__thin *thin;
    bool ok = xenfork__thin_peek(ctx, path, &thin) == 0;
    uint32_t i;

    if (!ok)
        return false;
    ok = !thin->has_id;
    for (i = 0; i < FAKE_THINS && !ok; i++)
        ok = fake->thins[i].id == thin->id;
    /* A source that is started without its head must not write there. */
    ok = ok && access(thin->origin, F_OK) == 0 &&
         fake_is_protected(thin->origin);
    xenfork__thin_close(thin);
    return ok;
}

static bool is_full(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > 0;
}

/* A disk, and all that backs it. */
static bool is_whole(xenfork_ctx *ctx, const char *driver_name,
                     const char *path, struct known *known)
{
    const struct xenfork__disk_driver *driver = xenfork__disk_driver(
        driver_name);
    char *at = strdup(path), *below = NULL;
    bool ok = driver;

    if (ok && !strcmp(driver->name, "thin")) {
        known->has_thin = true;
        ok = is_thin_whole(ctx, path);
    }
    while (ok && at) {
        know(known, at);
        ok = is_full(fake_file(at));
        below = NULL;
        if (ok && driver->parent)
            ok = driver->parent(ctx, at, &below) == 0;
        free(at);
        at = below;
    }
    free(at);
    return ok;
}

static bool are_records_whole(xenfork_ctx *ctx, const char *what, int kind,
                              struct known *known, uint32_t *count_out)
{
    cleanup_records struct xenfork__records records = {0};
    uint32_t i, d;

    if (xenfork__records_load(ctx, kind, &records) < 0 || records.unreadable)
        return bad(what, "records cannot be read", "");
    for (i = 0; i < records.count; i++)
        for (d = 0; d < records.records[i]->disk_count; d++) {
            const struct xenfork__record_disk *disk =
                &records.records[i]->disks[d];

            if (!is_whole(ctx, disk->driver, disk->path, known))
                return bad(what, "a record without its disk:", disk->path);
            if (disk->other[0])
                know(known, disk->other);
        }
    *count_out = (uint32_t)records.count;
    return true;
}

static void know_bases(xenfork_ctx *ctx, struct known *known)
{
    struct xenfork__base_list list = {0};
    size_t i;

    assert_int_equal(xenfork__base_load(ctx, &list), 0);
    for (i = 0; i < list.count; i++)
        know(known, list.items[i].path);
    xenfork__base_free(&list);
}

static bool is_known(const struct known *known, const char *path)
{
    uint32_t i;

    if (strstr(path, "/state/"))
        return !strstr(path, "/journals/");
    if (known->has_thin && strstr(path, "/.xenfork/"))
        return true;
    /* A detach that was broken off goes on with its copy: "FILE.own". */
    for (i = 0; i < known->count; i++)
        if (!strncmp(known->paths[i], path, strlen(known->paths[i])) &&
            (!path[strlen(known->paths[i])] ||
             !strcmp(path + strlen(known->paths[i]), ".own") ||
             !strcmp(path + strlen(known->paths[i]), ".copy") || /* a fake's */
             !strcmp(path + strlen(known->paths[i]), ".below")))
            return true;
    return false;
}

/* No journal, and no file of ours that nothing speaks of. */
static bool has_no_stranger(const char *what, const struct known *known,
                            const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort), i;
    bool ok = true;

    for (i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[PATH];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (ok && strcmp(name, ".") && strcmp(name, "..") &&
            strcmp(name, "locks") && !lstat(path, &st))
            ok = S_ISDIR(st.st_mode)
                     ? has_no_stranger(what, known, path)
                     : is_known(known, path) || bad(what, "left is", path);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

/* Immutable, and no disk rests on it: nobody would ever free it. */
static bool is_stuck(const struct known *known)
{
    char heads[PATH];
    glob_t found = {0};
    bool has_head;

    snprintf(heads, sizeof(heads), "%s/.xenfork/*.head", fake->dir);
    has_head = glob(heads, 0, NULL, &found) == 0;
    globfree(&found);
    return !known->has_thin && !has_head && fake_is_protected(source_path);
}

static bool verify(const struct cut *cut, const char *what, bool is_done)
{
    struct known *known = calloc(1, sizeof(*known));
    xenfork_ctx *ctx = scene_open();
    uint32_t clones = 0, others = 0;
    bool ok = true;
    int rc;

    assert_non_null(known);
    fake_disarm();
    rc = xenfork_recover(ctx);
    if (rc < 0)
        ok = bad(what, "recover says", xenfork_error_text(ctx));
    if (cut->again && !is_done) {
        rc = cut->again(ctx);
        if (rc < 0 && rc != XENFORK_E_NOTFOUND)
            ok = bad(what, "again:", xenfork_error_text(ctx));
        is_done = true;
    }
    if (source_driver[0]) {
        if (!is_whole(ctx, source_driver, source_path, known))
            ok = bad(what, "the source's disk is not whole:", source_path);
    } else {
        know(known, source_path);
        if (!is_full(source_path))
            ok = bad(what, "the source's disk is lost:", source_path);
    }
    ok = are_records_whole(ctx, what, XENFORK_KIND_CLONE, known, &clones) &&
         are_records_whole(ctx, what, XENFORK_KIND_IMAGE, known, &others) && ok;
    know_bases(ctx, known);
    if (is_stuck(known))
        ok = bad(what, "nobody can write any more to", source_path);
    /* Its writes since the first snapshot go back when it is used. */
    known->has_thin |= cut->clones_before && !source_driver[0];
    if (!cut->leaves_files)
        ok = has_no_stranger(what, known, fake->dir) && ok;
    if (is_done && clones != cut->clones_after)
        ok = bad(what, "was done, and is not", "");
    if (clones != cut->clones_before && clones != cut->clones_after)
        ok = bad(what, "is neither done nor undone", "");
    if (fake->violation[0])
        ok = bad(what, "violation:", fake->violation);
    xenfork_close(ctx);
    free(known);
    return ok;
}

static int run_cut(void *opaque)
{
    return ((const struct cut *)opaque)->run();
}

static void start(const struct cut *cut)
{
    fake_setup();
    cut->prepare();
    fake_disarm();
    power_watch();
}

/* The keeper goes on as if it were done when it was told so. */
static bool is_told(void)
{
    uint32_t i;

    for (i = 0; i < fake->keeper_count; i++)
        if (fake->keepers[i].is_committed)
            return true;
    return false;
}

static bool cut_at(const struct cut *cut, uint32_t n, const char *call,
                   int loss)
{
    static const char *const losses[] = {"all lost", "order kept", "names kept",
                                         "nothing lost"};
    bool is_done, had_keeper;
    char what[128];
    int rc = 0;

    start(cut);
    had_keeper = is_told();
    if (n) {
        fake_crash_at(n, FAKE_AFTER);
        if (!fake_crash(run_cut, (void *)(uintptr_t)cut, &rc))
            return bad(cut->name, "was not stopped at", call);
        is_done = !had_keeper && is_told();
    } else {
        is_done = cut->run() == 0;
        if (!is_done)
            return bad(cut->name, "failed", "");
    }
    power_cut((enum power_loss)loss);
    snprintf(what, sizeof(what), "%s: cut after call %u, %s, %s", cut->name, n,
             call, losses[loss]);
    return verify(cut, what, is_done);
}

/* Where what is lost makes a difference to another loss. */
static bool has_loss(const char *name, enum power_loss loss)
{
    if (!strcmp(name, "fsync"))
        return loss == POWER_LOSES_ALL || loss == POWER_KEEPS_NAMES;
    if (!strcmp(name, "rename") || !strcmp(name, "mkdir"))
        return loss == POWER_KEEPS_NAMES;
    return true;
}

/* A good run: what is called, and what of it makes something durable. */
struct plan {
    uint32_t calls;
    const char *log[FAKE_LOG];
    bool is_sync[FAKE_LOG];
};

static struct plan *make_plan(const struct cut *cut)
{
    struct plan *plan = calloc(1, sizeof(*plan));
    uint32_t i;

    assert_non_null(plan);
    start(cut);
    assert_int_equal(cut->run(), 0);
    plan->calls = fake_calls();
    assert_in_range(plan->calls, 1, FAKE_LOG - 1);
    memcpy(plan->log, fake->log, sizeof(plan->log));
    for (i = 0; i < plan->calls; i++)
        plan->is_sync[i] = power_is_sync(i + 1);
    return plan;
}

/* In each way, or in one of them. */
static uint32_t cut_here(const struct cut *cut, uint32_t n, const char *call,
                         bool is_all, uint32_t *wrong)
{
    uint32_t points = 0, chosen = POWER_LOSSES;
    int loss;

    while (!is_all && chosen == POWER_LOSSES) {
        chosen = (uint32_t)random() % POWER_LOSSES;
        if (n && !has_loss(call, (enum power_loss)chosen))
            chosen = POWER_LOSSES;
    }
    for (loss = 0; loss < POWER_LOSSES; loss++) {
        if (is_all ? n && !has_loss(call, (enum power_loss)loss)
                   : loss != (int)chosen)
            continue;
        points++;
        *wrong += !cut_at(cut, n, call, loss);
    }
    return points;
}

/* Does a call leave something else on a disk? */
static bool changes(const char *name)
{
    return !strcmp(name, "rename") || !strcmp(name, "mkdir") ||
           !strncmp(name, "xenfork__sys_", 13);
}

static void test_cut(void **state)
{
    const struct cut *cut = *state;
    bool is_all = getenv("XENFORK_TEST_ALL");
    struct plan *plan = make_plan(cut);
    uint32_t n, points, wrong = 0;

    points = cut_here(cut, 0, "the last", is_all, &wrong);
    for (n = 1; n <= plan->calls; n++)
        if (plan->is_sync[n - 1] || (is_all && changes(plan->log[n - 1])))
            points += cut_here(cut, n, plan->log[n - 1], is_all, &wrong);
    free(plan);
    print_message("# %s: %u power cuts\n", cut->name, points);
    if (wrong)
        print_error("%s: %u of %u cuts went wrong\n", cut->name, wrong, points);
    assert_int_equal(wrong, 0);
    assert_true(points >= 2);
}

static int teardown(void **state)
{
    (void)state;
    fake_teardown();
    return 0;
}

int cuts_main(const struct cut *cuts, size_t count, int argc, char **argv)
{
    struct CMUnitTest *tests = calloc(count, sizeof(*tests));
    size_t i;
    int failed;

    if (!tests)
        return 1;
    srandom((unsigned int)time(NULL));
    for (i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){
            .name = cuts[i].name,
            .test_func = test_cut,
            .initial_state = (void *)(uintptr_t)&cuts[i]};
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failed = _cmocka_run_group_tests(cuts[0].name, tests, count, NULL,
                                     teardown);
    free(tests);
    return failed;
}
