/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block devices of the host. */
#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "host.h"

bool host_device(const char *path, dev_t *number_out)
{
    struct stat st;

    if (stat(path, &st) || !S_ISBLK(st.st_mode))
        return false;
    *number_out = st.st_rdev;
    return true;
}

char *host_real(const char *path)
{
    return realpath(path, NULL);
}

/*
 * Open it exclusively: the kernel lets only one have it so, and file systems
 * and devices all do.
 */
bool host_is_used(const char *node)
{
    cleanup_close int fd = open(node, O_RDONLY | O_EXCL | O_CLOEXEC);

    return fd < 0;
}
