/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the tests of ephemeral clones start: one, and a daemon. */
#ifndef EPHEMERAL_SCENE_H
#define EPHEMERAL_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake-xen.h"
#include "xenfork.h"

#define POWEROFF XENFORK_FORK_EPHEMERAL
#define CRASH    (XENFORK_FORK_EPHEMERAL | XENFORK_FORK_EPHEMERAL_CRASH)

struct ephemeral {
    uint32_t clone;
    uint8_t uuid[16];
    char disk[FAKE_PATH];
    char root[FAKE_PATH + 8];
};

extern struct ephemeral ephemeral;

/* Make the clone "src-1" of the guest "src". */
void make_clone(uint32_t flags);
/* Make the root of a host, in which process 1 runs, and folders and files. */
void make_root(void);
void make_root_dir(const char *path);
void put_proc(const char *path, const char *text, size_t bytes);
/* Make all of these, and a daemon that knows the clone. */
void make_ephemeral(uint32_t flags);
/* End its domain: as xl destroy does it; by itself. */
void destroy_clone(void);
void shut_clone_down(int reason);
/* Do the work of a worker that removes the clone. */
int run_remove(void);
/* Return the clone's record, which the caller frees; NULL: it has none. */
struct xenfork__record *load_clone(void);
bool is_clone_there(void);
/* Assert that it is removed; that nothing began; that it began in vain. */
void assert_clone_removed(void);
void assert_clone_kept(void);
void assert_clone_kept_after_all(void);

#endif
