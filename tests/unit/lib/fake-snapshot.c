/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's state as a text; see fake_snapshot() for what is left out. */
#include "config.h"

#include "fake-xen.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/ids.h"

/* A page shared with nobody counts as private, nominated or not. */
static bool is_shared(const struct fake_page *page)
{
    return fake->frames[page->frame].refs > 1;
}

static void put_pages(FILE *f, const struct fake_domain *d)
{
    uint32_t i, o;
    uint64_t private_pages = 0;

    for (i = 0; i < d->page_count; i++) {
        const struct fake_page *page = &d->pages[i];

        private_pages += !is_shared(page);
        fprintf(f, "  %llx=%llu", (unsigned long long)page->gfn,
                (unsigned long long)fake->frames[page->frame].content);
        for (o = 0; is_shared(page) && o < FAKE_DOMAINS; o++) {
            struct fake_domain *other = &fake->domains[o];
            const struct fake_page *theirs = other->domid && other != d
                                                 ? fake_page(other, page->gfn)
                                                 : NULL;

            if (theirs && theirs->frame == page->frame)
                fprintf(f, "+%u", other->domid);
        }
        if (i % 8 == 7)
            fputc('\n', f);
    }
    fprintf(f, "\n  private %llu of %u\n", (unsigned long long)private_pages,
            d->page_count);
}

static void put_guest(FILE *f, const struct fake_guest *guest)
{
    uint32_t i;

    if (guest->role[0])
        fprintf(f, "  fork %s %s \"%s\" %u %s\n", guest->role,
                guest->generation, guest->source, guest->index, guest->entropy);
    for (i = 0; i < guest->param_count; i++)
        fprintf(f, "  param %s\n", guest->params[i]);
    if (guest->ack[0] || guest->is_watched)
        fprintf(f, "  ack \"%s\"%s\n", guest->ack,
                guest->is_watched ? " watched" : "");
}

static void put_domain(FILE *f, const struct fake_domain *d)
{
    char uuid[XENFORK__UUID_CHARS], mac[XENFORK__MAC_CHARS];
    uint32_t i;

    xenfork__uuid_print(d->uuid, uuid);
    fprintf(f,
            "domain %u \"%s\" %s type %d%s%s%s%s%s%s%s%s%s%s reason %d "
            "vcpus %u max %llu claimed %llu pool %llu parent %u\n",
            d->domid, d->name, uuid, d->type, d->is_image ? " image" : "",
            d->is_paused ? " paused" : "", d->is_shutdown ? " shutdown" : "",
            d->is_dying ? " dying" : "", d->has_run ? " ran" : "",
            d->is_loaded ? " loaded" : "", d->is_suspend_asked ? " asked" : "",
            d->is_logging ? " logging" : "", *d->is_short ? " short " : "",
            d->is_short, d->shutdown_reason, d->max_vcpus,
            (unsigned long long)d->max_pages,
            (unsigned long long)d->claimed_pages, (unsigned long long)d->pool,
            d->parent);
    fprintf(f, "  asks \"%s\" told \"%s\"\n", d->asks, d->told);
    for (i = 0; i < d->disk_count; i++) {
        fprintf(f, "  disk %s %s%s\n", d->disks[i].vdev, d->disks[i].path,
                d->disks[i].is_tap_paused ? " tapdisk paused" : "");
        fake_put_qemu(f, &d->disks[i]);
    }
    for (i = 0; i < d->nic_count; i++) {
        xenfork__mac_print(d->nics[i].mac, mac);
        fprintf(f, "  nic %d %s %s %s %s\n", d->nics[i].devid, mac,
                d->nics[i].bridge,
                d->nics[i].is_muted ? "muted"
                : d->nics[i].is_up  ? "up"
                                    : "down",
                d->nics[i].on);
    }
    put_guest(f, &d->guest);
    put_pages(f, d);
}

static uint64_t hash_file(const char *path)
{
    uint64_t hash = FAKE_HASH_START;
    uint8_t buffer[4096];
    ssize_t n;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    while (fd >= 0 && (n = read(fd, buffer, sizeof(buffer))) > 0)
        hash = fake_hash(hash, buffer, (size_t)n);
    if (fd >= 0)
        close(fd);
    return hash;
}

/* Directories that stay once they are made: harmless when empty. */
static bool is_lasting(const char *name)
{
    static const char *const names[] = {
        "state",  "locks",  "journals", "images",
        "clones", "frozen", "restarts", ".xenfork"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(name, names[i]))
            return true;
    return false;
}

/* A pool's record that its writer was killed over. */
static bool is_rewritten(const char *path)
{
    return strstr(path, "/pool/record.new");
}

static void put_file(FILE *f, const char *path, const struct stat *st)
{
    fprintf(f, "file %s %o", path + strlen(fake->dir), st->st_mode);
    /* Its record counts, and the rest is fake-dm.c's. */
    if (S_ISREG(st->st_mode) && !strstr(path, "/pool/"))
        fprintf(f, " %lld %llx", (long long)st->st_size,
                (unsigned long long)hash_file(path));
    fputc('\n', f);
}

static void put_files(FILE *f, const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, alphasort), i;

    for (i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char path[2 * FAKE_PATH];
        struct stat st;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        if (strcmp(name, ".") && strcmp(name, "..") && !lstat(path, &st)) {
            if (!(S_ISDIR(st.st_mode) && is_lasting(name)) &&
                !is_rewritten(path))
                put_file(f, path, &st);
            if (S_ISDIR(st.st_mode))
                put_files(f, path);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

char *fake_snapshot(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    uint32_t i;

    if (!f)
        abort();
    fake_poll_keepers();
    fprintf(f, "host free %llu claimed %llu\n",
            (unsigned long long)fake->free_pages,
            (unsigned long long)fake_claimed());
    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid)
            put_domain(f, &fake->domains[i]);
    for (i = 0; i < fake->keeper_count; i++)
        if (!fake->keepers[i].is_gone && !fake->keepers[i].is_committed)
            fprintf(f, "keeper %s waits\n", fake->keepers[i].journal_id);
    fake_put_dms(f);
    put_files(f, fake->dir);
    if (fake->violation[0])
        fprintf(f, "VIOLATION %s\n", fake->violation);
    if (fclose(f))
        abort();
    return text;
}

void fake_mark(void)
{
    char *text = fake_snapshot();

    if (strlen(text) >= sizeof(fake->marked))
        abort();
    strcpy(fake->marked, text);
    free(text);
}

const char *fake_marked(void)
{
    return fake->marked;
}

bool fake_is_same(const char *before, const char *what)
{
    char *after = fake_snapshot();
    const char *a = before, *b = after;

    if (!strcmp(before, after)) {
        free(after);
        return true;
    }
    while (*a && *b) {
        size_t m = strcspn(a, "\n"), n = strcspn(b, "\n");

        if (m != n || memcmp(a, b, n))
            break;
        a += m + (a[m] == '\n');
        b += n + (b[n] == '\n');
    }
    print_error("%s: state differs\n  before: %.*s\n  after:  %.*s\n", what,
                (int)strcspn(a, "\n"), a, (int)strcspn(b, "\n"), b);
    free(after);
    return false;
}
