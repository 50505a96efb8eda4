/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of VHDs start: a source whose disk is one. */
#ifndef VHD_SCENE_H
#define VHD_SCENE_H

#include "fake-xen.h"
#include "fork-scene.h"

/* Before each test of cmocka's, as fork_setup(); fork_teardown() is after it.
 */
int vhd_setup(void **state);
/* Return the source's disk, and its file. */
struct fake_disk *vhd_disk(void);
const char *vhd_user(void);
/* Have libxl serve the disk by tapback. */
void vhd_make_tap(void);
/* Write as a guest does. */
void vhd_add_line(const char *file, const char *line);

#endif
