/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "vhd-scene.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/internal.h"

static struct fork_scene *s;

int vhd_setup(void **state)
{
    fork_setup(state);
    s = *state;
    fake_make_vhd(s->src);
    s->ctx->guard_fd = STDIN_FILENO; /* stands for a journal's lock */
    return 0;
}

struct fake_disk *vhd_disk(void)
{
    return &fake_domain(s->src)->disks[0];
}

const char *vhd_user(void)
{
    return fake_file(vhd_disk()->path);
}

void vhd_make_tap(void)
{
    fake_copy_string(vhd_disk()->backend, 16, "tap");
    fake_copy_string(vhd_disk()->format, 16, "vhd");
    vhd_disk()->script[0] = '\0';
}

void vhd_add_line(const char *file, const char *line)
{
    FILE *f = fopen(file, "a");

    assert_non_null(f);
    assert_true(fprintf(f, "%s\n", line) > 0);
    assert_int_equal(fclose(f), 0);
}
