/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "reset-scene.h"
#include "scene.h"
#include "sweep.h"

struct reset_scene reset_scene;

struct fake_domain *reset_clone(void)
{
    return fake_domain_named("src-1");
}

size_t reset_count_files(const char *path)
{
    char dir[FAKE_PATH];
    struct dirent *entry;
    size_t count = 0;
    DIR *handle;

    snprintf(dir, sizeof(dir), "%s", fake_file(path));
    *strrchr(dir, '/') = '\0';
    handle = opendir(dir);
    assert_non_null(handle);
    while ((entry = readdir(handle)))
        count += strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
    closedir(handle);
    return count;
}

void reset_fork(uint32_t flags)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result;
    xenfork_spec *spec;

    assert_int_equal(xenfork_spec_new(2, &spec), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, flags), 0);
    assert_int_equal(xenfork_spec_set_param(spec, 1, "ip", "10.0.0.9/24"), 0);
    assert_int_equal(xenfork_spec_set_priority(spec, 7), 0);
    assert_int_equal(xenfork_spec_set_reserve_kib(spec, 64), 0);
    assert_int_equal(xenfork_fork(ctx, reset_scene.src, spec, &result), 0);
    xenfork_result_free(result);
    xenfork_spec_free(spec);
    xenfork_close(ctx);
}

void reset_prepare(void)
{
    struct fake_domain *d;

    reset_scene.src = fake_domain_named("src")->domid;
    reset_scene.memory = fake_memory_hash(reset_scene.src);
    reset_fork(0);
    d = reset_clone();
    reset_scene.before = *d;
    reset_scene.files = reset_count_files(d->disks[0].path);
    fake_write(d->domid, RESET_GFN, RESET_WROTE);
    d->cpu_ns = 12345;
}

int reset_run(void *opaque)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result = NULL;
    int rc = xenfork_clone_reset(ctx, "src-1", 0, &result);

    (void)opaque;
    xenfork_result_free(result);
    return sweep_end(ctx, rc);
}
