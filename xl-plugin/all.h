/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs of Xen's own xl for all domains, but not for images. */
#ifndef XL_PLUGIN_ALL_H
#define XL_PLUGIN_ALL_H

#define ALL_NOT_OURS (-1)

/*
 * Run a verb with -a for each domain that is no image; argv[command] is the
 * verb.  Returns an EXIT_*; ALL_NOT_OURS: the real xl is to do it.  @program:
 * xl-fork, which knows the images
 */
int all_run(const char *program, char **argv, int command);

#endif
