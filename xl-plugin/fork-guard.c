/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "xl-fork fork-guard VERB DOMAIN [WHERE]", which front.c runs before a verb of
 * Xen's own xl, where there are images or clones: is it one that would spoil
 * an image?  A clone that is about to leave has that recorded, or else stays:
 * without the note its disks could be removed while it uses them elsewhere.
 * Nobody calls this by hand; that there is no such domain is left to the real
 * xl to say.  "xl-fork fork-guard images" prints the domids of images.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "exitcodes.h"
#include "session.h"

static int refuse_verb(const char *verb, const char *name)
{
    fprintf(
        stderr,
        "xl: %s is an image of xenfork, from which clones are made and which "
        "must never run: xl %s would spoil it\n",
        name, verb);
    if (strcmp(verb, "destroy") == 0 || strcmp(verb, "shutdown") == 0)
        fprintf(stderr, "xl: xl fork-image-destroy %s destroys it\n", name);
    else
        fprintf(stderr, "xl: xl fork %s makes a clone, which runs\n", name);
    return EXIT_REFUSED;
}

/* Refuse to begin: the reason has been printed. */
static int refuse_leave(const char *verb, const char *name)
{
    fprintf(stderr,
            "xl: xl %s was not begun: without a note that clone %s leaves, xl "
            "fork-destroy would remove disks that are in use elsewhere\n",
            verb, name);
    return EXIT_REFUSED;
}

static int note_leave(xenfork_ctx *ctx, const char *verb, const char *name,
                      const char *where)
{
    const char *how = strcmp(verb, "migrate") == 0 ? "migrated to"
                      : strcmp(verb, "remus") == 0 ? "replicated to"
                                                   : "saved in";
    char text[256];
    int rc;

    snprintf(text, sizeof(text), "%s %s", how, where);
    /* front.c, which becomes the real xl */
    rc = xenfork_clone_leaves(ctx, name, text, (uint32_t)getppid());
    if (rc == 0 || rc == XENFORK_E_NOTFOUND || rc == XENFORK_E_NOTOURS)
        return EXIT_DONE;
    session_failed(ctx, rc);
    return refuse_leave(verb, name);
}

/*
 * Read a number as libxl does: libxl_domain_qualifier_to_domid() cuts it to 32
 * bits, so that 4294967299 is 3.  Else the name.
 */
static const char *read_as_xl(const char *name, char number_out[16])
{
    if (!name[0] || strspn(name, "0123456789") != strlen(name))
        return name;
    snprintf(number_out, 16, "%u", (unsigned int)strtoul(name, NULL, 10));
    return number_out;
}

static int guard_domain(xenfork_ctx *ctx, const char *verb, const char *name,
                        const char *where)
{
    uint32_t domid;
    int rc = xenfork_image_find(ctx, name, &domid);

    if (rc == 0)
        return refuse_verb(verb, name);
    if (rc == XENFORK_E_NOTFOUND)
        return where ? note_leave(ctx, verb, name, where) : EXIT_DONE;
    session_failed(ctx, rc);
    fprintf(stderr,
            "xl: cannot tell whether %s is an image of xenfork, which "
            "xl %s would spoil\n",
            name, verb);
    return EXIT_REFUSED;
}

static int print_images(void)
{
    xenfork_ctx *ctx = NULL;
    xenfork_list *list = NULL;
    uint32_t i, domid;
    int rc = xenfork_open(&ctx, NULL, 0);

    if (rc == 0)
        rc = xenfork_list_open(ctx, 0, &list);
    for (i = 0; rc == 0 && i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        domid = xenfork_entry_domid(entry);
        if (xenfork_entry_kind(entry) == XENFORK_KIND_IMAGE &&
            domid != XENFORK_DOMID_NONE)
            printf("%u\n", domid);
    }
    xenfork_list_free(list);
    xenfork_close(ctx);
    return rc == 0 && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int main_fork_guard(int argc, char **argv)
{
    xenfork_ctx *ctx = NULL;
    int status, rc;
    char number[16];
    const char *name = argc < 3 ? "" : read_as_xl(argv[2], number);

    if (argc == 2 && strcmp(argv[1], "images") == 0)
        return print_images();
    if (argc < 3)
        return EXIT_DONE;
    rc = xenfork_open(&ctx, NULL, 0);
    if (rc < 0) {
        /* The real xl cannot open them, either. */
        if (argc == 3)
            return EXIT_DONE;
        fprintf(stderr, "xl: cannot open Xen's interfaces (%s)\n",
                xenfork_code_name(rc));
        return refuse_leave(argv[1], name);
    }
    status = guard_domain(ctx, argv[1], name, argv[3]);
    xenfork_close(ctx);
    return status;
}

const struct cmd cmd_fork_guard = {
    .name = "fork-guard",
    .run = main_fork_guard,
    .usage = "VERB DOMAIN [WHERE] | images",
    .help = "Of xl's own\n",
};
