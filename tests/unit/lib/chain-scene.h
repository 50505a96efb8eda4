/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source with a qcow2 file, which is forked again and again. */
#ifndef CHAIN_SCENE_H
#define CHAIN_SCENE_H

#include <stdint.h>

#include "fork-scene.h"

extern struct fork_scene *chain;

/* Before each test of cmocka's; after it: fork_teardown(). */
int chain_setup(void **state);
struct fake_domain *chain_src(void);
struct fake_disk *chain_disk(void);
/* In one fork's clones: "src-1" and on; the domain of the first. */
uint32_t chain_fork(void);
void chain_destroy_clones(void);
/* Files of the source's chain, its own included. */
uint32_t chain_depth(void);
/* Steps until there are no more; how many. */
uint32_t chain_collapse(void);
/* How many bases have lost their image. */
uint32_t chain_bases(void);

#endif
