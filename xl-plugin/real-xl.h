/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_REAL_XL_H
#define XL_PLUGIN_REAL_XL_H

/*
 * Become the real xl.  Returns only on failure, after a message, with an
 * EXIT_* code.
 */
int real_xl_exec(char **argv);

#endif
