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

static struct fork_scene scene;

int fork_setup(void **state)
{
    scene.src = scene_source();
    scene.ctx = scene_open();
    scene.result = NULL;
    assert_int_equal(xenfork_spec_new(2, &scene.spec), 0);
    *state = &scene;
    return 0;
}

int fork_teardown(void **state)
{
    (void)state;
    xenfork_result_free(scene.result);
    xenfork_spec_free(scene.spec);
    scene_close(scene.ctx);
    return 0;
}

int fork_it(struct fork_scene *s, uint32_t domid)
{
    return xenfork_fork(s->ctx, domid, s->spec, &s->result);
}

void fork_two(struct fork_scene *s)
{
    assert_int_equal(fork_it(s, s->src), 0);
}

void fork_acknowledge(void)
{
    fake_ack(fork_clone(&scene, 0)->domid, NULL);
    fork_acknowledge_second();
}

void fork_acknowledge_second(void)
{
    fake_ack(fork_clone(&scene, 1)->domid, NULL);
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
