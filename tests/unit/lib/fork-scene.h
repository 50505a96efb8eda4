/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of forks start: a source, and what is asked for. */
#ifndef FORK_SCENE_H
#define FORK_SCENE_H

#include <stdint.h>

#include "xenfork.h"

struct fork_scene {
    uint32_t src;
    xenfork_ctx *ctx;
    xenfork_spec *spec; /* two clones */
    xenfork_result *result;
};

/* Before and after each test of cmocka's. */
int fork_setup(void **state);
int fork_teardown(void **state);
int fork_it(struct fork_scene *s, uint32_t domid);
/* Make the two clones of the source. */
void fork_two(struct fork_scene *s);
/* Have both clones, or the second, acknowledge. */
void fork_acknowledge(void);
void fork_acknowledge_second(void);
/* Return the domain, or the record, which the caller frees, of a clone. */
struct fake_domain *fork_clone(const struct fork_scene *s, uint32_t i);
struct xenfork__record *fork_record(const struct fork_scene *s, uint32_t i);

#endif
