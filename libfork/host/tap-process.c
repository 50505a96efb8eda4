/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The process of a tapdisk: whether it is the one that was recorded. */
#include "host/tap.h"

#include <inttypes.h>
#include <string.h>

#include "host/host.h"

/*
 * Read the 22nd field of /proc/PID/stat; the second one, the name, may have
 * blanks and brackets in it.
 */
uint64_t xenfork__sys_process_started(unsigned int pid)
{
    char file[32], text[1024] = "";
    cleanup_file FILE *f = NULL;
    uint64_t started;
    const char *p;
    int field;

    snprintf(file, sizeof(file), "/proc/%u/stat", pid);
    f = fopen(file, "re");
    p = f && fgets(text, sizeof(text), f) ? strrchr(text, ')') : NULL;
    for (field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p && sscanf(p, " %" SCNu64, &started) == 1 ? started : 0;
}

bool xenfork__sys_tap_is_alive(const struct xenfork__tapdisk *tapdisk)
{
    char file[32], name[16] = "";
    cleanup_file FILE *f = NULL;

    if (!tapdisk->pid ||
        (tapdisk->started &&
         xenfork__sys_process_started(tapdisk->pid) != tapdisk->started))
        return false;
    snprintf(file, sizeof(file), "/proc/%u/comm", tapdisk->pid);
    f = fopen(file, "re");
    return f && fgets(name, sizeof(name), f) && !strcmp(name, "tapdisk\n");
}
