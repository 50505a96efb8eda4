/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files made durable, and compared: for every layer.  -1: errno tells why. */
#ifndef LIBFORK_BASE_FILE_H
#define LIBFORK_BASE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

/* Make the contents of a file durable. */
int xenfork__sync_file(const char *path);
/* Make the names in the folder of a path durable. */
int xenfork__sync_parent(const char *path);
/*
 * Give an open file the owner and the mode of another; its owner may read and
 * write it in any case.
 */
int xenfork__take_owner(int fd, const char *from);
/* Tell whether this is one file. */
bool xenfork__is_same_inode(const struct stat *a, const struct stat *b);
/* Tell whether two paths lead to one file. */
bool xenfork__is_same_file(const char *a, const char *b);
/* Tell whether the path still leads to the file that is open. */
bool xenfork__is_open_at(int fd, const char *path);

#endif
