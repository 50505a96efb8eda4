/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "clone-scene.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "scene.h"

static int fork_one(void **state, void (*prepare)(uint32_t domid))
{
    static struct clone_scene s;

    s = (struct clone_scene){.src = scene_source()};
    if (prepare)
        prepare(s.src);
    assert_int_equal(scene_fork(s.src, 1, 0), 0);
    s.clone = fake_domain_named("src-1")->domid;
    s.image = scene_image();
    s.ctx = scene_open();
    *state = &s;
    return 0;
}

int clone_setup(void **state)
{
    return fork_one(state, NULL);
}

int clone_setup_qcow2(void **state)
{
    return fork_one(state, fake_make_qcow2);
}

int clone_teardown(void **state)
{
    struct clone_scene *s = *state;

    scene_close(s->ctx);
    return 0;
}

uint32_t clone_detached(const struct clone_scene *s)
{
    xenfork_list *list;
    uint32_t i, percent = 0;

    assert_int_equal(xenfork_list_open(s->ctx, 0, &list), 0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        if (xenfork_entry_kind(xenfork_list_entry(list, i)) ==
            XENFORK_KIND_CLONE)
            percent = xenfork_entry_detached(xenfork_list_entry(list, i));
    xenfork_list_free(list);
    return percent;
}
