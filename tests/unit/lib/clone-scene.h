/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of one clone start: "src-1", whose source runs. */
#ifndef CLONE_SCENE_H
#define CLONE_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "xenfork.h"

struct clone_scene {
    uint32_t src, clone, image;
    xenfork_ctx *ctx;
    bool is_asked;
};

/* Before and after each test of cmocka's. */
int clone_setup(void **state);
int clone_setup_qcow2(void **state); /* its disk is a qcow2 file */
int clone_teardown(void **state);
/* Return how much of the clone is its own, in per cent. */
uint32_t clone_detached(const struct clone_scene *s);

#endif
