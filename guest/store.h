/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstore, without libxenstore.  Paths are relative to the domain's own
 * directory, so that they mean the clone's in a clone.
 *
 * No transactions: Linux does not suspend while one is open.
 */
#ifndef GUEST_STORE_H
#define GUEST_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_PAYLOAD_MAX 4096 /* XENSTORE_PAYLOAD_MAX of io/xs_wire.h */

struct store {
    int fd; /* -1 after an error that leaves the stream in doubt */
    uint32_t next_id;
    bool has_event;
};

/* Open xenstore.  PATH: a device or a socket; NULL: the device of Linux. */
int store_open(struct store *store, const char *path);
/* Take over a file descriptor that is open, and not blocking. */
void store_attach(struct store *store, int fd);
void store_close(struct store *store);

/*
 * Read a value.  ENOENT and EACCES are the store's.  EMSGSIZE: a value longer
 * than its buffer.  EPROTO: one with a NUL inside, or an invalid answer.
 * ETIMEDOUT.  The value is terminated, and untouched on failure.
 */
int store_read(struct store *store, const char *path, char *value_out,
               size_t value_bytes);
int store_write(struct store *store, const char *path, const char *value);
/* Remove a node.  Absent already: success. */
int store_rm(struct store *store, const char *path);

/* List the names below PATH, each terminated. */
int store_list(struct store *store, const char *path,
               char names_out[STORE_PAYLOAD_MAX], size_t *bytes_out);

/* Have store_wait() return when PATH or anything below it changes. */
int store_watch(struct store *store, const char *path);

/*
 * Wait for a watch.  1: a watched node changed; 0: the time is over; or -errno:
 * EINTR for a signal, also one that is blocked elsewhere.  No limit: below 0.
 */
int store_wait(struct store *store, int timeout_ms);

#endif
