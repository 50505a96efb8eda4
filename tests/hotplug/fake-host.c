/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A host of files, for the tests of xenfork-hotplug.  In the folder $FAKE_HOST:
 *   store/PATH      a node of xenstore
 *   scripts/        stubs of Xen's scripts
 *   loops           a line for each loop device that is bound: ro|rw FILE
 *   bridges/NAME    its MTU
 *   ports/NAME      the bridge that has it
 *   addresses/NAME  it has an address
 *   log             what was done
 * $FAKE_FAIL names the one action that fails, as it begins in the log.
 */
#include "config.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "hotplug/host.h"
#include "libfork/base/cleanup.h"

static char *path_of(const char *what, const char *name)
{
    char *path;

    if (asprintf(&path, "%s/%s/%s", getenv("FAKE_HOST"), what, name) < 0)
        abort();
    return path;
}

static bool has(const char *what, const char *name)
{
    cleanup_free char *path = path_of(what, name);

    return access(path, F_OK) == 0;
}

static char *read_file(const char *what, const char *name)
{
    cleanup_free char *path = path_of(what, name);
    cleanup_file FILE *file = fopen(path, "r");
    char *text = calloc(1, 4096);

    if (!file || !text) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, 4095, file)] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static bool act(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* It is in the log, failed or not. */
static bool act(const char *fmt, ...)
{
    cleanup_free char *path = path_of(".", "log");
    cleanup_file FILE *file = fopen(path, "a");
    const char *fail = getenv("FAKE_FAIL");
    char line[1024];
    va_list ap;
    bool ok;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    ok = !fail || strncmp(line, fail, strlen(fail));
    if (!file)
        abort();
    fprintf(file, "%s%s\n", line, ok ? "" : " (failed)");
    return ok;
}

char *store_read(const char *path)
{
    return read_file("store", path);
}

bool store_write(const char *path, const char *value)
{
    cleanup_free char *name = path_of("store", path);
    cleanup_file FILE *file = NULL;

    if (!act("write %s %s", path, value))
        return false;
    file = fopen(name, "w");
    return file && fputs(value, file) >= 0;
}

bool store_update(const char *path, const char *other, const char *value)
{
    return (!has("store", path) || store_write(path, value)) &&
           (!has("store", other) || store_write(other, value));
}

const char *host_scripts(void)
{
    static char path[1024];

    snprintf(path, sizeof(path), "%s/scripts", getenv("FAKE_HOST"));
    return path;
}

int host_lock(const char *name)
{
    return act("lock %s", name) ? 99 : -1;
}

void host_unlock(const char *name, int lock)
{
    act("unlock %s%s", name, lock == 99 ? "" : ": not the lock");
}

bool host_loops(struct loop **loops_out, size_t *count_out)
{
    cleanup_free char *path = path_of(".", "loops");
    cleanup_file FILE *file = fopen(path, "r");
    struct loop *loops = calloc(16, sizeof(*loops));
    char mode[4], name[1024];
    size_t count = 0;
    struct stat s;

    while (loops && file && count < 16 &&
           fscanf(file, "%3s %1023s", mode, name) == 2) {
        if (stat(name, &s))
            abort();
        loops[count].device = s.st_dev;
        loops[count].inode = s.st_ino;
        loops[count++].is_readonly = !strcmp(mode, "ro");
    }
    *loops_out = loops;
    *count_out = count;
    return act("list loops");
}

bool host_loop_bind(const char *file, bool is_readonly,
                    char node_out[NODE_BYTES], dev_t *device_out)
{
    snprintf(node_out, NODE_BYTES, "/dev/loop26");
    *device_out = makedev(7, 26);
    return act("bind %s %s", is_readonly ? "ro" : "rw", file);
}

/* Attach as /dev/mapper/xenfork-1; failed, xenfork-block says so. */
bool host_block(const char *verb, const char *target, const char *mode,
                char text[TEXT_BYTES])
{
    bool ok = act("%s %s%s%s", verb, target, mode ? " " : "", mode ? mode : "");

    snprintf(text, TEXT_BYTES, "%s",
             ok ? "/dev/mapper/xenfork-1" : "xenfork-block: it is in use");
    return ok;
}

bool host_device(const char *path, dev_t *number_out)
{
    *number_out = makedev(253, 7);
    return !strncmp(path, "/dev/mapper/", strlen("/dev/mapper/")) &&
           act("examine %s", path);
}

char *host_real(const char *path)
{
    return act("follow %s", path) ? strdup("/dev/dm-7") : NULL;
}

bool host_is_used(const char *node)
{
    return !act("claim %s", node);
}

/* List a folder: at most 16 names. */
char **store_list(const char *path, unsigned int *count_out)
{
    cleanup_free char *name = path_of("store", path);
    cleanup_dir DIR *dir = opendir(name);
    char **names = calloc(16, sizeof(*names) + NAME_MAX + 1);
    char *p = names ? (char *)(names + 16) : NULL;
    struct dirent *entry;

    *count_out = 0;
    while (dir && names && *count_out < 16 && (entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            names[(*count_out)++] = p;
            p = stpcpy(p, entry->d_name) + 1;
        }
    return names;
}

void host_loop_unbind(const char *node)
{
    act("unbind %s", node);
}

bool host_is_bridge(const char *name)
{
    return has("bridges", name);
}

bool host_is_port(const char *bridge, const char *name)
{
    cleanup_free char *of = read_file("ports", name);

    return of && !strcmp(of, bridge);
}

bool host_has_address(const char *name)
{
    return has("addresses", name);
}

int host_mtu(const char *name)
{
    cleanup_free char *mtu = read_file("bridges", name);

    return mtu ? atoi(mtu) : -1;
}

bool host_set_mtu(const char *name, int mtu)
{
    return act("mtu %s %d", name, mtu);
}

bool host_set_mac(const char *name, const uint8_t mac[6])
{
    return act("mac %s %02x:%02x:%02x:%02x:%02x:%02x", name, mac[0], mac[1],
               mac[2], mac[3], mac[4], mac[5]);
}

bool host_set_up(const char *name, bool is_up)
{
    return act("%s %s", is_up ? "up" : "down", name);
}

bool host_join(const char *bridge, const char *name)
{
    return act("join %s %s", bridge, name);
}

bool host_leave(const char *bridge, const char *name)
{
    return act("leave %s %s", bridge, name);
}
