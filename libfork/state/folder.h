/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders in which root makes files.  Another user who can write in the folder,
 * or in one above it, can put a link in place of a file that root is about to
 * write, or have the owner of any file changed.
 */
#ifndef LIBFORK_STATE_FOLDER_H
#define LIBFORK_STATE_FOLDER_H

#include "base/internal.h"

/*
 * Check a folder.  DISK with remedy, not logged: users other than root can
 * change files there
 */
int xenfork__folder_check(xenfork_ctx *ctx, const char *dir);
/* Check the folder of a file, and that to which links lead */
int xenfork__folder_check_file(xenfork_ctx *ctx, const char *path);

#endif
