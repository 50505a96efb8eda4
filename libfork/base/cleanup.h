/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Cleanup attributes: memory and fds of this process.  They keep errno. */
#ifndef LIBFORK_BASE_CLEANUP_H
#define LIBFORK_BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void xenfork__free_ptr(void *p)
{
    int e = errno;

    free(*(void **)p);
    errno = e;
}

static inline void xenfork__close_fd(const int *fd)
{
    int e = errno;

    if (*fd >= 0)
        close(*fd);
    errno = e;
}

static inline void xenfork__close_file(FILE **f)
{
    int e = errno;

    if (*f)
        fclose(*f);
    errno = e;
}

static inline void xenfork__close_dir(DIR **d)
{
    int e = errno;

    if (*d)
        closedir(*d);
    errno = e;
}

#define cleanup_free  __attribute__((cleanup(xenfork__free_ptr)))
#define cleanup_close __attribute__((cleanup(xenfork__close_fd)))
#define cleanup_file  __attribute__((cleanup(xenfork__close_file)))
#define cleanup_dir   __attribute__((cleanup(xenfork__close_dir)))

/* Hand out a pointer: the cleanup variable no longer owns it. */
#define steal_ptr(p)                     \
    __extension__({                      \
        __auto_type steal_ptr_tmp = (p); \
        (p) = NULL;                      \
        steal_ptr_tmp;                   \
    })

/* Hand out a file descriptor likewise. */
static inline int steal_fd(int *fd)
{
    int f = *fd;

    *fd = -1;
    return f;
}

#endif
