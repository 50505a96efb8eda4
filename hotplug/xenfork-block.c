/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenfork-block attach TARGET r|w|!   prints the device's node
 * xenfork-block detach TARGET [NODE]  that node, whatever TARGET is by now
 * xenfork-block status TARGET
 * xenfork-block write-back TARGET     into its file, however long it takes
 * xenfork-block watch FOLDER          for pools of thin devices
 *
 * An error is one line on standard error.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "target.h"

/* The last one takes all. */
static const struct target *const targets[] = {
    &target_vhd,
    &target_thin,
};

static const struct target *find_target(const char **name)
{
    size_t i = 0;

    while (strncmp(*name, targets[i]->prefix, strlen(targets[i]->prefix)))
        i++;
    *name += strlen(targets[i]->prefix);
    return targets[i];
}

static int attach_target(xenfork_ctx *ctx, const struct target *target,
                         const char *name, const char *mode)
{
    cleanup_free char *node = NULL;
    int rc;

    if (strlen(mode) != 1 || !strchr("rw!", *mode))
        return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                             "not a mode, which is r, w or !: %s", mode);
    rc = target->attach(ctx, name, *mode, &node);
    if (rc == 0)
        puts(node);
    return rc;
}

static int print_status(xenfork_ctx *ctx, const struct target *target,
                        const char *name)
{
    cleanup_free char *text = NULL;
    int rc = target->status(ctx, name, &text);

    if (rc == 0)
        puts(text);
    return rc;
}

/* Expand the name of a device as Xen's own script does, expand_dev(). */
static int expand(xenfork_ctx *ctx, const struct target *target,
                  const char **name, char **expanded)
{
    if (target->prefix[0] || !**name || **name == '/')
        return 0;
    if (asprintf(expanded, "/dev/%s", *name) < 0) {
        *expanded = NULL;
        return xenfork__nomem(ctx);
    }
    *name = *expanded;
    return 0;
}

static int run_verb(xenfork_ctx *ctx, int argc, char **argv)
{
    cleanup_free char *expanded = NULL;
    const char *name = argc > 2 ? argv[2] : "";
    const struct target *target = find_target(&name);
    int rc = expand(ctx, target, &name, &expanded);

    if (rc < 0)
        return rc;
    if (argc == 4 && !strcmp(argv[1], "attach"))
        return attach_target(ctx, target, name, argv[3]);
    if ((argc == 3 || argc == 4) && !strcmp(argv[1], "detach"))
        return target->detach(ctx, name, argv[3]);
    if (argc == 3 && !strcmp(argv[1], "status"))
        return print_status(ctx, target, name);
    if (argc == 3 && !strcmp(argv[1], "write-back") && target->write_back)
        return target->write_back(ctx, name);
    if (argc == 3 && !strcmp(argv[1], "watch"))
        return watch_pool(ctx, argv[2]);
    return xenfork__fail(ctx, XENFORK_E_INVAL, 0,
                         "usage: xenfork-block attach TARGET r|w|!, "
                         "or detach, status or write-back TARGET, "
                         "or watch FOLDER");
}

int main(int argc, char **argv)
{
    char state_dir[] = XENFORK_STATE_DIR;
    xenfork_ctx ctx;
    int rc;

    xenfork__ctx_begin(&ctx, state_dir);
    rc = run_verb(&ctx, argc, argv);
    if (rc == 0)
        return 0;
    fprintf(stderr, "xenfork-block: %s%s%s\n", ctx.error.text,
            ctx.error.remedy[0] ? "; " : "", ctx.error.remedy);
    return rc == XENFORK_E_INVAL ? 2 : 1;
}
