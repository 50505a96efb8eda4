/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Folders that files are made in by root.  Whoever else can write there, or in
 * one above, can put a link in place of what root is about to write, or give
 * the owner of a file of his to any other.
 */
#ifndef LIBFORK_FOLDER_H
#define LIBFORK_FOLDER_H

#include "base/internal.h"

/* DISK with remedy, not logged: others than root can change what is there */
int xenfork__folder_check(xenfork_ctx *ctx, const char *dir);
/* The same of the folder that a file lies in, and of that which links lead to */
int xenfork__folder_check_file(xenfork_ctx *ctx, const char *path);

#endif
