/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-keeper: started by the library for one fork, before the source is
 * touched.  When the forking process goes without a word, it undoes the
 * fork; after commit it hydrates the clones, and stays until they are gone
 * to remove what nobody needs any more.
 *
 * stdin: a pipe; "c" means committed, end of file without it means undo.
 * stdout: a pipe; "r" is written when it is ready.
 */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hydrate.h"
#include "internal.h"
#include "node.h"
#include "recover.h"
#include "txn.h"

/* 256 MiB a second: quick, and no burden on the host. */
#define PAGES_PER_SECOND 65536U

/* In a session of its own: a key pressed at the fork's terminal is not ours. */
static void become_daemon(void)
{
    pid_t pid = fork();

    if (pid < 0)
        exit(1);
    if (pid > 0)
        exit(0);
    setsid();
    pid = fork();
    if (pid < 0)
        exit(1);
    if (pid > 0)
        exit(0);
    if (chdir("/"))
        exit(1);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
}

/* From here on the forking process relies on us. */
static bool say_ready(void)
{
    cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    return null >= 0 && write(STDOUT_FILENO, "r", 1) == 1 &&
           dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0;
}

/* Has the fork been committed? */
static bool wait_for_word(void)
{
    char word;
    ssize_t n;

    do {
        n = read(STDIN_FILENO, &word, 1);
    } while (n < 0 && errno == EINTR);
    return n == 1 && word == 'c';
}

static bool is_live(xenfork_ctx *ctx, const struct xenfork__node *clone)
{
    struct xenfork__dominfo info;

    return xenfork__node_info(ctx, clone, &info) == 0;
}

/* Hydrate the clones of this fork; how many of them are alive? */
static size_t keep(xenfork_ctx *ctx, const char *txn)
{
    cleanup_nodes struct xenfork__nodes clones = {0};
    size_t i, live = 0;

    if (xenfork__nodes_load(ctx, XENFORK_KIND_CLONE, &clones) < 0)
        return 0;
    for (i = 0; i < clones.count; i++) {
        struct xenfork__node *clone = clones.nodes[i];

        if (strcmp(clone->txn, txn) || !is_live(ctx, clone))
            continue;
        if (clone->is_hydrating && clone->hydrated < 100)
            xenfork__hydrate(ctx, clone, PAGES_PER_SECOND);
        live += is_live(ctx, clone);
    }
    return live;
}

int main(int argc, char **argv)
{
    xenfork_ctx *ctx;
    const char *txn = argv[argc - 1];

    if (argc != 2 && !(argc == 4 && !strcmp(argv[1], "--state-dir"))) {
        fprintf(stderr, "usage: xenfork-keeper [--state-dir DIR] FORK\n");
        return 2;
    }
    become_daemon();
    close_range(STDERR_FILENO + 1, ~0U, 0);
    if (xenfork_open(&ctx, NULL, 0) < 0)
        return 1;
    if ((argc == 4 && xenfork__set_state_dir(ctx, argv[2]) < 0) || !say_ready())
        return 1;
    if (wait_for_word()) {
        while (keep(ctx, txn) && xenfork__xen_wait_release(ctx, -1) == 0)
            ;
        xenfork__recover(ctx);
    } else {
        xenfork__txn_recover(ctx, txn, true);
        xenfork__recover(ctx);
    }
    xenfork_close(ctx);
    return 0;
}
