/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The libc calls that make the state durable, counted, failed and killed
 * like those to Xen: -Wl,--wrap.  Nothing reaches a disk: of an fsync only
 * power.c takes note.
 */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake-xen.h"
#include "power.h"

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);
int __wrap_fsync(int fd);

const char *fake_keeps;

static bool is_failing(const char *name)
{
    if (!fake || !fake_step(name))
        return false;
    errno = EIO;
    return true;
}

static int done(int r)
{
    return fake ? fake_leave(r) : r;
}

int __wrap_rename(const char *from, const char *to)
{
    return is_failing("rename") ? -1 : done(__real_rename(from, to));
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    return is_failing("mkdir") ? -1 : done(__real_mkdir(path, mode));
}

int __wrap_unlink(const char *path)
{
    /* A failure of a lock is passed over, rightly: killed, never failed. */
    if (fake)
        fake_step("unlink");
    return done(__real_unlink(path));
}

/* Files in a directory are removed in no order that can be relied upon. */
int __wrap_unlinkat(int fd, const char *path, int flags)
{
    if (fake_keeps)
        assert_string_not_equal(path, fake_keeps);
    return is_failing("unlinkat") ? -1 : done(__real_unlinkat(fd, path, flags));
}

int __wrap_rmdir(const char *path)
{
    return is_failing("rmdir") ? -1 : done(__real_rmdir(path));
}

int __wrap_fsync(int fd)
{
    if (is_failing("fsync"))
        return -1;
    if (fake)
        power_synced(fd);
    return done(0);
}
