/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * "xl-fork fork-guard VERB DOMAIN [WHERE]", which front.c runs before a verb of
 * Xen's own xl, where there are images or clones: is it one that would spoil
 * an image?  A clone that is about to leave has that recorded.  Nobody calls
 * this by hand; whatever fails here is left to the real xl to say.
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

static void note_leave(xenfork_ctx *ctx, const char *verb, const char *name,
                       const char *where)
{
    char text[256];

    snprintf(text, sizeof(text), "%s %s",
             strcmp(verb, "migrate") == 0 ? "migrated to" : "saved in", where);
    /* front.c, which becomes the real xl */
    xenfork_clone_leaves(ctx, name, text, (uint32_t)getppid());
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

static int main_fork_guard(int argc, char **argv)
{
    xenfork_ctx *ctx = NULL;
    int status = EXIT_DONE;
    char number[16];
    const char *name = argc < 3 ? "" : read_as_xl(argv[2], number);
    uint32_t domid;

    if (argc < 3 || xenfork_open(&ctx, NULL, 0) < 0)
        return EXIT_DONE;
    if (xenfork_image_find(ctx, name, &domid) == 0)
        status = refuse_verb(argv[1], name);
    else if (argc > 3)
        note_leave(ctx, argv[1], name, argv[3]);
    xenfork_close(ctx);
    return status;
}

const struct cmd cmd_fork_guard = {
    .name = "fork-guard",
    .run = main_fork_guard,
    .usage = "VERB DOMAIN [WHERE]",
    .help = "Of xl's own\n",
};
