/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "chain-scene.h"
#include "disk/qcow2/header.h"
#include "fake-xen.h"
#include "op/collapse.h"

struct fork_scene *chain;

int chain_setup(void **state)
{
    fork_setup(state);
    chain = *state;
    fake_make_qcow2(chain->src);
    chain->ctx->guard_fd = STDIN_FILENO; /* stands for the keeper's lock */
    return 0;
}

struct fake_domain *chain_src(void)
{
    return fake_domain(chain->src);
}

struct fake_disk *chain_disk(void)
{
    return &chain_src()->disks[0];
}

uint32_t chain_fork(void)
{
    uint32_t domid;

    xenfork_result_free(chain->result);
    chain->result = NULL;
    fake->keeper_count = 0;
    assert_int_equal(fork_it(chain, chain->src), 0);
    domid = xenfork_clone_domid(xenfork_result_clone(chain->result, 0));
    return domid;
}

void chain_destroy_clones(void)
{
    uint32_t i;

    for (i = 0; i < FAKE_DOMAINS; i++) {
        struct fake_domain *d = &fake->domains[i];
        char name[FAKE_NAME];

        if (!d->domid || !d->parent)
            continue;
        fake_copy_string(name, sizeof(name), d->name);
        assert_int_equal(xenfork_clone_destroy(chain->ctx, name, 0), 0);
    }
}

uint32_t chain_depth(void)
{
    char *path = strdup(chain_disk()->path);
    uint32_t n = 0;

    while (path) {
        char *parent = NULL;

        assert_int_equal(xenfork__qcow2_parent(chain->ctx, path, &parent), 0);
        free(path);
        path = parent;
        n++;
    }
    return n;
}

uint32_t chain_collapse(void)
{
    uint32_t n = 0;
    bool again = true;

    for (; again && n < 100; n++)
        assert_int_equal(
            xenfork__collapse(chain->ctx, chain_src()->uuid, &again), 0);
    return n;
}

uint32_t chain_bases(void)
{
    xenfork_list *list;
    uint32_t i, n = 0;

    assert_int_equal(xenfork_list_open(chain->ctx, XENFORK_LIST_BASES, &list),
                     0);
    for (i = 0; i < xenfork_list_entry_count(list); i++)
        if (xenfork_entry_kind(xenfork_list_entry(list, i)) ==
            XENFORK_KIND_BASE) {
            n++;
            assert_null(xenfork_entry_name(xenfork_list_entry(list, i)));
            assert_string_equal(xenfork_disk_vdev(xenfork_entry_disk(
                                    xenfork_list_entry(list, i), 0)),
                                "xvda");
            assert_string_equal(xenfork_disk_driver(xenfork_entry_disk(
                                    xenfork_list_entry(list, i), 0)),
                                "qcow2");
            assert_int_equal(xenfork_entry_domid(xenfork_list_entry(list, i)),
                             XENFORK_DOMID_NONE);
        }
    xenfork_list_free(list);
    return n;
}
