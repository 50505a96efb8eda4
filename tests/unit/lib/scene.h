/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scenes that several tests start from: a source, its image, its clones. */
#ifndef SCENE_H
#define SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "xenfork.h"

/* A context whose state directory is below the fake's directory. */
xenfork_ctx *scene_open(void);
/* Close a context; check that the fake was used rightly, and end it. */
void scene_close(xenfork_ctx *ctx);
/* Fork in a context of its own, all by default but these. */
int scene_fork(uint32_t domid, uint32_t count, uint32_t flags);
/* Hydrate the clone of this domid, as fast as it goes. */
int scene_hydrate(xenfork_ctx *ctx, uint32_t domid);
/* A guest "src"; a fake made anew. */
uint32_t scene_source(void);
/* Write a record's text to a file, with the checksum that it must have. */
void scene_put_record(const char *path, const char *text, size_t bytes);
/* Give a record that a test has changed its checksum. */
void scene_sign_record(const char *path);
/* The image made last; XENFORK_DOMID_NONE: none. */
uint32_t scene_image(void);

#endif
