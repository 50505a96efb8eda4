/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's generator, for an agent that is not root: /dev/null takes all,
 * and any other device answers as it would.
 */
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    struct stat st;
    va_list ap;
    void *argument;

    va_start(ap, request);
    argument = va_arg(ap, void *);
    va_end(ap);
    if (fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
        st.st_rdev == makedev(1, 3))
        return 0;
    return __real_ioctl(fd, request, argument);
}
