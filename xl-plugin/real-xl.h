/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef REAL_XL_H
#define REAL_XL_H

/*
 * Find Xen's own xl: never this program, by whatever name.  Returns a path
 * that the caller frees, or NULL after a message.  The path is as found, not
 * resolved: Debian's xl is a link to a script that asks what it was called.
 */
char *real_xl_find(void);

/*
 * Become the real xl.  Returns only on failure, after a message, with an
 * EXIT_* code.
 */
int real_xl_exec(char **argv);

#endif
