/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Beside the fake's folder there is another, of what is durable: a copy of
 * each file that was synced, a list of each directory, by inode.  A process
 * that is killed leaves them.
 */
#include "config.h"

#include "power.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake-xen.h"

#define KEY   64U
#define LARGE (1 << 20)
#define PATH  (2 * FAKE_PATH)
#define ORDER "order" /* all names, as of the last sync of anything */

static bool is_sync[FAKE_LOG]; /* [n - 1]: call n */

bool power_is_sync(uint32_t call)
{
    return is_sync[call - 1];
}

static void store(char path_out[PATH], const char *key)
{
    snprintf(path_out, PATH, "%s.power/%s", fake->dir, key);
}

static bool is_watching(void)
{
    char dir[PATH];

    store(dir, "");
    return fake && access(dir, F_OK) == 0;
}

/* Numbers of inodes come again, but not with the same time of birth. */
static void key_of(int dir, const char *path, char key_out[KEY], bool *is_dir)
{
    struct statx st;

    if (statx(dir, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW,
              STATX_BASIC_STATS | STATX_BTIME, &st))
        abort();
    snprintf(key_out, KEY, "%llx-%llx.%x", (unsigned long long)st.stx_ino,
             (unsigned long long)st.stx_btime.tv_sec, st.stx_btime.tv_nsec);
    *is_dir = S_ISDIR(st.stx_mode);
}

static void copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC), out;
    char buffer[4096];
    struct stat st;
    ssize_t n;

    fchmodat(AT_FDCWD, to, 0600, 0); /* if it is there */
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0 || fstat(in, &st))
        abort();
    /* The file of a pool, which is fake-dm.c's, and has nothing in it. */
    if (st.st_size > LARGE && ftruncate(out, st.st_size))
        abort();
    while (st.st_size <= LARGE && (n = read(in, buffer, sizeof(buffer))) > 0)
        if (write(out, buffer, (size_t)n) != n)
            abort();
    if (fchmod(out, st.st_mode & 07777))
        abort();
    close(in);
    close(out);
}

/* "KEY f|d NAME", a line for each. */
static void list(const char *dir, FILE *f, const char *below, bool is_deep)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char key[KEY], path[PATH], name[PATH];
        bool is_dir;

        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        key_of(dirfd(d), entry->d_name, key, &is_dir);
        snprintf(name, sizeof(name), "%s%s", below, entry->d_name);
        fprintf(f, "%s %c %s\n", key, is_dir ? 'd' : 'f', name);
        if (!is_dir || !is_deep)
            continue;
        strcat(name, "/");
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        list(path, f, name, true);
    }
    if (d)
        closedir(d);
}

static void note_list(const char *dir, const char *key, bool is_deep)
{
    char path[PATH], new[PATH + 8];
    FILE *f;

    store(path, key);
    snprintf(new, sizeof(new), "%s.new", path);
    f = fopen(new, "we");
    if (!f)
        abort();
    list(dir, f, "", is_deep);
    fclose(f);
    if (renameat(AT_FDCWD, new, AT_FDCWD, path))
        abort();
}

static void note(const char *path)
{
    char key[KEY], kept[PATH];
    bool is_dir;

    if (fake->calls)
        is_sync[(fake->calls - 1) % FAKE_LOG] = true;
    key_of(AT_FDCWD, path, key, &is_dir);
    store(kept, key);
    if (is_dir)
        note_list(path, key, false);
    else
        copy(path, kept);
}

static int note_one(const char *path, const struct stat *st, int type,
                    struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    note(path);
    return 0;
}

/* Note whether a file is immutable, as far as this is known. */
static void note_protected(const char *path)
{
    bool is_now = fake_is_protected(path);
    uint32_t i, free = FAKE_LOOPS;

    for (i = 0; i < FAKE_LOOPS; i++) {
        if (!fake->own_protected[i][0])
            free = i;
        else if (!strcmp(fake->own_protected[i], path))
            break;
    }
    if (i == FAKE_LOOPS)
        i = free;
    if (i == FAKE_LOOPS)
        abort();
    fake_copy_string(fake->own_protected[i], FAKE_PATH, is_now ? path : "");
}

static void note_all_protected(char to[FAKE_LOOPS][FAKE_PATH])
{
    memcpy(to, fake->is_protected, sizeof(fake->is_protected));
}

static void lose_protected(enum power_loss loss)
{
    if (loss != POWER_LOSES_NOTHING)
        memcpy(fake->is_protected,
               loss == POWER_KEEPS_ORDER ? fake->all_protected
                                         : fake->own_protected,
               sizeof(fake->is_protected));
}

void power_watch(void)
{
    char dir[PATH];

    power_forget();
    store(dir, "");
    if (mkdirat(AT_FDCWD, dir, 0700) || nftw(fake->dir, note_one, 16, FTW_PHYS))
        abort();
    note_list(fake->dir, ORDER, true);
    note_all_protected(fake->own_protected);
    note_all_protected(fake->all_protected);
    memset(is_sync, 0, sizeof(is_sync));
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    if (ftw->level || strcmp(path, fake->dir) != 0)
        remove(path);
    return 0;
}

void power_forget(void)
{
    char dir[PATH];

    if (!is_watching())
        return;
    store(dir, "");
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void power_synced(int fd)
{
    char link[64], path[PATH];
    ssize_t n;

    if (!is_watching())
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);
    path[n < 0 ? 0 : n] = '\0';
    if (strncmp(path, fake->dir, strlen(fake->dir)) != 0 || access(path, F_OK))
        return;
    note(path);
    note_protected(path);
    note_list(fake->dir, ORDER, true);
    note_all_protected(fake->all_protected);
}

void power_flushed(const char *path)
{
    if (is_watching() && !strncmp(path, fake->dir, strlen(fake->dir)) &&
        access(path, F_OK) == 0) {
        note(path);
        note_protected(path);
    }
}

void power_durable(const char *path)
{
    char dir[PATH];

    power_flushed(path);
    if (!is_watching() || strncmp(path, fake->dir, strlen(fake->dir)) != 0)
        return;
    snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
    if (access(dir, F_OK) == 0)
        note(dir);
    note_list(fake->dir, ORDER, true);
}

static void make_file(const char *path, const char *key, const char *made_dir)
{
    char kept[PATH], made[PATH], live[PATH];
    FILE *f;

    /* Another name of the same. */
    snprintf(made, sizeof(made), "%s/made-%s", made_dir, key);
    if (linkat(AT_FDCWD, made, AT_FDCWD, path, 0) == 0)
        return;
    snprintf(live, sizeof(live), "%s/live-%s", made_dir, key);
    renameat(AT_FDCWD, live, AT_FDCWD, path); /* if it was there still */
    store(kept, key);
    if (access(kept, F_OK) == 0) {
        copy(kept, path);
    } else {
        f = fopen(path, "we");
        if (!f || fclose(f))
            abort();
    }
    if (linkat(AT_FDCWD, path, AT_FDCWD, made, 0))
        abort();
}

/* Make the files of a list, each with what is durable of it. */
static void make(const char *dir, const char *key, const char *made_dir)
{
    char path[PATH], line[PATH], item[KEY], name[PATH / 2], type;
    FILE *f;

    store(path, key);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        char below[PATH];

        if (sscanf(line, "%63s %c %511[^\n]", item, &type, name) != 3)
            abort();
        snprintf(below, sizeof(below), "%s/%s", dir, name);
        if (type == 'f') {
            make_file(below, item, made_dir);
            continue;
        }
        if (mkdirat(AT_FDCWD, below, 0700))
            abort();
        /* Lists of all names have theirs, too. */
        if (strcmp(key, ORDER) != 0)
            make(below, item, made_dir);
    }
    if (f)
        fclose(f);
}

/* A file keeps its inode, whose number records have. */
static int move_one(const char *path, const struct stat *st, int type,
                    struct FTW *ftw)
{
    char key[KEY], part[KEY + 16], to[PATH];
    bool is_dir;

    (void)st;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    key_of(AT_FDCWD, path, key, &is_dir);
    snprintf(part, sizeof(part), "made/live-%s", key);
    store(to, part);
    return renameat(AT_FDCWD, path, AT_FDCWD, to);
}

static void lose(enum power_loss loss)
{
    char key[KEY] = ORDER, made_dir[PATH];
    bool is_dir;

    if (loss == POWER_LOSES_NOTHING)
        return;
    if (loss == POWER_KEEPS_NAMES)
        note_list(fake->dir, ORDER, true);
    if (loss == POWER_LOSES_ALL)
        key_of(AT_FDCWD, fake->dir, key, &is_dir);
    store(made_dir, "made");
    if (mkdirat(AT_FDCWD, made_dir, 0700))
        abort();
    nftw(fake->dir, move_one, 16, FTW_PHYS);
    nftw(fake->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    make(fake->dir, key, made_dir);
}

void power_cut(enum power_loss loss)
{
    uint32_t i;

    lose(loss);
    lose_protected(loss);
    power_forget();
    fake_poll_keepers();
    for (i = 0; i < fake->keeper_count; i++)
        if (fake->keepers[i].fd >= 0)
            close(fake->keepers[i].fd);
    fake->keeper_count = 0;
    memset(fake->domains, 0, sizeof(fake->domains));
    memset(fake->frames, 0, sizeof(fake->frames));
    memset(fake->dms, 0, sizeof(fake->dms));
    memset(fake->loops, 0, sizeof(fake->loops));
    fake->free_pages = FAKE_HOST_PAGES;
    fake->tap_left[0] = '\0';
    fake->next_domid = 1;
    fake->boots++;
}
