/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Give a clone a disk of its own, in place or at another path.  The copy is
 * recorded next to the disk before it is begun; when it is complete the two
 * change places in the record, and the old one is removed.  So at every instant
 * the record names all files, and which of them is valid.
 */
#include "op/detach.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "disk/disk.h"
#include "host/dm.h"
#include "host/host.h"
#include "op/domain.h"
#include "op/recover.h"
#include "op/saved-config.h"

#define MAX_NAME 64

/* Change one disk in the record, and in our copy of it. */
static int save_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                     uint32_t disk, const char *driver, const char *beside)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    int rc;

    if ((rc = xenfork__detach_load(ctx, job, &lock, &now)) < 0 ||
        (rc = xenfork__record_disk_beside(ctx, now, disk, driver, beside)) <
            0 ||
        (rc = xenfork__record_save(ctx, now)) < 0)
        return rc;
    return xenfork__record_disk_beside(ctx, job->clone, disk, driver, beside);
}

/* Note that the clone uses @to; the driver may have done so already. */
static int use_copy(xenfork_ctx *ctx, struct xenfork__detaching *job,
                    uint32_t disk, const char *to)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    int rc = xenfork__detach_load(ctx, job, &lock, &now);

    if (rc < 0)
        return rc;
    if (strcmp(now->disks[disk].path, to) != 0) {
        xenfork__record_disk_swap(now, disk);
        rc = xenfork__record_save(ctx, now);
    }
    if (rc == 0)
        xenfork__record_disk_swap(job->clone, disk);
    return rc;
}

/*
 * Tell whether this can be part of a file's name: only safe characters, and
 * legible.
 */
static bool is_plain_name(const char *name)
{
    const char *p;

    for (p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("._-+@", *p))
            return false;
    return name[0] && name[0] != '.' && p - name <= MAX_NAME;
}

/* Return the path for the disk.  NULL: it stays where it is. */
static int choose_place(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                        const struct xenfork__record_disk *disk,
                        const struct xenfork__disk_driver *driver,
                        char **to_out)
{
    const char *slash = strrchr(disk->path, '/');
    char uuid[XENFORK__UUID_CHARS];
    int r = 0;

    xenfork__uuid_print(job->clone->uuid, uuid);
    if (job->dir)
        r = asprintf(to_out, "%s/%s-%s.%s", job->dir,
                     is_plain_name(job->clone->name) ? job->clone->name : uuid,
                     disk->vdev, job->format);
    else if (driver->is_moved)
        r = asprintf(to_out, "%.*s/%s-%s.raw", (int)(slash - disk->path),
                     disk->path, uuid, disk->vdev);
    if (r >= 0)
        return 0;
    *to_out = NULL;
    return xenfork__nomem(ctx);
}

/*
 * Lock out forks and starts: a disk that is being copied cannot have a snapshot
 * meanwhile, nor a domain that we do not know.  To undo what a killed process
 * has left may change the record.
 */
static int lock_out_others(xenfork_ctx *ctx, struct xenfork__detaching *job,
                           uint32_t disk, struct xenfork__lock **lock_out)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    cleanup_lock struct xenfork__lock *registry = NULL;
    cleanup_record struct xenfork__record *now = NULL;
    int rc = xenfork__lock_domain(ctx, job->clone->uuid, job->clone->name,
                                  &lock);

    if (rc < 0 || (rc = xenfork__detach_load(ctx, job, &registry, &now)) < 0)
        return rc;
    if (strcmp(now->disks[disk].path, job->clone->disks[disk].path) != 0)
        xenfork__record_disk_swap(job->clone, disk);
    *lock_out = steal_ptr(lock);
    return 0;
}

static int copy_overlay(xenfork_ctx *ctx, struct xenfork__detaching *job,
                        const struct xenfork__disk_driver *driver,
                        const struct xenfork__detach_request *request)
{
    if (request->domid == XENFORK_DOMID_NONE && driver->format)
        return xenfork__request_copy(ctx, request, request->path,
                                     driver->format);
    if (driver->detach)
        return driver->detach(ctx, request);
    xenfork__fail(ctx, XENFORK_E_DISK, 0,
                  "disk %s of %s cannot be moved while it runs", request->vdev,
                  job->clone->name);
    return xenfork__remedy(ctx, "shut it down first, or leave its disks where "
                                "they are");
}

/*
 * Return the driver for a file of this format: qcow2 files may get a backing
 * file again.
 */
static const char *format_driver(const char *format)
{
    return !strcmp(format, "qcow2") ? xenfork__disk_qcow2.name
                                    : xenfork__disk_plain.name;
}

static int refuse_taken(xenfork_ctx *ctx, const char *to)
{
    xenfork__fail(ctx, XENFORK_E_EXISTS, 0, "%s exists already", to);
    return xenfork__remedy(ctx, "move it away, or choose another place");
}

/*
 * Give the copy owner and mode of the old file; those of a device do not suit a
 * file.
 */
static int take_old_owner(int fd, const char *old)
{
    const char *file = strchr(old, '/');
    struct stat st;

    if (!file || stat(file, &st) || !S_ISREG(st.st_mode))
        return 0;
    return xenfork__take_owner(fd, file);
}

/*
 * Make a new file for the program that copies: never one that existed, nor the
 * target of a link.
 */
static int make_target(xenfork_ctx *ctx, const char *to, const char *old)
{
    cleanup_close int fd = open(
        to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST)
        return refuse_taken(ctx, to);
    return fd < 0 || take_old_owner(fd, old)
               ? xenfork__fail(ctx, XENFORK_E_DISK, errno, "cannot make %s", to)
               : 0;
}

/* Use the file of an earlier attempt, or make it. */
static int have_target(xenfork_ctx *ctx, const char *to, const char *old)
{
    struct stat st;

    if (lstat(to, &st))
        return make_target(ctx, to, old);
    return S_ISREG(st.st_mode) && st.st_nlink == 1 ? 0 : refuse_taken(ctx, to);
}

/*
 * Check that nobody writes to the file that is to be removed: somebody may have
 * begun so after the last look.
 */
static int check_unused(xenfork_ctx *ctx, const struct xenfork__record *clone,
                        const struct xenfork__record_disk *disk)
{
    const char *file = strchr(disk->other, '/');
    char writer[XENFORK__WRITER];

    if (!file || !xenfork__sys_writer(ctx, file, writer))
        return 0;
    xenfork__fail(ctx, XENFORK_E_INUSE, 0,
                  "disk %s of %s: %s is open for writing by %s, and stays",
                  disk->vdev, clone->name, file, writer);
    return xenfork__remedy(ctx, "end that, and then xl fork-detach %s again",
                           clone->name);
}

/*
 * Begin, or resume, a copy.  A file that exists already must be ours, from an
 * earlier attempt.  A copy that was begun at another place is removed.
 */
static int begin_copy(xenfork_ctx *ctx, struct xenfork__detaching *job,
                      uint32_t disk,
                      const struct xenfork__detach_request *request)
{
    const struct xenfork__record_disk *d = &job->clone->disks[disk];
    const char *to = request->to;
    struct stat st;
    int rc;

    if (!strcmp(d->other, to))
        return have_target(ctx, to, d->path);
    if (d->other[0] &&
        ((request->domid == XENFORK_DOMID_NONE &&
          (rc = check_unused(ctx, job->clone, d)) < 0) ||
         (rc = xenfork__disk_remove(ctx, d->other_driver, d->other)) < 0))
        return rc;
    if (lstat(to, &st) == 0)
        return refuse_taken(ctx, to);
    if ((rc = save_disk(ctx, job, disk, format_driver(request->format), to)) <
        0)
        return rc;
    rc = make_target(ctx, to, d->path);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        save_disk(ctx, job, disk, "", ""); /* it is not ours */
    }
    return rc;
}

/* Change what the clone is started from; others change that, too. */
static int note_config(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                       const struct xenfork__config_change *change)
{
    cleanup_lock struct xenfork__lock *lock = NULL;
    int rc = xenfork__lock_take(ctx, XENFORK__LOCK_REGISTRY, true, &lock);

    return rc < 0 ? rc : xenfork__saved_config_change(ctx, job->clone, change);
}

/* Make the domain's record lead to the new disk, and remove the old one. */
static int finish_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid, uint32_t i, const char *format)
{
    const struct xenfork__record_disk *disk = &job->clone->disks[i];
    int rc;

    if ((domid != XENFORK_DOMID_NONE &&
         (rc = xenfork__xen_disk_moved(ctx, domid, disk->vdev, disk->path,
                                       format)) < 0) ||
        (rc = note_config(ctx, job,
                          &(struct xenfork__config_change){.vdev = disk->vdev,
                                                           .path = disk->path,
                                                           .format = format})) <
            0)
        return rc;
    if (!disk->other[0])
        return 0;
    rc = xenfork__disk_remove(ctx, disk->other_driver, disk->other);
    return rc < 0 ? rc : save_disk(ctx, job, i, "", "");
}

/*
 * Resume where the copy is the clone's disk already: a domain that neither the
 * detach nor fork-start knows may use the old file.
 */
static int resume_moved(xenfork_ctx *ctx, const struct xenfork__detaching *job,
                        uint32_t domid, uint32_t disk)
{
    return xenfork__record_has_domid(ctx, job->clone, domid)
               ? 0
               : check_unused(ctx, job->clone, &job->clone->disks[disk]);
}

/*
 * Make the copy of a disk that nobody used the clone's disk.  If it has been
 * used meanwhile, the copy is torn, and the old file stays the clone's disk.
 */
static int pivot_stopped(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t disk, const char *to)
{
    cleanup_free char *from = strdup(job->clone->disks[disk].path);
    int rc = from ? xenfork__detach_stays(ctx, job, XENFORK_DOMID_NONE)
                  : xenfork__nomem(ctx);

    if (rc < 0 || (rc = use_copy(ctx, job, disk, to)) < 0)
        return rc;
    rc = check_unused(ctx, job->clone, &job->clone->disks[disk]);
    if (rc < 0) {
        keep_error struct xenfork__kept kept = xenfork__keep(ctx);

        if (use_copy(ctx, job, disk, from) < 0)
            rc = kept.error.code = XENFORK_E_RESIDUE;
    }
    return rc;
}

/*
 * Make the copy the clone's disk.  While the clone runs, its driver has done so
 * already.
 */
static int pivot_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                      uint32_t domid, uint32_t disk, const char *to)
{
    return domid == XENFORK_DOMID_NONE ? pivot_stopped(ctx, job, disk, to)
                                       : use_copy(ctx, job, disk, to);
}

/* Forget an empty copy: the driver refused before anything was copied. */
static void forget_empty(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t disk)
{
    const struct xenfork__record_disk *d = &job->clone->disks[disk];
    keep_error struct xenfork__kept kept = xenfork__keep(ctx);
    struct stat st;

    if (d->other[0] == '/' && lstat(d->other, &st) == 0 &&
        S_ISREG(st.st_mode) && !st.st_size &&
        xenfork__disk_remove(ctx, d->other_driver, d->other) == 0)
        save_disk(ctx, job, disk, "", "");
}

/*
 * Detach a disk where it is: its driver copies the backing file, if there is
 * one.
 */
static int in_place(xenfork_ctx *ctx, const struct xenfork__disk_driver *driver,
                    struct xenfork__detach_request *request)
{
    request->to = NULL;
    return driver->detach ? driver->detach(ctx, request) : 0;
}

static int note_progress(xenfork_ctx *ctx,
                         const struct xenfork__detach_request *request,
                         uint64_t done, uint64_t total, uint64_t moved)
{
    return xenfork__detach_step(ctx, request->opaque, done, total, moved);
}

static int wait_for_copy(xenfork_ctx *ctx,
                         const struct xenfork__detach_request *request)
{
    return xenfork__detach_wait(ctx, request->opaque);
}

static int stays(xenfork_ctx *ctx,
                 const struct xenfork__detach_request *request)
{
    return xenfork__detach_stays(ctx, request->opaque, request->domid);
}

static int switched(xenfork_ctx *ctx,
                    const struct xenfork__detach_request *request)
{
    return xenfork__detach_switched(
        ctx, &(struct xenfork__snapshot){.domid = request->domid,
                                         .vdev = request->vdev,
                                         .from = request->path,
                                         .to = request->to});
}

static const struct xenfork__detach_ops ops = {
    .step = note_progress,
    .wait = wait_for_copy,
    .stays = stays,
    .journal = xenfork__detach_journal,
    .switched = switched,
};

static int detach_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                       uint32_t domid, uint32_t i,
                       const struct xenfork__disk_driver *driver)
{
    const struct xenfork__record_disk *disk = &job->clone->disks[i];
    struct xenfork__detach_request request = {
        .domid = domid,
        .vdev = disk->vdev,
        .path = disk->path,
        .format = job->dir ? job->format : "raw",
        .driver = driver->name,
        .bytes_per_second = xenfork__detach_speed(job),
        .ops = &ops,
        .opaque = job};
    cleanup_free char *to = NULL;
    int rc = choose_place(ctx, job, disk, driver, &to);

    if (rc < 0 || !to)
        return rc < 0 ? rc : in_place(ctx, driver, &request);
    request.to = to;
    if (!strcmp(disk->path, to)) {
        rc = resume_moved(ctx, job, domid, i);
        if (rc == 0)
            rc = in_place(ctx, driver, &request);
    } else if ((rc = begin_copy(ctx, job, i, &request)) == 0 &&
               (rc = copy_overlay(ctx, job, driver, &request)) == 0)
        rc = pivot_disk(ctx, job, domid, i, to);
    else
        forget_empty(ctx, job, i);
    return rc < 0 ? rc : finish_disk(ctx, job, domid, i, request.format);
}

int xenfork__detach_disk(xenfork_ctx *ctx, struct xenfork__detaching *job,
                         uint32_t i)
{
    const struct xenfork__record_disk *disk = &job->clone->disks[i];
    const struct xenfork__disk_driver *driver = NULL;
    cleanup_lock struct xenfork__lock *lock = NULL;
    uint32_t domid = XENFORK_DOMID_NONE;
    int rc = xenfork__disk_of_record(ctx, disk->driver, &driver);

    if (rc < 0)
        return rc;
    if (!driver->detach && !job->dir)
        return 0; /* it has no base */
    if ((rc = lock_out_others(ctx, job, i, &lock)) < 0 ||
        (rc = xenfork__disk_of_record(ctx, disk->driver, &driver)) < 0)
        return rc;
    /* It may have ended, or started, since the last disk. */
    rc = xenfork__clone_domid(ctx, job->clone, &domid);
    if ((rc < 0 && rc != XENFORK_E_NOTFOUND) ||
        (rc = xenfork__detach_stays(ctx, job, domid)) < 0)
        return rc;
    return detach_disk(ctx, job, domid, i, driver);
}
