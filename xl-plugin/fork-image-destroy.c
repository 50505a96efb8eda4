/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xl fork-image-destroy */
#include "config.h"

#include "cmd.h"
#include "run.h"

static int main_fork_image_destroy(int argc, char **argv)
{
    return run_named(argc, argv, &cmd_fork_image_destroy, 1,
                     xenfork_image_destroy);
}

const struct cmd cmd_fork_image_destroy = {
    .name = "fork-image-destroy",
    .run = main_fork_image_destroy,
    .usage = "IMAGE",
    .help = "Destroy an image\n"
            "\n"
            "Clones that still depend on it are hydrated first.  It is\n"
            "refused if one of them was forked with hydrate=never.\n"
            "\n"
            "Never use xl destroy on an image: it kills the clones that still\n"
            "depend on the image.\n"
            "\n"
            "  -v, --verbose  show each stage; twice: every call to Xen\n"
            "  -h, --help     this text\n"
            "\n"
            "Exit status: 0 done; 1 failed; 2 usage; 3 failed and something\n"
            "is left.\n",
};
