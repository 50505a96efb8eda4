/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "scene.h"

#include <stdarg.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/internal.h"
#include "fake-xen.h"
#include "state/files.h"

xenfork_ctx *scene_open(void)
{
    xenfork_ctx *ctx;
    char dir[FAKE_PATH + 8];

    assert_int_equal(xenfork_open(&ctx, NULL, 0), 0);
    snprintf(dir, sizeof(dir), "%s/state", fake->dir);
    assert_int_equal(xenfork__set_state_dir(ctx, dir), 0);
    return ctx;
}

void scene_close(xenfork_ctx *ctx)
{
    xenfork_close(ctx);
    if (fake->violation[0])
        print_error("%s\n", fake->violation);
    assert_string_equal(fake->violation, "");
    fake_teardown();
}

int scene_fork(uint32_t domid, uint32_t count, uint32_t flags)
{
    xenfork_ctx *ctx = scene_open();
    xenfork_result *result = NULL;
    xenfork_spec *spec;
    int rc;

    assert_int_equal(xenfork_spec_new(count, &spec), 0);
    assert_int_equal(xenfork_spec_set_flags(spec, flags), 0);
    rc = xenfork_fork(ctx, domid, spec, &result);
    if (rc < 0 && (xenfork_error_code(ctx) != rc || result ||
                   !xenfork_error_text(ctx)[0]))
        fake_violation("fork returned %s, but said %s: \"%s\"",
                       xenfork_code_name(rc),
                       xenfork_code_name(xenfork_error_code(ctx)),
                       xenfork_error_text(ctx));
    xenfork_spec_free(spec);
    xenfork_result_free(result);
    xenfork_close(ctx);
    return rc;
}

uint32_t scene_source(void)
{
    fake_setup();
    return fake_add_guest("src");
}

void scene_put_record(const char *path, const char *text, size_t bytes)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, bytes, file), bytes);
    assert_true(fprintf(file, "sum %016" PRIx64 "\n",
                        xenfork__digest(text, bytes)) > 0);
    assert_int_equal(fclose(file), 0);
}

void scene_sign_record(const char *path)
{
    char text[16384], *sum;
    FILE *file = fopen(path, "r");
    size_t bytes;

    assert_non_null(file);
    bytes = fread(text, 1, sizeof(text) - 1, file);
    assert_int_equal(fclose(file), 0);
    text[bytes] = '\0';
    sum = strstr(text, "\nsum ");
    scene_put_record(path, text, sum ? (size_t)(sum + 1 - text) : bytes);
}

uint32_t scene_image(void)
{
    uint32_t i, domid = XENFORK_DOMID_NONE;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && fake->domains[i].is_image)
            domid = fake->domains[i].domid;
    return domid;
}

int scene_hydrate(xenfork_ctx *ctx, uint32_t domid)
{
    char name[16];

    snprintf(name, sizeof(name), "%u", domid);
    return xenfork_hydrate(ctx, name, 0);
}
