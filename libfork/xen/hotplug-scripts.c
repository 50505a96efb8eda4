/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xen/hotplug-scripts.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"

#define SCRIPT_BYTES 65536U
#define EVERY        (XENFORK__HOTPLUG_BLOCK | XENFORK__HOTPLUG_BRIDGE)
#define BLOCK        XENFORK__HOTPLUG_BLOCK
#define BRIDGE       XENFORK__HOTPLUG_BRIDGE

/* Where xen-hotplug-common.sh looks for commands before $PATH. */
#define SCRIPT_PATH \
    "/sbin:/bin:/usr/bin:/usr/sbin:/usr/local/sbin:/usr/local/bin"

/*
 * An administrator may change them, and a later release of Xen or another
 * distribution may have others: then they are run as they are.  Added to only
 * after a look at what has changed.
 */
const struct xenfork__script xenfork__scripts[] = {
    {"xen-script-common.sh", EVERY, false, 0x3cc74824ec7a0851},
    {"xen-hotplug-common.sh", EVERY, false, 0x97fbda02a4f452bd},
    {"xen-hotplug-common.sh", EVERY, false, 0x102ca3dbe3b91f1b}, /* Debian */
    {"locking.sh", EVERY, false, 0x7f3422badfddad6c},
    {"logging.sh", EVERY, false, 0x2e8f633548ed379e},
    {"block", BLOCK, false, 0xa3d94655b5d06a5a},
    {"block-common.sh", BLOCK, false, 0x39b89dea17130dbf}, /* until 4.18.0 */
    {"block-common.sh", BLOCK, false, 0x89c08134476f5fc9},
    {"vif-bridge", BRIDGE, false, 0x1a80579164b20605}, /* until 4.21 */
    {"vif-bridge", BRIDGE, false, 0x57fed2f1a33fade1},
    {"vif-common.sh", BRIDGE, true, 0x87d60b29ec99ce8e},
    {"vif-common.sh", BRIDGE, false, 0x29fe8734ae3039ee},         /* Debian */
    {"xen-network-common.sh", BRIDGE, false, 0xca0bc131af2a772a}, /* to 4.21 */
    {"xen-network-common.sh", BRIDGE, false, 0x36a1f71a6711116c},
};
const size_t xenfork__script_count = ARRAY_SIZE(xenfork__scripts);

/*
 * Read a whole file, ended by a NUL; NULL: there is none, or it is far too
 * long.
 */
static char *read_script(const char *dir, const char *name, size_t *bytes_out)
{
    cleanup_free char *path = NULL;
    cleanup_free char *text = malloc(SCRIPT_BYTES);
    cleanup_file FILE *file = NULL;
    size_t bytes;

    if (asprintf(&path, "%s/%s", dir, name) < 0) {
        path = NULL;
        return NULL;
    }
    file = fopen(path, "re");
    if (!file || !text)
        return NULL;
    bytes = fread(text, 1, SCRIPT_BYTES, file);
    if (ferror(file) || bytes == SCRIPT_BYTES)
        return NULL;
    text[bytes] = '\0';
    *bytes_out = bytes;
    return steal_ptr(text);
}

static bool has_command(const char *path, const char *name)
{
    cleanup_free char *copy = strdup(path);
    char *dir, *rest = NULL;
    bool has_it = !copy;

    for (dir = copy ? strtok_r(copy, ":", &rest) : NULL; dir && !has_it;
         dir = strtok_r(NULL, ":", &rest)) {
        cleanup_free char *file = NULL;

        if (asprintf(&file, "%s/%s", dir, name) < 0) {
            file = NULL;
            return true;
        }
        has_it = access(file, X_OK) == 0;
    }
    return has_it;
}

/*
 * Tell whether a line of hotplugpath.sh is a setting: NAME="value" or a
 * comment, and nothing that could act.  The file is made when Xen is built, and
 * has names of folders, which concern nobody here.
 */
static bool is_setting(const char *line, size_t length)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t name = strspn(line, letters);

    if (length == 0 || line[0] == '#')
        return true;
    return name > 0 && length >= name + 3 && line[name] == '=' &&
           line[name + 1] == '"' && line[length - 1] == '"' &&
           name + 2 + strcspn(line + name + 2, "\"$`\\\n") == length - 1;
}

static bool has_settings_only(const char *dir)
{
    size_t bytes = 0, length;
    cleanup_free char *text = read_script(dir, "hotplugpath.sh", &bytes);
    const char *p;

    if (!text || strlen(text) != bytes)
        return false;
    for (p = text; *p; p += length + (p[length] == '\n')) {
        length = strcspn(p, "\n");
        if (!is_setting(p, length))
            return false;
    }
    return true;
}

/*
 * Tell whether there is a hook: call_hooks vif post sources any *.hook that may
 * be run.
 */
static bool has_hook(const char *dir)
{
    cleanup_free char *path = NULL;
    cleanup_dir DIR *hooks = NULL;
    struct dirent *entry;
    size_t length;

    if (asprintf(&path, "%s/vif-post.d", dir) < 0) {
        path = NULL;
        return true;
    }
    hooks = opendir(path);
    if (!hooks)
        return errno != ENOENT;
    while ((entry = readdir(hooks))) {
        length = strlen(entry->d_name);
        if (length > 5 && !strcmp(entry->d_name + length - 5, ".hook"))
            return true;
    }
    return false;
}

/* Return the version of a script that @dir has; NULL: none that is known. */
static const struct xenfork__script *find_version(
    const char *dir, const char *name, const struct xenfork__script *scripts,
    size_t count)
{
    size_t i, bytes = 0;
    cleanup_free char *text = read_script(dir, name, &bytes);
    uint64_t digest;

    if (!text)
        return NULL;
    digest = xenfork__digest(text, bytes);
    for (i = 0; i < count; i++)
        if (!strcmp(scripts[i].name, name) && scripts[i].digest == digest)
            return &scripts[i];
    return NULL;
}

/* Say it once: a call makes many clones. */
static void say_unknown(xenfork_ctx *ctx, const char *dir, const char *name)
{
    if (!ctx->has_said_scripts)
        LOG_WARN(ctx,
                 "%s/%s is not a version that xenfork knows: scripts are run "
                 "for each device, which takes longer",
                 dir, name);
    ctx->has_said_scripts = true;
}

static bool is_known(xenfork_ctx *ctx, const char *dir, const char *path,
                     const char *name, const struct xenfork__script *scripts,
                     size_t count)
{
    const struct xenfork__script *version = find_version(dir, name, scripts,
                                                         count);

    if (!version) {
        say_unknown(ctx, dir, name);
        return false;
    }
    if (!version->wants_no_iptables || !has_command(path, "iptables"))
        return true;
    LOG_DEBUG(ctx, "%s/%s uses iptables: it is run", dir, name);
    return false;
}

unsigned int xenfork__hotplug_known(xenfork_ctx *ctx, const char *dir,
                                    const char *path,
                                    const struct xenfork__script *scripts,
                                    size_t count)
{
    unsigned int known = EVERY;
    size_t i;

    if (!has_settings_only(dir)) {
        say_unknown(ctx, dir, "hotplugpath.sh");
        return 0;
    }
    for (i = 0; i < count; i++) {
        if (i > 0 && !strcmp(scripts[i].name, scripts[i - 1].name))
            continue; /* another version of the same */
        if ((known & scripts[i].uses) &&
            !is_known(ctx, dir, path, scripts[i].name, scripts, count))
            known &= ~scripts[i].uses;
    }
    if ((known & BRIDGE) && has_hook(dir)) {
        LOG_DEBUG(ctx, "%s/vif-post.d has hooks: vif-bridge is run", dir);
        known &= ~BRIDGE;
    }
    return known;
}

bool xenfork__hotplug_is_ours(const char *dir, const char *ours)
{
    size_t bytes = 0, our_bytes = 0;
    cleanup_free char *text = read_script(dir, "block-fork", &bytes);
    cleanup_free char *our_text = read_script(ours, "block-fork", &our_bytes);

    return text && our_text && bytes == our_bytes &&
           !memcmp(text, our_text, bytes);
}

unsigned int xenfork__hotplug_look(xenfork_ctx *ctx)
{
    cleanup_free char *path = NULL;
    const char *more = getenv("PATH");
    unsigned int known;

#if ENABLE_TEST_HOOKS
    const char *test = getenv("XENFORK_TEST_HOTPLUG");

    if (test && !strcmp(test, "stock"))
        return 0;
#endif
    if (asprintf(&path, SCRIPT_PATH ":%s", more ? more : "") < 0) {
        path = NULL;
        return 0;
    }
    known = xenfork__hotplug_known(ctx, XEN_SCRIPT_DIR, path, xenfork__scripts,
                                   xenfork__script_count);
    /* block-fork includes the files that block includes. */
    if ((known & BLOCK) &&
        xenfork__hotplug_is_ours(XEN_SCRIPT_DIR, XENFORK_LIBEXEC_DIR))
        known |= XENFORK__HOTPLUG_FORK;
    return known;
}
