/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsers of arguments. */
#include "config.h"

#include <string.h>

#include <xenfork.h>

#include "args.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool parse_number(const char *text, uint64_t min, uint64_t max,
                  uint64_t *value_out)
{
    uint64_t value = 0;
    const char *p;

    for (p = text; is_digit(*p); p++) {
        unsigned int digit = *p - '0';

        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (p == text || *p || value < min || value > max)
        return false;
    *value_out = value;
    return true;
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Parse two hexadecimal digits; -1 if they are not. */
static int hex_byte(const char *text)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);

    return low < 0 ? -1 : high * 16 + low;
}

/* Parse COUNT bytes, at most 6. */
static bool parse_bytes(const char *text, int count, uint8_t *bytes_out)
{
    uint8_t bytes[6];
    int i;

    for (i = 0; i < count; i++, text += 3) {
        int byte = hex_byte(text);

        if (byte < 0 || text[2] != (i < count - 1 ? ':' : '\0'))
            return false;
        bytes[i] = byte;
    }
    memcpy(bytes_out, bytes, count);
    return true;
}

bool parse_mac(const char *text, uint8_t mac_out[6])
{
    return parse_bytes(text, 6, mac_out);
}

bool parse_mac_prefix(const char *text, uint8_t prefix_out[3])
{
    return parse_bytes(text, 3, prefix_out);
}

bool parse_uuid(const char *text, uint8_t uuid_out[16])
{
    uint8_t uuid[16];
    int i;

    for (i = 0; i < 16; i++, text += 2) {
        int byte;

        if (i == 4 || i == 6 || i == 8 || i == 10)
            if (*text++ != '-')
                return false;
        byte = hex_byte(text);
        if (byte < 0)
            return false;
        uuid[i] = byte;
    }
    if (*text)
        return false;
    memcpy(uuid_out, uuid, sizeof(uuid));
    return true;
}

bool parse_link(const char *text, int *link_out)
{
    if (strcmp(text, "hold") == 0)
        *link_out = XENFORK_LINK_HOLD;
    else if (strcmp(text, "connect") == 0)
        *link_out = XENFORK_LINK_CONNECT;
    else if (strcmp(text, "auto") == 0)
        *link_out = XENFORK_LINK_AUTO;
    else
        return false;
    return true;
}

static bool parse_nic_key(const char *text, struct nic_arg *nic)
{
    uint64_t value;

    if (strncmp(text, "mac=", 4) == 0)
        return nic->has_mac = parse_mac(text + 4, nic->mac);
    if (strncmp(text, "link=", 5) == 0)
        return parse_link(text + 5, &nic->link);
    if (strncmp(text, "bridge=", 7) == 0) {
        text += 7;
        if (!*text || strlen(text) >= sizeof(nic->bridge))
            return false;
        strcpy(nic->bridge, text);
        return true;
    }
    if (strncmp(text, "ip=", 3) == 0) {
        text += 3;
        if (!*text || strlen(text) >= sizeof(nic->ip))
            return false;
        strcpy(nic->ip, text);
        return true;
    }
    if (strncmp(text, "clone=", 6) == 0) {
        if (!parse_number(text + 6, 1, XENFORK_MAX_CLONES, &value))
            return false;
        nic->clone = value - 1;
        return true;
    }
    return false;
}

bool parse_nic(const char *text, struct nic_arg *nic_out)
{
    struct nic_arg nic = {.clone = XENFORK_ALL, .link = LINK_UNSET};
    char buffer[128];
    char *save = NULL;
    char *word;
    uint64_t index;

    if (strlen(text) >= sizeof(buffer))
        return false;
    strcpy(buffer, text);
    word = strtok_r(buffer, ",", &save);
    if (!word || !parse_number(word, 0, UINT16_MAX, &index))
        return false;
    nic.nic = index;
    while ((word = strtok_r(NULL, ",", &save)))
        if (!parse_nic_key(word, &nic))
            return false;
    *nic_out = nic;
    return true;
}

bool parse_reserve(const char *text, struct reserve_arg *reserve_out)
{
    size_t len = strlen(text);
    uint64_t value;
    char percent[4];

    if (strcmp(text, "full") == 0) {
        *reserve_out = (struct reserve_arg){true, true, 100};
        return true;
    }
    if (len > 1 && len <= sizeof(percent) && text[len - 1] == '%') {
        memcpy(percent, text, len - 1);
        percent[len - 1] = '\0';
        if (!parse_number(percent, 0, 100, &value))
            return false;
        *reserve_out = (struct reserve_arg){true, true, value};
        return true;
    }
    if (!parse_number(text, 0, UINT64_MAX / 1024, &value))
        return false;
    *reserve_out = (struct reserve_arg){true, false, value * 1024};
    return true;
}
