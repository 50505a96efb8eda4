/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "fork-scene.h"
#include "scene.h"
#include "state/record.h"

int fork_setup(void **state)
{
    static struct fork_scene s;

    s.src = scene_source();
    s.ctx = scene_open();
    s.result = NULL;
    assert_int_equal(xenfork_spec_new(2, &s.spec), 0);
    *state = &s;
    return 0;
}

int fork_teardown(void **state)
{
    struct fork_scene *s = *state;

    xenfork_result_free(s->result);
    xenfork_spec_free(s->spec);
    xenfork_close(s->ctx);
    if (fake->violation[0])
        print_error("%s\n", fake->violation);
    assert_string_equal(fake->violation, "");
    fake_teardown();
    return 0;
}

int fork_it(struct fork_scene *s, uint32_t domid)
{
    return xenfork_fork(s->ctx, domid, s->spec, &s->result);
}

struct fake_domain *fork_clone(const struct fork_scene *s, uint32_t i)
{
    return fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, i)));
}

struct xenfork__record *fork_record(const struct fork_scene *s, uint32_t i)
{
    struct xenfork__record *record;

    assert_int_equal(xenfork__record_load(s->ctx, XENFORK_KIND_CLONE,
                                          fork_clone(s, i)->uuid, &record),
                     0);
    return record;
}
