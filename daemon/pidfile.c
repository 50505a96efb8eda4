/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An open file description lock: unlike flock(2)'s it can be asked about
 * without being taken, and unlike lockf(3)'s it is passed on by fork(2), when
 * the daemon goes to the background.
 */
#include "config.h"
#include "pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/cleanup.h"

int instance_take(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        return -1;
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EACCES)
            errno = EAGAIN;
        return -1;
    }
    return steal_fd(&fd);
}

bool instance_sign(int fd)
{
    return ftruncate(fd, 0) == 0 && dprintf(fd, "%d\n", (int)getpid()) > 0;
}

bool instance_is_running(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 &&
           lock.l_type != F_UNLCK;
}
