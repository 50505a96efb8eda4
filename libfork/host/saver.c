/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find the process that saves or migrates a domain now: libxl's helper. */
#include "base/internal.h"

#include "host/host.h"

#include <fcntl.h>
#include <string.h>

#define HELPER "libxl-save-helper"
/* After "--save-domain" and two descriptors (libxl_save_callout.c). */
#define DOMID 4U

/*
 * Tell whether a command line (words, each with a NUL) is that of the helper
 * for this domain.
 */
static bool is_saver(const char *line, size_t bytes, uint32_t domid)
{
    const char *word = line, *end = line + bytes, *slash;
    char wanted[16];
    unsigned int i;

    snprintf(wanted, sizeof(wanted), "%u", domid);
    for (i = 0; word < end && memchr(word, '\0', (size_t)(end - word)); i++) {
        slash = strrchr(word, '/');
        if (i == 0 && strcmp(slash ? slash + 1 : word, HELPER))
            return false;
        if (i == 1 && strcmp(word, "--save-domain"))
            return false;
        if (i == DOMID)
            return !strcmp(word, wanted);
        word += strlen(word) + 1;
    }
    return false;
}

bool xenfork__sys_is_saved(uint32_t domid)
{
    cleanup_dir DIR *dir = opendir("/proc");
    struct dirent *entry;
    char path[64], line[512];

    while (dir && (entry = readdir(dir))) {
        cleanup_close int fd = -1;
        ssize_t n;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        n = fd < 0 ? -1 : read(fd, line, sizeof(line));
        if (n > 0 && is_saver(line, (size_t)n, domid))
            return true;
    }
    return false;
}
