/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzz the parsers of arguments. */
#include "config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "xl-plugin/args.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1); /* exact, for the address sanitizer */
    struct reserve_arg reserve;
    struct nic_arg nic;
    uint8_t uuid[16];
    uint8_t mac[6];
    uint64_t value;
    int link;

    if (!text)
        return 0;
    memcpy(text, data, len);
    text[len] = '\0';
    if (parse_number(text, 5, 1000, &value) && (value < 5 || value > 1000))
        abort();
    if (parse_nic(text, &nic) && !memchr(nic.bridge, 0, sizeof(nic.bridge)))
        abort();
    if (parse_reserve(text, &reserve) && reserve.is_percent &&
        reserve.value > 100)
        abort();
    parse_mac(text, mac);
    parse_mac_prefix(text, mac);
    parse_uuid(text, uuid);
    parse_link(text, &link);
    free(text);
    return 0;
}
