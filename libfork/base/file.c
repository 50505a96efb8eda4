/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

int xenfork__sync_file(const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

    return fd < 0 ? -1 : fsync(fd);
}

int xenfork__sync_parent(const char *path)
{
    const char *slash = strrchr(path, '/');
    cleanup_free char *dir = slash ? strndup(path, (size_t)(slash - path) + 1)
                                   : strdup(".");
    cleanup_close int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                               : -1;

    return fd < 0 ? -1 : fsync(fd);
}

int xenfork__take_owner(int fd, const char *from)
{
    struct stat st;

    return stat(from, &st) || fchown(fd, st.st_uid, st.st_gid) ||
                   fchmod(fd, (st.st_mode & 0777) | S_IRUSR | S_IWUSR)
               ? -1
               : 0;
}

bool xenfork__is_same_inode(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

bool xenfork__is_same_file(const char *a, const char *b)
{
    struct stat of_a, of_b;

    return !stat(a, &of_a) && !stat(b, &of_b) &&
           xenfork__is_same_inode(&of_a, &of_b);
}

bool xenfork__is_open_at(int fd, const char *path)
{
    struct stat held, named;

    return !fstat(fd, &held) && !stat(path, &named) &&
           xenfork__is_same_inode(&held, &named);
}
