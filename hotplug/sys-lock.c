/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of Xen's scripts, with their protocol: see locking.sh. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

#define LOCK_DIR   "/var/run/xen-hotplug"
#define PATH_BYTES 64

const char *host_scripts(void)
{
    return XEN_SCRIPT_DIR;
}

/* Tell whether the path still names the file that is locked. */
static bool is_current(int fd, const char *path)
{
    struct stat ours, theirs;

    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static int lock_file(int fd)
{
    int r;

    do {
        r = flock(fd, LOCK_EX);
    } while (r < 0 && errno == EINTR);
    return r;
}

int host_lock(const char *name)
{
    char path[PATH_BYTES];
    int fd;

    snprintf(path, sizeof(path), LOCK_DIR "/%s", name);
    if (mkdir(LOCK_DIR, 0777) < 0 && errno != EEXIST)
        return -1;
    for (;;) {
        fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return -1;
        if (lock_file(fd) < 0) {
            close(fd);
            return -1;
        }
        if (is_current(fd, path))
            return fd;
        close(fd);
    }
}

void host_unlock(const char *name, int lock)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), LOCK_DIR "/%s", name);
    unlink(path);
    close(lock);
}
