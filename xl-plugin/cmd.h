/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A verb of xl-fork: one file, one struct cmd; main.c lists them. */
#ifndef XL_PLUGIN_CMD_H
#define XL_PLUGIN_CMD_H

#include <stdbool.h>

struct cmd {
    const char *name;
    int (*run)(int argc, char **argv); /* returns an EXIT_* of exitcodes.h */
    const char *usage;                 /* what follows the name */
    const char *help;                  /* first line: a summary */
};

extern const struct cmd cmd_fork;
extern const struct cmd cmd_fork_check;
extern const struct cmd cmd_fork_list;
extern const struct cmd cmd_fork_info;
extern const struct cmd cmd_fork_disk_list;
extern const struct cmd cmd_fork_freeze;
extern const struct cmd cmd_fork_thaw;
extern const struct cmd cmd_fork_detach;
extern const struct cmd cmd_fork_memory;
extern const struct cmd cmd_fork_net;
extern const struct cmd cmd_fork_reset;
extern const struct cmd cmd_fork_start;
extern const struct cmd cmd_fork_destroy;
extern const struct cmd cmd_fork_forget;
extern const struct cmd cmd_fork_guard; /* not for users, and not listed */
extern const struct cmd cmd_fork_hydrate;
extern const struct cmd cmd_fork_image_destroy;
extern const struct cmd cmd_fork_recover;

/* xl's global options, for every verb to heed. */
extern int verbosity;    /* -v, each time */
extern bool is_dry_run;  /* -N */
extern bool is_terminal; /* a progress bar may be drawn on stderr */

/* Print a verb's help on stdout; returns EXIT_DONE. */
int cmd_help(const struct cmd *cmd);
/* Print a verb's usage on stderr; returns EXIT_USAGE. */
int cmd_usage(const struct cmd *cmd);

#endif
