/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linux' netback: the threads that write into a guest what it receives, and
 * tidy up after what it sends.  Those of vif3.0 begin with "vif3.0-q", as far
 * as 15 characters go (xenvif_connect_data()); they sleep when there is
 * nothing that they could do.
 */
#include "base/internal.h"
#include "host/host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define COMM_CHARS 15U /* TASK_COMM_LEN without the NUL */
#define SETTLE_NS  1000000L
#define POLL_NS    200000L

/* Read the state of a process, and its name; NUL: there is none. */
static char process_state(unsigned int pid, char comm_out[COMM_CHARS + 1])
{
    cleanup_close int fd = -1;
    char path[64], line[128], *begin, *end;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);
    if (n <= 0)
        return '\0';
    line[n] = '\0';
    begin = strchr(line, '(');
    end = strrchr(line, ')');
    if (!begin || !end || end <= begin || end[1] != ' ' ||
        (size_t)(end - begin - 1) > COMM_CHARS)
        return '\0';
    memcpy(comm_out, begin + 1, (size_t)(end - begin - 1));
    comm_out[end - begin - 1] = '\0';
    return end[2];
}

static bool is_sending(char state)
{
    return state == 'R' || state == 'D';
}

void xenfork__sys_netback(const char *ifname, struct xenfork__netback *netback)
{
    cleanup_dir DIR *dir = opendir("/proc");
    char wanted[64], comm[COMM_CHARS + 1];
    struct dirent *entry;

    snprintf(wanted, sizeof(wanted), "%.40s-q", ifname);
    wanted[COMM_CHARS] = '\0';
    while (dir && (entry = readdir(dir))) {
        unsigned int pid = (unsigned int)strtoul(entry->d_name, NULL, 10);

        if (!pid || netback->count == XENFORK__NETBACK_THREADS ||
            !process_state(pid, comm) || strncmp(comm, wanted, strlen(wanted)))
            continue;
        netback->threads[netback->count++] = pid;
    }
}

bool xenfork__sys_netback_wait(const struct xenfork__netback *netback,
                               uint32_t timeout_ms)
{
    uint64_t end_ns = xenfork__now_ns() + timeout_ms * 1000000ULL;
    char comm[COMM_CHARS + 1];
    uint32_t i;

    if (!netback->count)
        return true;
    /* A frame may be on its way to them. */
    xenfork__sleep_ns(SETTLE_NS);
    for (i = 0; i < netback->count; i++)
        while (is_sending(process_state(netback->threads[i], comm))) {
            if (xenfork__now_ns() >= end_ns)
                return false;
            xenfork__sleep_ns(POLL_NS);
        }
    return true;
}
