/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Find and become the real xl. */
#include "config.h"

#include <errno.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exitcodes.h"
#include "real-xl.h"

/*
 * "PID DEPTH" of the front end that exec'd us.  Our own PID means that what we
 * took for the real xl came straight back; a great depth, that it did so by
 * way of other processes.  Honest nesting (xl, a hook script, xl) is shallow.
 */
#define GUARD     "XENFORK_XL_FRONT"
#define DEPTH_MAX 16

static bool is_usable(const struct stat *self, const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    if (st.st_dev == self->st_dev && st.st_ino == self->st_ino)
        return false;
    return access(path, X_OK) == 0;
}

static char *find_in_path(const struct stat *self)
{
    const char *path = getenv("PATH");

    while (path && *path) {
        size_t len = strcspn(path, ":");
        char *candidate;

        if (asprintf(&candidate, "%.*s/xl", len ? (int)len : 1,
                     len ? path : ".") < 0)
            return NULL;
        if (is_usable(self, candidate))
            return candidate;
        free(candidate);
        path += len;
        if (*path == ':')
            path++;
    }
    return NULL;
}

/* Find the newest Xen's xl, if there are several. */
static char *find_in_lib(const struct stat *self)
{
    char *found = NULL;
    glob_t g;
    size_t i;

    if (glob("/usr/lib/xen-*/bin/xl", 0, NULL, &g) != 0)
        return NULL;
    for (i = g.gl_pathc; i > 0 && !found; i--)
        if (is_usable(self, g.gl_pathv[i - 1]))
            found = strdup(g.gl_pathv[i - 1]);
    globfree(&g);
    return found;
}

/*
 * Find Xen's own xl: never this program, by whatever name.  Return a path that
 * the caller frees, or NULL after a message.  The path is as found, not
 * resolved: Debian's xl is a link to a script that asks what it was called.
 */
static char *find_real_xl(void)
{
    struct stat self;
    char *found;

    if (stat("/proc/self/exe", &self) < 0) {
        fprintf(stderr, "xl: cannot stat /proc/self/exe: %s\n",
                strerror(errno));
        return NULL;
    }
    if (REAL_XL[0] && is_usable(&self, REAL_XL))
        return strdup(REAL_XL);
    found = find_in_path(&self);
    if (!found && is_usable(&self, "/usr/sbin/xl"))
        found = strdup("/usr/sbin/xl");
    if (!found)
        found = find_in_lib(&self);
    if (!found)
        fprintf(stderr, "xl: cannot find Xen's own xl "
                        "(Debian package: xen-utils-common)\n");
    return found;
}

static int set_guard(void)
{
    const char *guard = getenv(GUARD);
    char text[64];
    long pid = 0;
    int depth = 0;

    if (guard && sscanf(guard, "%ld %d", &pid, &depth) != 2)
        depth = 0;
    if (pid == (long)getpid() || depth < 0 || depth >= DEPTH_MAX) {
        fprintf(stderr, "xl: going round in circles: what should be Xen's own "
                        "xl calls this one\n");
        return -1;
    }
    snprintf(text, sizeof(text), "%ld %d", (long)getpid(), depth + 1);
    if (setenv(GUARD, text, 1) < 0) {
        fprintf(stderr, "xl: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

int real_xl_exec(char **argv)
{
    char *path = find_real_xl();

    if (!path)
        return EXIT_FAILED;
    if (set_guard() == 0) {
        execv(path, argv);
        fprintf(stderr, "xl: cannot run %s: %s\n", path, strerror(errno));
    }
    free(path);
    return EXIT_FAILED;
}
