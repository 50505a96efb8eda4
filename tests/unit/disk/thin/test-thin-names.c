/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* disk/thin/name.c, thin.c: one disk by several names, and what is not that
 * disk. */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk/thin/thin.h"
#include "../../lib/fake-xen.h"
#include "../../lib/fork-scene.h"
#include "../../lib/scene.h"

#define PATH (FAKE_PATH + 64)

static struct fork_scene *s;

/* In the test's folder; good until the third call after this one. */
static const char *at(const char *name)
{
    static char paths[4][PATH];
    static uint32_t next;
    char *path = paths[next++ % ARRAY_SIZE(paths)];

    if (snprintf(path, PATH, "%s/%s", fake->dir, name) >= (int)PATH)
        abort();
    return path;
}

static void make_file(const char *name)
{
    FILE *f = fopen(at(name), "w");

    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 65536), 0);
    fclose(f);
}

/* The source has the disk of this name, behind block-fork's device. */
static void use_disk(const char *name)
{
    fake_copy_string(fake_domain(s->src)->disks[0].path, FAKE_PATH, at(name));
    fake_make_shimmed(s->src);
}

static int setup(void **state)
{
    fork_setup(state);
    s = *state;
    fake->cannot_reflink = true;
    assert_int_equal(mkdir(at("a"), 0755), 0);
    assert_int_equal(mkdir(at("b"), 0755), 0);
    assert_int_equal(mkdir(at("dev"), 0755), 0);
    make_file("b/real.img");
    make_file("a/other.img");
    return 0;
}

static void forget_result(void)
{
    xenfork_result_free(s->result);
    s->result = NULL;
}

static int attach(const char *path, char mode)
{
    char *node = NULL;
    int rc = xenfork__thin_attach(s->ctx, path, mode == 'r', mode == '!',
                                  &node);

    free(node);
    return rc;
}

static void assert_text(const char *part)
{
    if (!strstr(xenfork_error_text(s->ctx), part) &&
        !strstr(xenfork_error_remedy(s->ctx), part))
        fail_msg("\"%s\", \"%s\": no %s", xenfork_error_text(s->ctx),
                 xenfork_error_remedy(s->ctx), part);
}

static void assert_refused(const char *path, char mode, const char *part)
{
    assert_int_equal(attach(path, mode), XENFORK_E_DISK);
    assert_text(part);
}

/* Return the kind of device that it was put behind when attached last. */
static const char *type_of(const char *path)
{
    struct xenfork__thin *thin = NULL;
    const struct fake_dm *dm;

    assert_int_equal(xenfork__thin_peek(s->ctx, path, &thin), 0);
    dm = fake_dm_named(thin->device);
    xenfork__thin_close(thin);
    return dm ? dm->live.type : "none";
}

static const char *clone_path(uint32_t i)
{
    return fake_domain(xenfork_clone_domid(xenfork_result_clone(s->result, i)))
        ->disks[0]
        .path;
}

/* All domains are gone, and the host has been started anew. */
static void reboot(void)
{
    memset(fake->dms, 0, sizeof(fake->dms));
}

/* Forked by one name, of whatever kind; attached by another. */
static void assert_one_disk(const char *one, const char *other)
{
    use_disk(one);
    assert_int_equal(attach(at(other), 'w'), XENFORK_E_INUSE);
    assert_int_equal(fork_it(s, s->src), 0);
    assert_int_equal(attach(at(other), 'w'), XENFORK_E_INUSE);
    reboot();
    assert_int_equal(attach(at(other), 'w'), 0);
    assert_string_equal(type_of(at(other)), "thin");
    assert_string_equal(type_of(at(one)), "thin");
    assert_int_equal(xenfork__thin_detach(s->ctx, at(one), NULL), 0);
    assert_string_equal(type_of(at(other)), "none");
    assert_string_equal(fake->violation, "");
}

static void test_link_to_file(void **state)
{
    (void)state;
    assert_int_equal(symlink("../b/real.img", at("a/link.img")), 0);
    assert_one_disk("a/link.img", "b/real.img");
}

static void test_link_to_folder(void **state)
{
    (void)state;
    assert_int_equal(symlink("b", at("c")), 0);
    assert_one_disk("b/real.img", "c/real.img");
}

static void test_hard_link(void **state)
{
    (void)state;
    assert_int_equal(link(at("b/real.img"), at("b/second.img")), 0);
    assert_one_disk("b/real.img", "b/second.img");
}

static void test_device(void **state)
{
    (void)state;
    make_file("dev/dm-3");
    assert_int_equal(link(at("dev/dm-3"), at("dev/vg0-p")), 0);
    assert_one_disk("dev/dm-3", "dev/vg0-p");
}

/* A partition of a disk that backs clones, which Xen would let be written. */
static void test_partition(void **state)
{
    (void)state;
    make_file("dev/sdb");
    make_file("dev/sdb1");
    make_file("dev/sdc1");
    snprintf(fake->overlapping[0], FAKE_PATH, "%s", at("dev/sdb"));
    snprintf(fake->overlapping[1], FAKE_PATH, "%s", at("dev/sdb1"));
    use_disk("dev/sdb");
    assert_int_equal(fork_it(s, s->src), 0);
    reboot();
    assert_int_equal(attach(at("dev/sdb1"), 'w'), XENFORK_E_INUSE);
    assert_text("has blocks of");
    assert_string_equal(type_of(at("dev/sdb1")), "none");
    assert_int_equal(attach(at("dev/sdc1"), 'w'), 0);
    assert_int_equal(attach(at("dev/sdb1"), 'r'), 0);
    assert_int_equal(xenfork__thin_detach(s->ctx, at("dev/sdb1"), NULL), 0);
    /* The disk that they have it from may be gone. */
    assert_int_equal(unlink(at("dev/sdb")), 0);
    assert_int_equal(attach(at("dev/sdb1"), 'w'), 0);
}

/* The writes since are recorded in the other folder. */
static void test_hard_link_elsewhere(void **state)
{
    (void)state;
    assert_int_equal(link(at("b/real.img"), at("a/second.img")), 0);
    use_disk("b/real.img");
    assert_int_equal(attach(at("a/second.img"), 'w'), XENFORK_E_INUSE);
    assert_int_equal(fork_it(s, s->src), 0);
    reboot();
    assert_refused(at("a/second.img"), 'r', "no record in");
    assert_refused(at("a/second.img"), 'w', "no record in");
    assert_int_equal(attach(at("b/real.img"), 'w'), 0);
}

/* A pool of another file's lies beside the link. */
static void test_two_pools(void **state)
{
    (void)state;
    use_disk("a/other.img");
    assert_int_equal(fork_it(s, s->src), 0);
    forget_result();
    assert_int_equal(symlink("../b/real.img", at("a/link.img")), 0);
    use_disk("a/link.img");
    assert_int_equal(fork_it(s, s->src), 0);
    assert_non_null(strstr(clone_path(0), "/b/.xenfork/"));
    forget_result();
    assert_int_equal(fork_it(s, s->src), 0);
    assert_non_null(strstr(clone_path(1), "/b/.xenfork/"));
    assert_string_equal(fake->violation, "");
}

/* A record is of use in its own folder alone, by its own name. */
static void test_copied(void **state)
{
    char command[3 * PATH], clone[FAKE_PATH];

    (void)state;
    use_disk("a/other.img");
    assert_int_equal(fork_it(s, s->src), 0);
    forget_result();
    use_disk("b/real.img");
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(clone, sizeof(clone), clone_path(0));
    reboot();
    snprintf(command, sizeof(command), "cp '%s' '%s'; cp '%s' '%s'", clone,
             at("b/.xenfork/copy.thin"), clone, at("a/.xenfork/"));
    assert_int_equal(system(command), 0);
    assert_refused(at("b/.xenfork/copy.thin"), 'w', "another disk");
    snprintf(command, sizeof(command), "%s%s", at("a/.xenfork"),
             strrchr(clone, '/'));
    assert_int_equal(attach(command, 'w'), XENFORK_E_DISK);
    /* Nor with a file of that name. */
    assert_int_equal(rename(at("a/other.img"), at("a/real.img")), 0);
    assert_refused(command, 'w', "another is there now");
    assert_int_equal(attach(clone, 'w'), 0);
}

/* Ids of one pool mean nothing in another. */
static void test_other_pool(void **state)
{
    char clone[FAKE_PATH];
    FILE *f;

    (void)state;
    use_disk("b/real.img");
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(clone, sizeof(clone), clone_path(0));
    reboot();
    f = fopen(at("b/.xenfork/pool/record"), "w");
    assert_non_null(f);
    fputs("xenfork 1\nuuid other\nnext_id 9\nstep_bytes 2097152\n", f);
    fclose(f);
    scene_sign_record(at("b/.xenfork/pool/record"));
    assert_refused(clone, 'w', "pool");
    assert_refused(at("b/real.img"), 'w', "pool");
    assert_int_equal(unlink(at("b/.xenfork/pool/record")), 0);
    assert_refused(clone, 'w', "pool");
    assert_refused(at("b/real.img"), 'r', "pool");
    assert_int_equal(access(at("b/.xenfork/pool/record"), F_OK), -1);
}

/* Another file has the name by now. */
static void test_replaced(void **state)
{
    char clone[FAKE_PATH];

    (void)state;
    use_disk("b/real.img");
    assert_int_equal(fork_it(s, s->src), 0);
    fake_copy_string(clone, sizeof(clone), clone_path(0));
    reboot();
    make_file("b/new.img");
    assert_int_equal(rename(at("b/new.img"), at("b/real.img")), 0);
    assert_refused(at("b/real.img"), 'w', "give this one another name");
    assert_refused(clone, 'w', "another is there now");
}

static void write_record(const char *name, const char *origin)
{
    FILE *f = fopen(at(name), "w");

    assert_non_null(f);
    fprintf(f,
            "xenfork 1\nkind overlay\nname %s\norigin %s\norigin_is inode 1\n"
            "sectors 8\n",
            strrchr(name, '/') + 1, origin);
    fclose(f);
    scene_sign_record(at(name));
}

static void test_foreign_folder(void **state)
{
    (void)state;
    use_disk("b/real.img");
    assert_int_equal(mkdir(at("b/.xenfork"), 0777), 0);
    assert_int_equal(chmod(at("b/.xenfork"), 0777), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_text("not root's alone");
    write_record("b/.xenfork/x.thin", "real.img");
    assert_refused(at("b/.xenfork/x.thin"), 'w', "not root's alone");
    assert_int_equal(chmod(at("b/.xenfork"), 0700), 0);
    write_record("b/.xenfork/x.thin", "/etc/passwd");
    assert_refused(at("b/.xenfork/x.thin"), 'w',
                   "names a file in another folder");
    write_record("b/.xenfork/x.thin", "../a/other.img");
    assert_refused(at("b/.xenfork/x.thin"), 'w',
                   "names a file in another folder");
    assert_int_equal(unlink(at("b/.xenfork/x.thin")), 0);
    assert_int_equal(rmdir(at("b/.xenfork")), 0);
    assert_int_equal(symlink("../a", at("b/.xenfork")), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_text("it is not a folder");
}

/* A source that is started again must not write to the base of its clones. */
static void test_not_protected(void **state)
{
    char *before;

    (void)state;
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    fake->cannot_protect = true;
    before = fake_snapshot();
    assert_int_equal(fork_it(s, s->src), XENFORK_E_DISK);
    assert_text("immutable");
    assert_text("script=block-fork");
    assert_true(fake_is_same(before, "refused"));
    free(before);
}

/* Anybody may open the folder of the images, and lock it. */
static void test_folder_locked(void **state)
{
    int fd = open(at("b"), O_RDONLY | O_DIRECTORY);

    (void)state;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    alarm(10);
    assert_int_equal(attach(at("b/real.img"), 'w'), 0);
    alarm(0);
    close(fd);
}

static void damage(const char *record)
{
    FILE *f = fopen(record, "r+");

    assert_non_null(f);
    assert_int_equal(fputs("damaged", f) >= 0 && fclose(f) == 0, true);
}

/* Damage the record of the head of a disk, or of a clone's. */
static void damage_record(const char *path)
{
    struct xenfork__thin *thin = NULL;

    assert_int_equal(xenfork__thin_peek(s->ctx, path, &thin), 0);
    damage(thin->record);
    xenfork__thin_close(thin);
}

/* Damage the descriptors of the clones and of their base. */
static void damage_all_but(const char *path)
{
    char pattern[PATH];
    glob_t found;
    size_t i;

    fake_copy_string(pattern, sizeof(pattern), clone_path(0));
    strcpy(strrchr(pattern, '/'), "/*.thin");
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    assert_int_equal(found.gl_pathc, 3);
    for (i = 0; i < found.gl_pathc; i++)
        if (strcmp(found.gl_pathv[i], path))
            damage(found.gl_pathv[i]);
    globfree(&found);
}

/* A head that cannot be read stops its own disk alone. */
static void test_damaged_head(void **state)
{
    (void)state;
    make_file("b/second.img");
    use_disk("b/real.img");
    assert_int_equal(fork_it(s, s->src), 0);
    reboot();
    damage_record(at("b/real.img"));
    assert_int_equal(attach(at("b/real.img"), 'w'), XENFORK_E_STATE);
    assert_int_equal(attach(clone_path(0), 'w'), 0);
    assert_int_equal(attach(at("b/second.img"), 'w'), 0);
    assert_string_equal(type_of(at("b/second.img")), "linear");
    assert_int_equal(xenfork__thin_detach(s->ctx, at("b/second.img"), NULL), 0);
    /* Nor by its inode alone, or its name. */
    assert_int_equal(rename(at("b/real.img"), at("b/third.img")), 0);
    assert_int_equal(attach(at("b/third.img"), 'w'), XENFORK_E_STATE);
    assert_int_equal(rename(at("b/second.img"), at("b/real.img")), 0);
    assert_int_equal(attach(at("b/real.img"), 'w'), XENFORK_E_STATE);
    assert_int_equal(rename(at("b/real.img"), at("b/second.img")), 0);
    assert_int_equal(rename(at("b/third.img"), at("b/real.img")), 0);
    /* What was written since the fork is kept with the base. */
    reboot();
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-1", 0), 0);
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_true(fake_is_protected(at("b/real.img")));
    assert_int_equal(access(at("b/.xenfork"), F_OK), 0);
}

/* A clone's: nothing is freed or written that may back its disk. */
static void test_damaged_clone(void **state)
{
    (void)state;
    make_file("b/second.img");
    use_disk("b/real.img");
    assert_int_equal(fork_it(s, s->src), 0);
    reboot();
    damage_all_but(clone_path(1));
    assert_int_equal(attach(clone_path(0), 'w'), XENFORK_E_STATE);
    assert_int_equal(attach(clone_path(1), 'w'), 0);
    assert_int_equal(attach(at("b/second.img"), 'w'), 0);
    assert_string_equal(type_of(at("b/second.img")), "linear");
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_true(fake_is_protected(at("b/real.img")));
    assert_int_equal(xenfork__thin_write_back(s->ctx, at("b/real.img")),
                     XENFORK_E_INUSE);
    assert_text("is unreadable");
    assert_int_equal(attach(at("b/real.img"), 'w'), 0);
    assert_string_equal(type_of(at("b/real.img")), "thin");
    assert_string_equal(fake->violation, "");
}

/* A device does not show whether it backs others: it is not written. */
static void test_damaged_on_device(void **state)
{
    (void)state;
    make_file("dev/sdb");
    make_file("dev/sdb1");
    snprintf(fake->overlapping[0], FAKE_PATH, "%s", at("dev/sdb"));
    snprintf(fake->overlapping[1], FAKE_PATH, "%s", at("dev/sdb1"));
    use_disk("dev/sdb");
    assert_int_equal(fork_it(s, s->src), 0);
    reboot();
    assert_int_equal(attach(at("dev/sdb1"), 'w'), XENFORK_E_INUSE);
    damage_all_but("");
    assert_int_equal(attach(at("dev/sdb1"), 'w'), 0);
    assert_string_equal(type_of(at("dev/sdb1")), "thin");
}

/* The source of the clone may not write again, either. */
static void test_damaged_frozen(void **state)
{
    (void)state;
    fake_copy_string(fake_domain(s->src)->disks[0].path, FAKE_PATH,
                     at("b/real.img"));
    assert_int_equal(xenfork_freeze(s->ctx, s->src, 1000), 0);
    assert_int_equal(mkdir(at("b/.xenfork"), 0700), 0);
    write_record("b/.xenfork/x.thin", "other.img");
    damage(at("b/.xenfork/x.thin"));
    assert_int_equal(fork_it(s, s->src), 0);
    damage_record(clone_path(0));
    assert_int_equal(xenfork_clone_destroy(s->ctx, "src-2", 0), 0);
    assert_int_equal(xenfork_thaw(s->ctx, s->src), XENFORK_E_INUSE);
    assert_text("is unreadable");
    assert_true(fake_is_protected(at("b/real.img")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fork_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_link_to_file),   TEST(test_link_to_folder),
        TEST(test_hard_link),      TEST(test_hard_link_elsewhere),
        TEST(test_device),         TEST(test_partition),
        TEST(test_two_pools),      TEST(test_copied),
        TEST(test_other_pool),     TEST(test_replaced),
        TEST(test_foreign_folder), TEST(test_not_protected),
        TEST(test_folder_locked),  TEST(test_damaged_head),
        TEST(test_damaged_clone),  TEST(test_damaged_on_device),
        TEST(test_damaged_frozen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
