/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz what xenstore answers to the guest's agent. */
#include "config.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "guest/agent.h"
#include "guest/identity.h"
#include "guest/random.h"
#include "guest/store.h"
#include "guest/util.h"

#define INPUT_MAX 32768 /* fits into a socket without anybody reading */

/* Stands in for main.c, which is not linked. */
void complain(const char *format, ...)
{
    (void)format;
}

long long now_ms(void)
{
    return 0;
}

static void check_instance(const struct instance *instance)
{
    size_t i;

    for (i = 0; i < instance->param_count; i++) {
        const struct param *param = &instance->params[i];
        char variable[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX];

        if (!param_key_is_valid(param->key))
            abort();
        param_variable(param->key, variable);
        if (strlen(param->value) > PARAM_VALUE_MAX ||
            strlen(variable) != strlen(PARAM_PREFIX) + strlen(param->key))
            abort();
    }
    if (instance->param_count > PARAMS_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char names[STORE_PAYLOAD_MAX];
    struct instance instance;
    struct store store;
    int fds[2];
    size_t bytes;

    if (len > INPUT_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 0;
    if (write(fds[1], data, len) != (ssize_t)len ||
        shutdown(fds[1], SHUT_WR) < 0 || fcntl(fds[0], F_SETFL, O_NONBLOCK) < 0)
        abort();
    store_attach(&store, fds[0]);
    if (instance_read(&store, &instance) == 0) {
        check_instance(&instance);
        instance_free(&instance);
    }
    random_reseed(&store, "/dev/null", "generation");
    if (store_list(&store, "fork/params", names, &bytes) == 0 &&
        bytes > sizeof(names))
        abort();
    store_wait(&store, 0);
    store_close(&store);
    close(fds[1]);
    return 0;
}
