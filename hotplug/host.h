/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface of xenfork-hotplug to the host and xenstore.  Implemented by
 * sys-*.c and xen-store.c, and by tests/hotplug/fake-host.c.
 */
#ifndef HOTPLUG_HOST_H
#define HOTPLUG_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Read and write xenstore: xen-store.c.  read: NULL when there is none; the
 * caller frees.
 */
char *store_read(const char *path);
bool store_write(const char *path, const char *value);
/* List the names below a node, in one block; NULL: there is no such node. */
char **store_list(const char *path, unsigned int *count_out);
/*
 * Write both nodes or none; nodes that are gone stay gone, which is no failure.
 */
bool store_update(const char *path, const char *other, const char *value);

/* Return the folder of Xen's scripts. */
const char *host_scripts(void);

/*
 * Take the lock that Xen's scripts take (locking.sh, 4.17 and 4.20): a file
 * that is removed when the lock is released.  -1: none.
 */
int host_lock(const char *name);
void host_unlock(const char *name, int lock);

/* Loop devices: host/loop.c.  The bound ones; false: they cannot be listed. */
struct loop {
    uint64_t device, inode; /* of the file behind it */
    bool is_readonly;
};
bool host_loops(struct loop **loops_out, size_t *count_out);
#define NODE_BYTES 32
/* Bind a free one; node_out: its path.  False: nothing is done. */
bool host_loop_bind(const char *file, bool is_readonly,
                    char node_out[NODE_BYTES], dev_t *device_out);
void host_loop_unbind(const char *node);

/*
 * xenfork-block VERB TARGET [MODE | NODE]: sys-block.c.  text: the line that it has
 * printed, the device's node or why it cannot.  False: it has failed
 */
#define TEXT_BYTES 512
bool host_block(const char *verb, const char *target, const char *mode,
                char text[TEXT_BYTES]);

/* Block devices: host/device.c.  False: it is none. */
bool host_device(const char *path, dev_t *number_out);
/* Return the path that the links lead to; the caller frees. */
char *host_real(const char *path);
/*
 * Tell whether it is mounted, or another device is on top of it.  In doubt:
 * true.
 */
bool host_is_used(const char *node);

/* Network: sys-net.c. */
bool host_is_bridge(const char *name);
bool host_is_port(const char *bridge, const char *name);
bool host_has_address(const char *name); /* also when nobody can tell */
int host_mtu(const char *name);          /* or -1 */
bool host_set_mtu(const char *name, int mtu);
bool host_set_mac(const char *name, const uint8_t mac[6]);
bool host_set_up(const char *name, bool is_up);
bool host_join(const char *bridge, const char *name);
bool host_leave(const char *bridge, const char *name);

#endif
