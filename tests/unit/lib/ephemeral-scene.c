/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "ephemeral-scene.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/ephemeral.h"
#include "fake-host.h"
#include "scene.h"
#include "serving.h"
#include "state/record.h"

struct ephemeral ephemeral;

struct xenfork__record *load_clone(void)
{
    struct xenfork__record *record = NULL;

    xenfork__record_load(s.ctx, XENFORK_KIND_CLONE, ephemeral.uuid, &record);
    return record;
}

void put_proc(const char *path, const char *text, size_t bytes)
{
    char name[2 * FAKE_PATH];
    FILE *file;

    snprintf(name, sizeof(name), "%s/%s", ephemeral.root, path);
    file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

void make_root_dir(const char *path)
{
    char name[2 * FAKE_PATH];

    snprintf(name, sizeof(name), "%s%s", ephemeral.root, path);
    assert_int_equal(mkdir(name, 0700), 0);
}

void make_clone(uint32_t flags)
{
    struct xenfork__record *record;

    assert_int_equal(scene_fork(s.a, 1, flags), 0);
    ephemeral.clone = fake_domain_named("src-1")->domid;
    memcpy(ephemeral.uuid, fake_domain(ephemeral.clone)->uuid, 16);
    record = load_clone();
    assert_non_null(record);
    assert_int_equal(record->disk_count, 1);
    snprintf(ephemeral.disk, sizeof(ephemeral.disk), "%s",
             record->disks[0].path);
    assert_int_equal(access(ephemeral.disk, F_OK), 0);
    xenfork__record_free(record);
}

void make_root(void)
{
    snprintf(ephemeral.root, sizeof(ephemeral.root), "%s/root", fake->dir);
    make_root_dir("");
    make_root_dir("/proc");
    make_root_dir("/proc/1");
    put_proc("proc/1/cmdline", "init", 5);
    s.daemon.root = ephemeral.root;
}

/* A daemon that knows a clone which was made so. */
void make_ephemeral(uint32_t flags)
{
    make_clone(flags);
    make_root();
    start_up();
}

/* Its domain goes, as xl destroy does it. */
void destroy_clone(void)
{
    assert_int_equal(xenfork__xen_destroy(s.ctx, ephemeral.clone), 0);
    fake_host->has_domain_event = true;
    sleep_until(s.now_ms + 100);
}

void shut_clone_down(int reason)
{
    fake_shut_down(ephemeral.clone, reason);
    sleep_until(s.now_ms + 100);
}

int run_remove(void)
{
    return ephemeral_remove(s.ctx, ephemeral.clone, ephemeral.root);
}

bool is_clone_there(void)
{
    struct xenfork__record *record = load_clone();

    xenfork__record_free(record);
    assert_int_equal(access(ephemeral.disk, F_OK) == 0, record != NULL);
    return record;
}

/* Begun, and done. */
void assert_clone_removed(void)
{
    assert_int_equal(started(WORKER_REMOVE, text_of(ephemeral.clone)), 1);
    assert_int_equal(run_remove(), 0);
    assert_false(is_clone_there());
    end(WORKER_REMOVE, 0);
    assert_int_equal(s.daemon.removals.count, 0);
}

void assert_clone_kept(void)
{
    sleep_until(s.now_ms + 200000);
    assert_int_equal(started(WORKER_REMOVE, NULL), 0);
    assert_true(is_clone_there());
}

/* Begun, but under its lock it turns out to live on. */
void assert_clone_kept_after_all(void)
{
    assert_int_equal(started(WORKER_REMOVE, text_of(ephemeral.clone)), 1);
    assert_int_equal(run_remove(), 0);
    assert_true(is_clone_there());
}
