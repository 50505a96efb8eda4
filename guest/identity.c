/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent.h"
#include "util.h"

#define TRIES_MAX 8

static bool is_word(const char *text)
{
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '-')
            return false;
    return true;
}

static bool is_plain(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            return false;
    return true;
}

/* Read a node; one that is absent, or malformed, is "". */
static int read_node(struct store *store, const char *path,
                     bool (*is_valid)(const char *text), char *value_out,
                     size_t value_bytes)
{
    int rc = store_read(store, path, value_out, value_bytes);

    if (rc == 0 && is_valid(value_out))
        return 0;
    value_out[0] = '\0';
    if (rc == -ENOENT)
        return 0;
    if (rc < 0 && store->fd < 0)
        return rc;
    complain("%s: %s; ignoring it", path, strerror(rc < 0 ? -rc : EINVAL));
    return 0;
}

#define READ_NODE(store, path, is_valid, field) \
    read_node(store, path, is_valid, field, sizeof(field))

bool instance_is_clone(const struct instance *instance)
{
    return !strcmp(instance->role, "clone") && instance->generation[0];
}

int instance_read_short(struct store *store, struct instance *instance_out)
{
    struct instance instance = {0};
    int rc;

    rc = READ_NODE(store, "fork/generation", is_word, instance.generation);
    if (rc == 0)
        rc = READ_NODE(store, "fork/role", is_word, instance.role);
    if (rc == 0)
        *instance_out = instance;
    return rc;
}

bool param_key_is_valid(const char *key)
{
    size_t bytes = strlen(key);

    if (bytes == 0 || bytes > PARAM_KEY_MAX || key[0] == '.')
        return false;
    for (; *key; key++)
        if (!isalnum((unsigned char)*key) && !strchr("._-", *key))
            return false;
    return true;
}

void param_variable(const char *key,
                    char name_out[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX])
{
    char *at = name_out + sizeof(PARAM_PREFIX) - 1;

    memcpy(name_out, PARAM_PREFIX, sizeof(PARAM_PREFIX) - 1);
    for (; *key; key++)
        *at++ = isalnum((unsigned char)*key)
                    ? (char)toupper((unsigned char)*key)
                    : '_';
    *at = '\0';
}

int param_read(struct store *store, const char *key, struct param *param_out)
{
    char path[sizeof("fork/params/") + PARAM_KEY_MAX];
    int rc;

    if (!param_key_is_valid(key))
        return -EINVAL;
    snprintf(path, sizeof(path), "fork/params/%s", key);
    rc = store_read(store, path, param_out->value, sizeof(param_out->value));
    if (rc == 0)
        snprintf(param_out->key, sizeof(param_out->key), "%s", key);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct param *)a)->key,
                  ((const struct param *)b)->key);
}

static int read_params(struct store *store, struct instance *instance)
{
    char names[STORE_PAYLOAD_MAX];
    size_t bytes, at;
    int rc = store_list(store, "fork/params", names, &bytes);

    if (rc == -ENOENT)
        return 0;
    if (rc < 0 && store->fd >= 0) {
        complain("fork/params: %s", strerror(-rc));
        instance->param_rc = rc;
        return 0;
    }
    if (rc < 0)
        return rc;
    instance->params = calloc(PARAMS_MAX, sizeof(*instance->params));
    if (!instance->params)
        return -ENOMEM;
    for (at = 0; at < bytes; at += strlen(names + at) + 1) {
        struct param *param = &instance->params[instance->param_count];

        if (instance->param_count == PARAMS_MAX) {
            complain("more than %d parameters; ignoring the rest", PARAMS_MAX);
            instance->param_rc = -E2BIG;
            break;
        }
        rc = param_read(store, names + at, param);
        if (rc == 0)
            instance->param_count++;
        else if (store->fd < 0)
            return rc;
        else {
            complain("a parameter: %s; ignoring it", strerror(-rc));
            instance->param_rc = rc;
        }
    }
    qsort(instance->params, instance->param_count, sizeof(*instance->params),
          by_key);
    return 0;
}

static int read_rest(struct store *store, struct instance *instance)
{
    int rc;

    rc = READ_NODE(store, "fork/source", is_plain, instance->source);
    if (rc == 0)
        rc = READ_NODE(store, "fork/index", is_word, instance->index);
    if (rc == 0)
        rc = READ_NODE(store, "fork/source-macs", is_plain,
                       instance->source_macs);
    if (rc == 0)
        rc = READ_NODE(store, "name", is_plain, instance->name);
    if (rc == 0)
        rc = read_params(store, instance);
    return rc;
}

/* Read everything; after a fork between two reads, start again. */
int instance_read(struct store *store, struct instance *instance_out)
{
    struct instance again;
    int tries;

    for (tries = 0; tries < TRIES_MAX; tries++) {
        struct instance instance = {0};
        int rc = instance_read_short(store, &instance);

        if (rc == 0)
            rc = read_rest(store, &instance);
        if (rc == 0)
            rc = instance_read_short(store, &again);
        if (rc == 0 && !strcmp(instance.generation, again.generation)) {
            *instance_out = instance;
            return 0;
        }
        instance_free(&instance);
        if (rc < 0)
            return rc;
    }
    return -EAGAIN;
}

void instance_free(struct instance *instance)
{
    free(instance->params);
    instance->params = NULL;
    instance->param_count = 0;
}
