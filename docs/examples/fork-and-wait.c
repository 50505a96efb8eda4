/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fork a domain, wait until the clone is ready, print its memory, destroy it:
 *
 *     cc $(pkg-config --cflags xenfork) -o fork-and-wait fork-and-wait.c \
 *         $(pkg-config --libs xenfork)
 *     ./fork-and-wait web1 60
 *
 * A clone is ready when the agent in its guest has adapted it.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <xenfork.h>

static xenfork_ctx *ctx;

/*
 * Cancel, at ^C: the operation that runs undoes what it has begun, and returns.
 */
static void cancel(int signal_number)
{
    (void)signal_number;
    xenfork_cancel(ctx);
}

/* Say why the last call has failed, and what can be done about it. */
static void complain(const char *what, int rc)
{
    const char *remedy = xenfork_error_remedy(ctx);

    fprintf(stderr, "%s: %s: %s\n", what, xenfork_code_name(rc),
            xenfork_error_text(ctx));
    if (*remedy)
        fprintf(stderr, "%s: %s\n", what, remedy);
}

/* Make one clone of a source, with defaults for everything. */
static int fork_one(const char *source, xenfork_result **result_out)
{
    xenfork_spec *spec = NULL;
    uint32_t domid;
    int rc;

    rc = xenfork_spec_new(1, &spec);
    if (rc < 0) {
        fprintf(stderr, "%s: %s\n", source, xenfork_code_name(rc));
        return rc;
    }
    rc = xenfork_find(ctx, source, &domid);
    if (rc == 0)
        rc = xenfork_fork(ctx, domid, spec, result_out);
    if (rc < 0)
        complain(source, rc);
    xenfork_spec_free(spec);
    return rc;
}

/* Print how much of the clone's memory is shared, and how much is its own. */
static int print_memory(const xenfork_clone *clone)
{
    xenfork_list *list = NULL;
    uint32_t i;
    int rc;

    rc = xenfork_list_open(ctx, 0, &list);
    if (rc < 0) {
        complain(xenfork_clone_name(clone), rc);
        return rc;
    }
    for (i = 0; i < xenfork_list_entry_count(list); i++) {
        const xenfork_entry *entry = xenfork_list_entry(list, i);

        if (xenfork_entry_kind(entry) == XENFORK_KIND_CLONE &&
            xenfork_entry_domid(entry) == xenfork_clone_domid(clone))
            printf("%s: %" PRIu64 " KiB in all, %" PRIu64 " shared, %" PRIu64
                   " its own\n",
                   xenfork_entry_name(entry), xenfork_entry_total_kib(entry),
                   xenfork_entry_shared_kib(entry),
                   xenfork_entry_private_kib(entry));
    }
    xenfork_list_free(list);
    return 0;
}

/* Use the clone that a fork has made; whatever comes of it, it is destroyed. */
static int use_clone(xenfork_result *result, uint32_t timeout_ms)
{
    const xenfork_clone *clone = xenfork_result_clone(result, 0);
    const char *name = xenfork_clone_name(clone);
    int rc, r;

    printf("%s: domain %" PRIu32 ", forked in %" PRIu64 " ms\n", name,
           xenfork_clone_domid(clone),
           xenfork_result_ns(result, XENFORK_STAGE_TOTAL) / 1000000);
    rc = xenfork_wait_ready(ctx, result, timeout_ms);
    if (rc == 0)
        printf("%s: ready after %" PRIu64 " ms\n", name,
               xenfork_clone_ns(clone, XENFORK_STAGE_READY) / 1000000);
    else
        complain(name, rc);
    if (rc == 0)
        rc = print_memory(clone);
    r = xenfork_clone_destroy(ctx, xenfork_clone_uuid(clone), 0);
    if (r < 0)
        complain(name, r);
    return rc < 0 ? rc : r;
}

int main(int argc, char **argv)
{
    unsigned long seconds = argc == 3 ? strtoul(argv[2], NULL, 10) : 60;
    xenfork_result *result = NULL;
    int rc;

    if (argc < 2 || argc > 3 || seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: fork-and-wait SOURCE [SECONDS]\n");
        return 2;
    }
    rc = xenfork_open(&ctx, NULL, 0);
    if (rc < 0) {
        fprintf(stderr, "cannot open Xen's interfaces: %s\n",
                xenfork_code_name(rc));
        return 1;
    }
    signal(SIGINT, cancel);
    rc = fork_one(argv[1], &result);
    if (rc == 0)
        rc = use_clone(result, (uint32_t)seconds * 1000);
    xenfork_result_free(result);
    signal(SIGINT, SIG_DFL);
    xenfork_close(ctx);
    return rc < 0 ? 1 : 0;
}
