/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The identity of this domain, as the toolstack tells it below fork/. */
#ifndef GUEST_IDENTITY_H
#define GUEST_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "store.h"

#define PARAM_KEY_MAX   64
#define PARAM_VALUE_MAX 1024
#define PARAMS_MAX      256
#define PARAM_PREFIX    "XENFORK_PARAM_"

struct param {
    char key[PARAM_KEY_MAX + 1];
    char value[PARAM_VALUE_MAX + 1];
};

/* Values that the toolstack did not write are "". */
struct instance {
    char role[16];       /* source, frozen or clone */
    char generation[65]; /* of letters, digits and dashes */
    char source[256];
    char index[16];
    char source_macs[STORE_PAYLOAD_MAX]; /* "DEVID=MAC …" */
    char name[256]; /* the domain's own, as in xl list */
    bool is_again; /* this system has adapted to it, and started anew */
    size_t param_count;
    struct param *params; /* by name */
    int param_rc;         /* below 0: some are missing */
};

bool instance_is_clone(const struct instance *instance);

/* Read role and generation only: there is nothing to free. */
int instance_read_short(struct store *store, struct instance *instance_out);

/* Read everything, of one generation.  Free it with instance_free(). */
int instance_read(struct store *store, struct instance *instance_out);
void instance_free(struct instance *instance);

bool param_key_is_valid(const char *key);

/* Return XENFORK_PARAM_ and the key as the name of a variable. */
void param_variable(const char *key,
                    char name_out[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX]);

/* Read a parameter.  ENOENT: no such parameter; EINVAL: no key. */
int param_read(struct store *store, const char *key, struct param *param_out);

#endif
