/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Find who hears a network interface's frames before the kernel's filters do: a
 * packet socket (__netif_receive_skb_core(), before sch_handle_ingress()).
 * tcpdump only listens; Open vSwitch's userspace datapath passes them on.
 */
#include "base/internal.h"

#include "host/host.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define SWITCH  "ovs-vswitchd\n"
#define SOCKETS "/proc/net/packet"

/* Tell whether a socket with this number is bound to the interface. */
static bool is_bound(int ifindex, uint64_t inode)
{
    cleanup_file FILE *file = fopen(SOCKETS, "re");
    char line[256];

    while (file && fgets(line, sizeof(line), file)) {
        uint64_t number;
        int bound;

        if (sscanf(line, "%*s %*s %*s %*s %d %*s %*s %*s %" SCNu64, &bound,
                   &number) == 2 &&
            bound == ifindex && (!inode || number == inode))
            return true;
    }
    return false;
}

static bool is_switch(int proc, const char *pid)
{
    char path[64], comm[32] = "";
    cleanup_close int fd = -1;

    snprintf(path, sizeof(path), "%.20s/comm", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && read(fd, comm, sizeof(comm) - 1) > 0 &&
           !strcmp(comm, SWITCH);
}

static bool has_socket_on(const char *pid, int ifindex)
{
    char path[64], link[64] = "";
    cleanup_dir DIR *dir = NULL;
    struct dirent *entry;
    uint64_t inode;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link,
                               sizeof(link) - 1);

        link[n > 0 ? n : 0] = '\0';
        if (sscanf(link, "socket:[%" SCNu64, &inode) == 1 && inode &&
            is_bound(ifindex, inode))
            return true;
    }
    return false;
}

bool xenfork__sys_is_switched(int ifindex)
{
    cleanup_dir DIR *proc = NULL;
    struct dirent *entry;

    if (!is_bound(ifindex, 0))
        return false;
    proc = opendir("/proc");
    while (proc && (entry = readdir(proc)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            is_switch(dirfd(proc), entry->d_name) &&
            has_socket_on(entry->d_name, ifindex))
            return true;
    return false;
}
