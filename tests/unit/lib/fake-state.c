/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fake's state: set up, injection, kills, guests to start with. */
#include "config.h"

#include "fake-xen.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/internal.h"
#include "power.h"
#include "state/lock.h"

struct fake *fake;

void fake_copy_string(char *dst, size_t bytes, const char *src)
{
    snprintf(dst, bytes, "%s", src ? src : "");
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void fake_setup(void)
{
    const char *tmp = getenv("TMPDIR");
    void *map;

    if (fake)
        fake_teardown();
    map = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        abort();
    fake = map;
    snprintf(fake->dir, sizeof(fake->dir), "%s/xenfork-unit-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(fake->dir))
        abort();
    fake->free_pages = FAKE_HOST_PAGES;
    fake->next_domid = 1;
    fake->next_handle = 1000;
    fake->next_content = 1;
    fake_disarm();
}

void fake_reboot(void)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid)
            fake_drop_pages(&fake->domains[i]);
    memset(fake->domains, 0, sizeof(fake->domains));
    fake->keeper_count = 0;
    fake->next_domid = 1;
    fake->boots++;
}

void fake_teardown(void)
{
    uint32_t i;

    if (!fake)
        return;
    fake_poll_keepers();
    for (i = 0; i < fake->keeper_count; i++)
        if (fake->keepers[i].fd >= 0 && fake->keepers[i].starter == getpid())
            close(fake->keepers[i].fd);
    power_forget();
    nftw(fake->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    munmap(fake, sizeof(*fake));
    fake = NULL;
}

void fake_disarm(void)
{
    fake->calls = 0;
    fake->fail_from = fake->fail_to = 0;
    fake->fail_code = XENFORK_E_XEN;
    fake->fail_name = NULL;
    fake->crash_at = 0;
}

uint32_t fake_calls(void)
{
    return fake->calls;
}

void fake_fail_at(uint32_t n)
{
    fake_disarm();
    fake->fail_from = fake->fail_to = n;
}

void fake_fail_from(uint32_t n)
{
    fake_disarm();
    fake->fail_from = n;
    fake->fail_to = UINT32_MAX;
}

void fake_fail_function(const char *name, int code, uint32_t skip)
{
    fake_disarm();
    fake->fail_name = name;
    fake->fail_name_code = code;
    fake->fail_name_skip = skip;
    fake->fail_name_count = UINT32_MAX;
}

void fake_crash_at(uint32_t n, int when)
{
    fake_disarm();
    fake->crash_at = n;
    fake->crash_when = when;
}

static _Noreturn void die(void)
{
    fake_poll_keepers();
    raise(SIGKILL);
    abort();
}

static bool is_failing(const char *name)
{
    if (fake->fail_from && fake->calls >= fake->fail_from &&
        fake->calls <= fake->fail_to)
        return true;
    if (!fake->fail_name || strcmp(fake->fail_name, name))
        return false;
    if (fake->fail_name_skip) {
        fake->fail_name_skip--;
        return false;
    }
    return fake->fail_name_count && fake->fail_name_count--;
}

bool fake_step(const char *name)
{
    fake->log[fake->calls % FAKE_LOG] = name;
    fake->calls++;
    if (fake->calls == fake->crash_at && fake->crash_when == FAKE_BEFORE)
        die();
    /* A function without fake_leave(): at the latest here it had returned. */
    if (fake->crash_at && fake->calls > fake->crash_at)
        die();
    return is_failing(name);
}

int fake_enter(xenfork_ctx *ctx, const char *name)
{
    if (!fake_step(name))
        return 0;
    return xenfork__fail(
        ctx, fake->fail_name ? fake->fail_name_code : fake->fail_code, ENXIO,
        "injected failure of %s", name);
}

int fake_leave(int rc)
{
    if (fake->calls == fake->crash_at && fake->crash_when == FAKE_AFTER)
        die();
    return rc;
}

int fake_run(int (*run)(void *opaque), void *opaque, int *rc_out)
{
    int *rc = mmap(NULL, sizeof(*rc), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid;
    int status;
    uint32_t i;

    fflush(NULL);
    pid = rc == MAP_FAILED ? -1 : fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        *rc = run(opaque);
        fake_poll_keepers();
        /* No leak check: the parent's memory is in here as well. */
        _exit(0);
    }
    if (waitpid(pid, &status, 0) != pid)
        abort();
    for (i = 0; i < fake->keeper_count; i++)
        if (fake->keepers[i].starter == pid) {
            fake->keepers[i].fd = -1;
            fake->keepers[i].is_gone = true;
        }
    *rc_out = *rc;
    munmap(rc, sizeof(*rc));
    fake->crash_at = 0;
    fake->restoring = 0; /* libxl's, in that process */
    return status;
}

bool fake_crash(int (*run)(void *opaque), void *opaque, int *rc_out)
{
    int status = fake_run(run, opaque, rc_out);

    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return true;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fake_violation("the process ended with status %#x", status);
    return false;
}

void fake_violation(const char *fmt, ...)
{
    va_list ap;

    if (fake->violation[0])
        return;
    va_start(ap, fmt);
    vsnprintf(fake->violation, sizeof(fake->violation), fmt, ap);
    va_end(ap);
}

void fake_check_guard(const xenfork_ctx *ctx, const char *program)
{
    if (ctx->guard_fd < 0)
        fake_violation("%s without a lock: nobody would wait for it", program);
}

struct fake_domain *fake_domain(uint32_t domid)
{
    uint32_t i;

    for (i = 0; domid && i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid == domid)
            return &fake->domains[i];
    return NULL;
}

struct fake_domain *fake_domain_named(const char *name)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (fake->domains[i].domid && !fake->domains[i].is_dying &&
            !strcmp(fake->domains[i].name, name))
            return &fake->domains[i];
    return NULL;
}

struct fake_domain *fake_new_domain(void)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++)
        if (!fake->domains[i].domid) {
            memset(&fake->domains[i], 0, sizeof(fake->domains[i]));
            fake->domains[i].domid = fake->next_domid++;
            return &fake->domains[i];
        }
    abort();
}

static void fill_disk(const struct fake_domain *d, const struct fake_disk *disk)
{
    FILE *f = fopen(disk->path, "w");

    if (!f || fprintf(f, "contents of %s of %s\n", disk->vdev, d->name) < 0 ||
        fclose(f))
        abort();
}

static void add_disk(struct fake_domain *d, const char *vdev)
{
    struct fake_disk *disk = &d->disks[d->disk_count++];

    fake_copy_string(disk->vdev, sizeof(disk->vdev), vdev);
    if (snprintf(disk->path, sizeof(disk->path), "%s/%s-%s.img", fake->dir,
                 d->name, vdev) >= (int)sizeof(disk->path))
        abort();
    fake_copy_string(disk->format, sizeof(disk->format), "raw");
    fake_copy_string(disk->backend, sizeof(disk->backend), "phy");
    disk->is_readwrite = true;
    fill_disk(d, disk);
}

void fake_make_thin(uint32_t domid)
{
    struct fake_domain *d = fake_domain(domid);
    struct fake_disk *disk = &d->disks[0];
    char dir[FAKE_PATH];

    if (snprintf(dir, sizeof(dir), "%s/vg0", fake->dir) >= (int)sizeof(dir) ||
        (mkdir(dir, 0700) && errno != EEXIST) || unlink(disk->path) ||
        snprintf(disk->path, sizeof(disk->path), "%s/vg0/%s-%s", fake->dir,
                 d->name, disk->vdev) >= (int)sizeof(disk->path))
        abort();
    fill_disk(d, disk);
}

uint32_t fake_add_guest(const char *name)
{
    struct fake_domain *d = fake_new_domain();
    uint64_t gfn;

    fake_copy_string(d->name, sizeof(d->name), name);
    memset(d->uuid, 0xa0 + (int)d->domid, sizeof(d->uuid));
    d->type = XENFORK__TYPE_PVH;
    d->has_run = d->can_suspend = d->is_watched = true;
    fake_copy_string(d->uses, sizeof(d->uses), "device vbd 51712");
    d->max_vcpus = 2;
    d->max_pages = 256;
    d->max_kib = 64 * XENFORK__PAGE_KIB;
    d->max_gfn = 0xfefff;
    for (gfn = 0; gfn < 64; gfn++)
        if (gfn < 20 || gfn >= 23) /* a hole */
            fake_add_page(d, gfn, fake->next_content++);
    /* Where PVH has its special pages: store, console, ioreq, PCI … */
    for (gfn = 0xfeff8; gfn <= 0xfefff; gfn++) {
        fake_add_page(d, gfn, fake->next_content++);
        fake_page(d, gfn)->is_unsharable = gfn < 0xfeffb;
    }
    fake_page(d, 5)->is_unsharable = true;  /* vcpu_info */
    fake_page(d, 40)->is_unsharable = true; /* a backend has it mapped */
    add_disk(d, "xvda");
    d->nic_count = 1;
    d->nics[0] = (struct fake_nic){
        .mac = {0x00, 0x16, 0x3e, 0x11, 0x22, (uint8_t)d->domid},
        .bridge = "xenbr0",
        .on = "xenbr0",
        .is_up = true,
    };
    return d->domid;
}

void fake_poll_keepers(void)
{
    uint32_t i;

    for (i = 0; i < fake->keeper_count; i++) {
        struct fake_keeper *k = &fake->keepers[i];
        char word[8];
        ssize_t n;

        if (k->fd < 0 || k->starter != getpid())
            continue;
        while ((n = read(k->fd, word, sizeof(word))) > 0)
            if (memchr(word, 'c', (size_t)n))
                k->is_committed = true;
        if (n == 0) {
            close(k->fd);
            k->fd = -1;
            k->is_gone = true;
        }
    }
}

uint64_t fake_hash(uint64_t hash, const void *data, size_t bytes)
{
    const uint8_t *p = data;

    /* FNV-1a */
    while (bytes--)
        hash = (hash ^ *p++) * 0x100000001b3ULL;
    return hash;
}
