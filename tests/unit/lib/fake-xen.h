/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stateful fake of what the library asks of Xen and of the host: it stands
 * in place of the files of libfork/xen/ and libfork/host/.  The state lies in a
 * shared mapping, so that it outlives a process that is really killed
 * (fake_crash()).  Tests may look into it and change it.
 */
#ifndef FAKE_XEN_H
#define FAKE_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "xen/xen.h"
#include "xenfork.h"

#define FAKE_DOMAINS        48U
#define FAKE_PAGES          320U
#define FAKE_FRAMES         8192U
#define FAKE_DISKS          4U
#define FAKE_NICS           4U
#define FAKE_KEEPERS        64U
#define FAKE_PARAMS         4U
#define FAKE_LOG            8192U
#define FAKE_NAME           96U
#define FAKE_PATH           512U
#define FAKE_FIRST_SPECIAL  0xf0000U /* gfns from here on are special pages */
#define FAKE_HOST_PAGES     100000U
#define FAKE_RECORDS_PER_PAGE 40U
#define FAKE_SHUTDOWN_CRASH 3 /* SHUTDOWN_crash, public/sched.h */

/* How a guest behaves when it is asked to suspend. */
#define FAKE_OBEYS   0
#define FAKE_IGNORES 1 /* never answers: TIMEOUT */
#define FAKE_CANCELS 2 /* CANCELLED, as if the user had pressed ^C */

struct fake_frame {
    uint32_t refs; /* 0: free */
    uint64_t content;
    uint64_t handle; /* 0: private to its only owner, not nominated */
};

struct fake_page {
    uint64_t gfn;
    uint32_t frame;
    bool is_dirty;      /* written since the log was last taken */
    bool is_unsharable; /* nominating it fails: only a copy will do */
};

/* A file that QEMU has open, however it is called by now. */
struct fake_file {
    char node[48]; /* "": nothing */
    char backing[FAKE_NAME];
    uint64_t inode;
};

struct fake_disk {
    char vdev[16], path[FAKE_PATH], format[16], backend[16];
    char script[64]; /* "": none */
    bool is_readwrite, is_cdrom, is_foreign;
    bool is_tap_paused, is_tap_gone; /* its tapdisk, of a VHD */
    bool has_no_qemu, is_flushed;
    uint64_t in_use;    /* the inode that is open; 0: where the path leads */
    bool is_moved_late; /* while the domain is suspended, to another one */
    bool is_plugged;    /* its emulated one, of an HVM domain */
    bool is_plugged_late;               /* while the domain is suspended */
    struct fake_file top, overlay, job; /* of qcow2 */
    uint32_t streams;
    bool is_flattening, has_progress;
};

struct fake_nic {
    int devid;
    uint8_t mac[6];
    char bridge[16];
    bool is_up;  /* host side of the link */
    bool was_up; /* when libxl had made it */
    bool is_emulated_joined; /* the interface of the emulated one, too */
    bool is_muted;
    char on[16];             /* the bridge that it is a port of */
    char script[16], ip[32]; /* "": none */
    char ifname[16];         /* vifname=; "": none */
    uint32_t server;         /* the domain that serves it */
    bool cannot_hold;
};

/* The nodes of a domain below fork/, and whether we wait for its answer. */
struct fake_guest {
    char role[16]; /* "": nothing there */
    char generation[40], source[FAKE_NAME], entropy[136], source_macs[256];
    uint32_t index, param_count;
    char params[FAKE_PARAMS][1200]; /* "KEY=VALUE" */
    char ack[64], reseeded[64], error[512];
    bool is_watched, has_event;
};

#define FAKE_POOL UINT64_C(0x100000)

/* What QEMU finds in xenstore, as a stream has it; and how its state begins. */
#define FAKE_NODES       "physmap/f0000000/size\0001000"
#define FAKE_STATE_BYTES 77
#define FAKE_STATE_FIRST 4

struct fake_domain {
    uint32_t domid; /* 0: unused slot */
    uint8_t uuid[16];
    char name[FAKE_NAME]; /* "": none (half-made, or dying) */
    int type;
    bool is_image;
    bool is_paused, is_shutdown, is_dying;
    int shutdown_reason;
    bool has_run; /* unpaused once, or the user's */
    char made_for[37];
    bool is_whole;      /* has all of its memory, made without a fork */
    bool is_unfinished; /* made without libxl's restore, not introduced yet */
    uint32_t loads;     /* its QEMU, for so many turns; 0: it runs */
    bool is_loaded;     /* an image that was given the vCPU state */
    bool can_suspend;
    int on_suspend;        /* FAKE_OBEYS, … */
    bool is_suspend_asked; /* of a requester that was killed */
    char uses[32]; /* of Xen's; "": nothing, it may be stopped anywhere */
    bool begins_to_use, never_stops, is_stopped;
    bool never_drains;
    bool is_logging;     /* what it writes */
    bool is_migrated;    /* somebody else logs it */
    uint32_t unpausings; /* by its user, while QEMU begins to copy its disk */
    uint64_t cpu_ns;
    bool is_marked;       /* as once suspended by us: harmless for ever */
    bool is_watched;      /* by xl create, until it suspends */
    bool was_watched;     /* as is_marked says */
    char asks[16];        /* data/fork/freeze */
    bool wants_to_run;    /* control/shutdown, of a frozen one */
    char told[FAKE_PATH]; /* fork/error */
    uint32_t suspensions, resumptions;
    uint32_t max_vcpus;
    uint64_t max_pages, claimed_pages, max_kib, max_gfn;
    uint64_t pool; /* bytes beyond what it had at first */
    uint64_t pod_entries; /* pages that are populated on demand */
    uint32_t parent;      /* native fork; 0: none */
    uint32_t page_count;
    struct fake_page pages[FAKE_PAGES]; /* gfn ascending */
    uint32_t disk_count;
    struct fake_disk disks[FAKE_DISKS];
    uint32_t nic_count;
    struct fake_nic nics[FAKE_NICS];
    uint32_t passthrough_count;
    char unsupported[32];
    struct fake_guest guest;
    bool has_ring;       /* a write that finds no memory waits */
    bool has_ring_event; /* nobody has heard of it yet */
    bool is_waiting;     /* for an answer */
    uint32_t listener;   /* whose the ring is: fake-rings.c */
    char is_short[16];   /* /libxl/D/xenfork-memory */
    uint32_t target_kib; /* of its balloon; 0: max_kib */
    /* /libxl/D/xenfork-target; 0: none */
    uint32_t asked_kib, before_kib;
};

struct fake_keeper {
    char journal_id[FAKE_NAME];
    int fd; /* our end; -1: nobody holds the other end any more */
    pid_t starter;
    bool is_committed;
    bool is_gone; /* told to undo, by closing without a word */
};

/* Device-mapper. */
#define FAKE_DMS   40U
#define FAKE_THINS 40U
#define FAKE_LOOPS 16U /* and as many protected files */
struct fake_table {
    char type[16], params[3 * FAKE_PATH]; /* type "": none */
    uint64_t sectors;
    bool is_readonly;
};
struct fake_dm {
    char name[128]; /* "": unused slot */
    struct fake_table live, loaded;
    bool is_suspended;
    bool is_used;       /* by a domain */
    uint64_t held_root; /* of a pool; 0: none */
};
struct fake_thin {
    char pool[128], meta[FAKE_PATH]; /* its file */
    uint64_t id, mapped;             /* 0: unused slot */
};

/* When the process is killed: before the call has had its effect, or after */
#define FAKE_BEFORE 0
#define FAKE_AFTER  1

struct fake {
    char dir[FAKE_PATH];            /* everything that tests write is in here */
    char written[FAKE_PATH];        /* a file that somebody writes to */
    bool has_watcher;               /* of xl's, any domain */
    char overlapping[2][FAKE_PATH]; /* two disks with a block in common */
    char mount[FAKE_PATH];          /* a mount point; "": none */
    bool is_unmounted;              /* and nothing is there now */
    uint32_t boots;                 /* of the host: see fake_reboot() */
    bool is_fast;                   /* libxl's restore is not needed */
    bool has_odd_emulator;          /* but by an HVM domain */
    bool cannot_open, cannot_share, cannot_reflink, is_full;
    bool lacks_records; /* Xen has no memory to share one page more */
    bool cannot_thin, cannot_protect, has_no_space, pool_is_full,
        mirror_is_broken;
    uint32_t pools_watched; /* how often */
    struct fake_dm dms[FAKE_DMS];
    struct fake_thin thins[FAKE_THINS];
    char loops[FAKE_LOOPS][FAKE_PATH], is_protected[FAKE_LOOPS][FAKE_PATH];
    /* By power.c, after a cut: when the file was synced; when anything was. */
    char own_protected[FAKE_LOOPS][FAKE_PATH];
    char all_protected[FAKE_LOOPS][FAKE_PATH];
    uint32_t saved;         /* a domain that is being saved; 0: none */
    uint32_t process;       /* a process that lives; 0: none */
    bool has_stock_scripts; /* hotplug scripts that hold no link */
    bool has_no_qemu_img, has_no_memory;
    uint32_t created;         /* domains, by xenfork__xen_create() */
    struct xenfork__restore *restores[FAKE_DOMAINS]; /* under way */
    uint32_t restoring, restored_at_once;            /* the most */
    uint32_t loaded_at_once;                         /* likewise, QEMUs */
    void (*on_turn)(void);    /* what happens while libxl works */
    char tap_left[FAKE_PATH]; /* a tapdisk serves it still; "": none does */
    uint32_t tap_left_of;     /* the domain that it is for */
    uint32_t commits;         /* by qemu-img */
    uint64_t extents;         /* of every file */
    uint64_t free_pages;
    uint64_t next_handle, next_content;
    uint32_t next_domid;
    struct fake_domain domains[FAKE_DOMAINS];
    struct fake_frame frames[FAKE_FRAMES];
    bool keeper_dies; /* as soon as it is started */
    uint32_t keeper_count;
    struct fake_keeper keepers[FAKE_KEEPERS];
    char violation[256]; /* the first thing done that Xen punishes later */

    uint32_t calls; /* of functions that can fail, since armed */
    const char *log[FAKE_LOG];
    uint32_t fail_from, fail_to; /* calls that fail; 0: none */
    int fail_code;
    const char *fail_name; /* every call of this function fails; NULL: none */
    int fail_name_code;
    uint32_t fail_name_skip;  /* after so many that succeed */
    uint32_t fail_name_count; /* so many times */
    uint32_t crash_at;
    int crash_when;
    char marked[65536];
    void (*on_wait)(void); /* what happens while somebody waits */
    void (*on_unpause)(void);
    void (*on_suspended)(void);
    void (*on_change)(void); /* a configuration that is kept is changed */
    uint32_t nominate_ms; /* that nominating takes */
    bool has_records;     /* Xen's records of sharing take memory */
    uint32_t records;     /* so many there have been */
    uint64_t race_gfn;    /* the guest writes here as it goes to suspension */
    uint32_t busy_pages;  /* from gfn 1 on: written now and then */
    bool busy_changes;    /* with something else than before */
    bool is_impatient;    /* the last round is to take no time at all */
    uint64_t leaves_gfn;  /* given back as it goes to suspension; 0: none */
    uint64_t comes_gfn;   /* taken then; 0: none */
};

extern struct fake *fake;

/* Start afresh: no domains, an empty directory, nothing armed. */
void fake_setup(void);
/* Remove the directory. */
void fake_teardown(void);
/* Power cut, and boot: domids begin anew; contexts have to be opened anew. */
void fake_reboot(void);

/* A running guest: RAM with a hole, special pages; one NIC, one disk file. */
uint32_t fake_add_guest(const char *name);
/* Its disk is a thin volume from here on. */
void fake_make_thin(uint32_t domid);
/* Its disk is behind block-fork's device from here on. */
void fake_make_shimmed(uint32_t domid);
/* It writes to its disk; false: to the file itself. */
bool fake_write_disk(uint32_t domid);
/* It is a VHD, served by a tapdisk. */
void fake_make_vhd(uint32_t domid);
/* Return the file of a disk's path. */
const char *fake_file(const char *path);
/* Its disk is a qcow2 file, served by its QEMU. */
/* A plain file, in place of what is there. */
void fake_write_qcow2(const char *path);
void fake_make_qcow2(uint32_t domid);
struct fake_domain *fake_domain(uint32_t domid);
struct fake_domain *fake_domain_named(const char *name);
struct fake_page *fake_page(struct fake_domain *d, uint64_t gfn);
uint64_t fake_private_pages(const struct fake_domain *d);
uint64_t fake_claimed(void);
/* As the guest sees it, through its ancestors; false: nothing there. */
bool fake_read(uint32_t domid, uint64_t gfn, uint64_t *content_out);
/* The guest writes: a shared page becomes its own. */
void fake_write(uint32_t domid, uint64_t gfn, uint64_t content);
/* Is every page of b, lazy ones included, the same as a's? */
bool fake_same_memory(uint32_t a, uint32_t b);
/* The state of a guest's memory, to compare with later. */
uint64_t fake_memory_hash(uint32_t domid);

/* The guest writes data/fork/ack; NULL: the generation that it was given. */
void fake_ack(uint32_t domid, const char *text);
/* The guest says that it has reseeded; that it could not adapt. */
void fake_reseeded(uint32_t domid);
void fake_fault(uint32_t domid, const char *text);

/* Count calls from here on; nothing is injected. */
void fake_disarm(void);
uint32_t fake_calls(void);
/* The nth call from now (from 1) fails with XENFORK_E_XEN. */
void fake_fail_at(uint32_t n);
/* The nth call and all later ones. */
void fake_fail_from(uint32_t n);
/* Every call of a function, "xenfork__xen_pause", after skip good ones. */
void fake_fail_function(const char *name, int code, uint32_t skip);
/* The process is killed at its nth call: see fake_crash(). */
void fake_crash_at(uint32_t n, int when);

/*
 * Run a function in a process of its own that fake_crash_at() may kill, as
 * kill -9 does: nothing is undone, locks and fds go.  Returns true if it was
 * killed, otherwise *rc_out is what the function returned.
 */
bool fake_crash(int (*run)(void *opaque), void *opaque, int *rc_out);
/* As fake_crash(); return the status as of waitpid(2). */
int fake_run(int (*run)(void *opaque), void *opaque, int *rc_out);

/*
 * All state that a user could notice, in one canonical text; caller frees.
 * Left out: nomination of a page that no second domain shares (harmless: the
 * next write takes it back); numbers that only count (next domid, calls);
 * keepers that were told to stop, or whose transaction is committed; the
 * directories that the library makes once and leaves, empty, for ever.
 */
char *fake_snapshot(void);
/* Remember the state as it is now, for fake_marked(). */
void fake_mark(void);
const char *fake_marked(void);
/* Shows the first line that differs. */
bool fake_is_same(const char *before, const char *what);

/* For the fake itself. */
int fake_enter(xenfork_ctx *ctx, const char *name);
/* Count a call, die if it is time to; true: it shall fail. */
bool fake_step(const char *name);
/* The name that unlinkat(2) must not be called for, or NULL. */
extern const char *fake_keeps;
int fake_leave(int rc);
#define FAKE_ENTER(ctx)                          \
    do {                                         \
        int fake_rc = fake_enter(ctx, __func__); \
        if (fake_rc < 0)                         \
            return fake_rc;                      \
    } while (0)
void fake_violation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A program that changes a file in several steps holds a lock for us. */
void fake_check_guard(const xenfork_ctx *ctx, const char *program);
struct fake_domain *fake_new_domain(void);
struct fake_page *fake_page_at(struct fake_domain *d, uint64_t gfn);
void fake_copy_string(char *dst, size_t bytes, const char *src);
/* false: no memory, or the domain may not own more. */
bool fake_add_page(struct fake_domain *d, uint64_t gfn, uint64_t content);
void fake_add_shared(struct fake_domain *d, uint64_t gfn, uint32_t frame);
void fake_drop_pages(struct fake_domain *d);
/* A guest that is busy writes to so many pages, if it runs. */
void fake_run_on(struct fake_domain *d, uint32_t pages);
/* A guest's PV drivers unplug its emulated disks. */
void fake_begin_to_run(struct fake_domain *d);
void fake_remove_page(struct fake_domain *d, uint64_t gfn);
/* Put in the page that a fork has not touched yet. */
bool fake_populate(struct fake_domain *d, uint64_t gfn);
void fake_poll_keepers(void);
/* Attach a disk of a clone, as block-fork does. */
void fake_attach(const char *path);
void fake_detach(const char *path);
bool fake_is_protected(const char *path);
void fake_copy_devices(struct fake_domain *d,
                       const struct xenfork__config *source,
                       const struct xenfork__clone_config *clone);
/* libxl's record of it; caller frees. */
char *fake_to_json(const struct fake_domain *d);
struct xenfork__config *fake_from_json(uint32_t domid, const char *json);
struct fake_dm *fake_dm_named(const char *name);
/* A thin device's own, by its table; NULL: it is none, or there is none. */
struct fake_thin *fake_thin_below(const struct fake_table *table);
int fake_dm_refuse(xenfork_ctx *ctx, int e, const char *name);
void fake_put_dms(FILE *f);
void fake_put_qemu(FILE *f, const struct fake_disk *disk);
uint64_t fake_hash(uint64_t hash, const void *data, size_t bytes);
#define FAKE_HASH_START 0xcbf29ce484222325ULL

#endif
