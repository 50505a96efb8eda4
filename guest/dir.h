/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef GUEST_DIR_H
#define GUEST_DIR_H

/* Make a directory with its parents, mode 0755.  Return 0, or -errno. */
int make_dir(const char *path);

#endif
