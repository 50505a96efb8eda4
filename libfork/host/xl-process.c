/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The watcher: the process that `xl create` leaves behind for a domain.
 *
 * The watcher has its output in a log, where it says which domain it watches:
 * "Waiting for domain web (domid 5) to die [pid 264]", anew after each reboot
 * (do_daemonize(), tools/xl/xl_utils.c; create_domain(), xl_vmcontrol.c; 4.17
 * to 4.20).  xl create -F says it to its terminal instead: it is known by the
 * name in what it was started with.
 */
#include "base/internal.h"

#include "host/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#define TEXT_BYTES 65536U /* of a file; of a log its last */
#define PATH_BYTES 512U

struct text {
    size_t bytes;
    char data[TEXT_BYTES + 1];
};

struct watched {
    const char *proc, *name;
    uint32_t domid;
    struct text *text; /* whatever is read */
};

/* Read the end of a file, or its beginning; false: there is none to read. */
static bool read_text(const char *path, bool is_end, struct text *text)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    off_t first;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
        return false;
    first = is_end && st.st_size > TEXT_BYTES ? st.st_size - TEXT_BYTES : 0;
    n = pread(fd, text->data, TEXT_BYTES, first);
    if (n <= 0)
        return false;
    text->bytes = (size_t)n;
    text->data[n] = '\0';
    return true;
}

/* Read an entry of a process: "12", "status" -> /proc/12/status. */
static bool read_entry(const struct watched *w, const char *pid,
                       const char *entry, bool is_end)
{
    char path[PATH_BYTES];

    return snprintf(path, sizeof(path), "%s/%s/%s", w->proc, pid, entry) <
               (int)sizeof(path) &&
           read_text(path, is_end, w->text);
}

static bool read_link(const struct watched *w, const char *pid,
                      const char *entry, char target[PATH_BYTES])
{
    char path[PATH_BYTES];
    ssize_t n;

    if (snprintf(path, sizeof(path), "%s/%s/%s", w->proc, pid, entry) >=
        (int)sizeof(path))
        return false;
    n = readlink(path, target, PATH_BYTES - 1);
    if (n <= 0)
        return false;
    target[n] = '\0';
    return true;
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/*
 * Tell whether the process is xl, and root's.  A user may call any program xl,
 * and may have its entry in /proc owned by root; the numbers in that entry
 * cannot be forged.
 */
static bool is_roots_xl(const struct watched *w, const char *pid)
{
    char exe[PATH_BYTES];
    unsigned int real, effective, saved;
    const char *uids;
    size_t n;

    if (!read_link(w, pid, "exe", exe))
        return false;
    n = strlen(exe);
    /* A package upgraded under it. */
    if (n > 10 && !strcmp(exe + n - 10, " (deleted)"))
        exe[n - 10] = '\0';
    if (strcmp(base_of(exe), "xl") || !read_entry(w, pid, "status", false))
        return false;
    uids = strstr(w->text->data, "\nUid:");
    return uids &&
           sscanf(uids, "\nUid: %u %u %u", &real, &effective, &saved) == 3 &&
           !real && !effective && !saved;
}

/* Find, in its log, the last domain for which this process waits. */
static bool find_waiting(const struct text *log, const char *pid,
                         uint32_t *domid_out)
{
    const char *line = log->data, *end;
    bool is_found = false;

    for (; line; line = end ? end + 1 : NULL) {
        char words[PATH_BYTES], suffix[32];
        const char *domid;

        end = strchr(line, '\n');
        snprintf(words, sizeof(words), "%.*s",
                 (int)(end ? end - line : (long)strlen(line)), line);
        snprintf(suffix, sizeof(suffix), " to die [pid %.12s]", pid);
        domid = strstr(words, " (domid ");
        if (!strstr(words, "Waiting for domain ") || !domid ||
            !strstr(domid, suffix))
            continue;
        is_found |= sscanf(domid, " (domid %u", domid_out) == 1;
    }
    return is_found;
}

/*
 * Tell by its log whether the process watches the domain; if the log says
 * nothing, by the log's name.
 */
static bool has_log(const struct watched *w, const char *pid)
{
    char target[PATH_BYTES], log[PATH_BYTES];
    uint32_t domid;

    if (!read_link(w, pid, "fd/1", target) ||
        strncmp(base_of(target), "xl-", 3) != 0)
        return false;
    if (read_entry(w, pid, "fd/1", true) && find_waiting(w->text, pid, &domid))
        return domid == w->domid;
    snprintf(log, sizeof(log), "xl-%s.log", w->name);
    return !strcmp(base_of(target), log);
}

/* Parse 'name = "web"' */
static bool name_of_line(const char *line, char name[PATH_BYTES])
{
    return sscanf(line, " name = \"%255[^\"\n]", name) == 1 ||
           sscanf(line, " name = '%255[^'\n]", name) == 1;
}

/* Find the name in a configuration; the last such line counts. */
static bool name_of_config(const struct text *text, char name[PATH_BYTES])
{
    const char *line = text->data;
    bool is_found = false;

    while (line) {
        is_found |= name_of_line(line, name);
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return is_found;
}

/*
 * Find the name in a saved domain: xl has put its configuration at the front,
 * in JSON.
 */
static bool name_of_saved(const struct text *text, char name[PATH_BYTES])
{
    const char *info = memmem(text->data, text->bytes, "\"c_info\"", 8);
    const char *at = info ? strstr(info, "\"name\"") : NULL;

    return at && sscanf(at, "\"name\" : \"%255[^\"\\]\"", name) == 1;
}

static bool name_of_file(const struct watched *w, const char *pid,
                         const char *file, char name[PATH_BYTES])
{
    char path[PATH_BYTES];

    /* As that process sees it. */
    if (snprintf(path, sizeof(path), "%s/%s/%s/%s", w->proc, pid,
                 file[0] == '/' ? "root" : "cwd", file) >= (int)sizeof(path) ||
        !read_text(path, false, w->text))
        return false;
    return name_of_saved(w->text, name) || name_of_config(w->text, name);
}

/*
 * Check for "create" or "restore", with -F alone or among other letters, that
 * does not name another domain.
 */
static bool is_in_foreground(const struct watched *w, const char *pid)
{
    cleanup_free char *words = NULL;
    char name[PATH_BYTES] = "", said[PATH_BYTES] = "";
    bool is_watching = false, is_front = false;
    const char *word;
    size_t bytes;

    if (!read_entry(w, pid, "cmdline", false))
        return false;
    bytes = w->text->bytes;
    words = malloc(bytes + 1);
    if (!words)
        return true;
    memcpy(words, w->text->data, bytes + 1);
    for (word = words; word < words + bytes; word += strlen(word) + 1) {
        if (word[0] == '-') {
            is_front |= word[1] != '-' && strchr(word, 'F');
        } else if (!is_watching) {
            is_watching = !strcmp(word, "create") || !strcmp(word, "restore");
        } else if (strchr(word, '=')) {
            name_of_line(word, said);
        } else if (!name[0]) {
            name_of_file(w, pid, word, name);
        }
    }
    if (!is_watching || !is_front)
        return false;
    /* The command line overrides the configuration. */
    if (said[0])
        return !strcmp(said, w->name);
    return !name[0] || !strcmp(name, w->name);
}

bool xenfork__sys_xl_watches(const char *proc, const char *name, uint32_t domid)
{
    cleanup_free struct text *text = malloc(sizeof(*text));
    cleanup_dir DIR *dir = opendir(proc);
    struct watched w = {
        .proc = proc, .name = name, .domid = domid, .text = text};
    struct dirent *entry;

    if (!text)
        return true;
    while (dir && (entry = readdir(dir))) {
        const char *pid = entry->d_name;

        if (pid[0] < '0' || pid[0] > '9' || !is_roots_xl(&w, pid))
            continue;
        if (has_log(&w, pid) || is_in_foreground(&w, pid))
            return true;
    }
    return !dir;
}
