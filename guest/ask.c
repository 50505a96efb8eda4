/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* xenfork-agent role, params and get. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "identity.h"
#include "util.h"

int run_role(struct store *store)
{
    struct instance instance;
    int rc = instance_read_short(store, &instance);

    if (rc < 0) {
        complain("cannot read fork/role: %s", strerror(-rc));
        return AGENT_FAILED;
    }
    puts(instance.role[0] ? instance.role : "none");
    return AGENT_DONE;
}

/*
 * Print a value in single quotes, in which nothing is special to a shell but
 * their end.
 */
static void print_quoted(const char *value)
{
    putchar('\'');
    for (; *value; value++) {
        if (*value == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*value);
    }
    putchar('\'');
}

int run_params(struct store *store, const struct options *options)
{
    struct instance instance;
    int rc = instance_read(store, &instance);
    size_t i;

    if (rc < 0) {
        complain("cannot read fork/params: %s", strerror(-rc));
        return AGENT_FAILED;
    }
    for (i = 0; i < instance.param_count; i++) {
        const struct param *param = &instance.params[i];
        char variable[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX];

        param_variable(param->key, variable);
        printf("%s=", options->is_eval ? variable : param->key);
        print_quoted(param->value);
        putchar('\n');
    }
    instance_free(&instance);
    return AGENT_DONE;
}

int run_get(struct store *store, const char *key)
{
    struct param param;
    int rc = param_read(store, key, &param);

    if (rc == -EINVAL) {
        complain("not the name of a parameter: %s", key);
        return AGENT_USAGE;
    }
    if (rc == -ENOENT) {
        complain("no such parameter: %s", key);
        return AGENT_FAILED;
    }
    if (rc < 0) {
        complain("cannot read fork/params/%s: %s", key, strerror(-rc));
        return AGENT_FAILED;
    }
    puts(param.value);
    return AGENT_DONE;
}
