/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz xenfork.conf. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/conf.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char message[CONFIG_MESSAGE] = "";
    char *text = malloc(len + 1); /* exact, for the address sanitizer */
    struct config config, before;

    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    memset(&config, 0, sizeof(config));
    config_default(&config);
    before = config;
    if (!config_parse("xenfork.conf", text, len, &config, message) &&
        (!message[0] || memcmp(&before, &config, sizeof(config)) != 0))
        abort();
    free(text);
    return 0;
}
