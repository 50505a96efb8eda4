/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host that loses power: what is in the fake's folder is lost, but for what
 * was synced.  A name is durable when its directory has been synced since, a
 * file's contents when the file was.  The fakes of programs, which sync what
 * they make, say so by power_durable().
 */
#ifndef POWER_H
#define POWER_H

#include <stdbool.h>
#include <stdint.h>

enum power_loss {
    POWER_LOSES_ALL,     /* that was not synced by itself */
    POWER_KEEPS_ORDER,   /* names as when anything was synced last: ext4 */
    POWER_KEEPS_NAMES,   /* all of them; no contents */
    POWER_LOSES_NOTHING, /* but domains and devices */
    POWER_LOSSES
};

/* All that is there now is durable; from here on syncs are followed. */
void power_watch(void);
/* No longer; nothing is kept of it. */
void power_forget(void);
/* Did this call, in this process and since, make something durable? */
bool power_is_sync(uint32_t call);
/* An fsync(2) that succeeded. */
void power_synced(int fd);
/* A file's contents alone. */
void power_flushed(const char *path);
/* A file, or directory, and its name. */
void power_durable(const char *path);
/* The host is as it comes up: no domains, no devices. */
void power_cut(enum power_loss loss);

#endif
