/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exit codes of our verbs; also in xl-fork(1).  They keep their meaning. */
#ifndef XL_PLUGIN_EXITCODES_H
#define XL_PLUGIN_EXITCODES_H

#define EXIT_DONE    0 /* done */
#define EXIT_FAILED  1 /* failed, and everything begun was undone */
#define EXIT_USAGE   2 /* not understood; nothing was begun */
#define EXIT_RESIDUE 3 /* failed, and something is left */

#define EXIT_MEMORY 4 /* of fork-check: only for lack of memory */

#define EXIT_REFUSED 9 /* of fork-guard alone, to front.c */

#endif
