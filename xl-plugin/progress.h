/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_PROGRESS_H
#define XL_PLUGIN_PROGRESS_H

#include <stdint.h>

/* Draw a bar on stderr for the stage that takes long; a xenfork_progress_fn. */
void progress_draw(void *opaque, int stage, uint32_t clone, uint64_t done,
                   uint64_t total);
/* Wipe the bar, if there is one. */
void progress_end(void);

#endif
