/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/ids.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/internal.h"

#define DOMID_MAX 0x7fefU /* DOMID_FIRST_RESERVED - 1, xen/public/xen.h */

static const char in_names[] = "abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

bool xenfork__name_is_valid(const char *name)
{
    size_t n = strlen(name);

    /* xl takes a number for a domid; a leading '-' for an option. */
    return n >= 1 && n <= XENFORK__NAME_MAX && strspn(name, in_names) == n &&
           name[0] != '-' && strspn(name, "0123456789") != n;
}

void xenfork__name_stem(const char *name, size_t chars,
                        char stem_out[XENFORK__NAME_MAX + 1])
{
    size_t n = 0;

    for (; *name && n < chars; name++) {
        if (*name && strchr(in_names, *name) && (n || *name != '-'))
            stem_out[n++] = *name;
        else if (((unsigned char)*name & 0xc0) != 0x80 || !n ||
                 stem_out[n - 1] != '_')
            stem_out[n++] = '_'; /* one for all bytes of a UTF-8 character */
    }
    if (!n)
        stem_out[n++] = '_';
    stem_out[n] = '\0';
}

bool xenfork__param_key_is_valid(const char *key)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t n = strlen(key);

    return n >= 1 && n <= XENFORK_MAX_PARAM_KEY && strspn(key, allowed) == n &&
           key[0] != '.';
}

bool xenfork__bridge_is_valid(const char *bridge)
{
    size_t n = strlen(bridge);
    size_t i;

    /* dev_valid_name() in Linux' net/core/dev.c */
    if (n < 1 || n > 15 || !strcmp(bridge, ".") || !strcmp(bridge, ".."))
        return false;
    for (i = 0; i < n; i++)
        if (bridge[i] <= ' ' || bridge[i] == '/' || bridge[i] == ':' ||
            bridge[i] == 0x7f)
            return false;
    return true;
}

void xenfork__clean(const char *bytes, size_t count, char *text_out,
                    size_t text_bytes)
{
    size_t i, n = count < text_bytes ? count : text_bytes - 1;

    for (i = 0; i < n; i++)
        text_out[i] = bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?';
    text_out[n] = '\0';
}

bool xenfork__parse_u64(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;
    const char *p;

    for (p = text; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    if (p == text || *p)
        return false;
    *value_out = value;
    return true;
}

bool xenfork__parse_u32(const char *text, uint32_t *value_out)
{
    uint64_t value;

    if (!xenfork__parse_u64(text, &value) || value > UINT32_MAX)
        return false;
    *value_out = (uint32_t)value;
    return true;
}

bool xenfork__domid_parse(const char *text, uint32_t *domid_out)
{
    uint32_t number;

    if (!xenfork__parse_u32(text, &number) || number > DOMID_MAX)
        return false;
    *domid_out = number;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool hex_byte(const char *text, uint8_t *byte_out)
{
    int high = hex_digit(text[0]);
    int low = high < 0 ? -1 : hex_digit(text[1]);

    if (low < 0)
        return false;
    *byte_out = (uint8_t)(high << 4 | low);
    return true;
}

bool xenfork__uuid_parse(const char *text, uint8_t uuid_out[16])
{
    uint8_t uuid[16];
    size_t i;

    if (strlen(text) != XENFORK__UUID_CHARS - 1)
        return false;
    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            if (*text++ != '-')
                return false;
        if (!hex_byte(text, &uuid[i]))
            return false;
        text += 2;
    }
    memcpy(uuid_out, uuid, sizeof(uuid));
    return true;
}

void xenfork__uuid_print(const uint8_t uuid[16],
                         char text_out[XENFORK__UUID_CHARS])
{
    size_t i, used = 0;

    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text_out[used++] = '-';
        snprintf(text_out + used, 3, "%02x", uuid[i]);
        used += 2;
    }
}

int xenfork__uuid_random(xenfork_ctx *ctx, uint8_t uuid_out[16])
{
    uint8_t uuid[16];

    if (getrandom(uuid, sizeof(uuid), 0) != (ssize_t)sizeof(uuid))
        return xenfork__fail(ctx, XENFORK_E_IO, errno,
                             "cannot draw a random UUID");
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40);
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
    memcpy(uuid_out, uuid, sizeof(uuid));
    return 0;
}

bool xenfork__random_hex(char *text_out, size_t bytes)
{
    uint8_t random[128];
    size_t i;
    bool ok = bytes <= sizeof(random) &&
              getrandom(random, bytes, 0) == (ssize_t)bytes;

    for (i = 0; ok && i < bytes; i++)
        snprintf(text_out + 2 * i, 3, "%02x", random[i]);
    explicit_bzero(random, sizeof(random));
    return ok;
}

bool xenfork__mac_is_valid(const uint8_t mac[6])
{
    static const uint8_t zero[6];

    return !(mac[0] & 1) && memcmp(mac, zero, 6);
}

bool xenfork__mac_parse(const char *text, uint8_t mac_out[6])
{
    uint8_t mac[6];
    size_t i;

    if (strlen(text) != XENFORK__MAC_CHARS - 1)
        return false;
    for (i = 0; i < 6; i++)
        if (!hex_byte(text + 3 * i, &mac[i]) ||
            (i < 5 && text[3 * i + 2] != ':'))
            return false;
    memcpy(mac_out, mac, sizeof(mac));
    return true;
}

void xenfork__mac_print(const uint8_t mac[6], char text_out[XENFORK__MAC_CHARS])
{
    snprintf(text_out, XENFORK__MAC_CHARS, "%02x:%02x:%02x:%02x:%02x:%02x",
             mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void xenfork__vif_print(uint32_t domid, int devid,
                        char text_out[XENFORK__VIF_CHARS])
{
    snprintf(text_out, XENFORK__VIF_CHARS, "vif%u.%d", domid, devid);
}

bool xenfork__mac_is_among(const uint8_t mac[6], const uint8_t *macs,
                           size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (!memcmp(mac, macs + 6 * i, 6))
            return true;
    return false;
}

bool xenfork__mac_random(const uint8_t prefix[3], const uint8_t *macs,
                         size_t count, uint8_t mac_out[6])
{
    uint8_t mac[6] = {prefix[0], prefix[1], prefix[2]};
    unsigned int tries;

    for (tries = 0; tries < 1000; tries++) {
        if (getrandom(mac + 3, 3, 0) != 3)
            return false;
        /* libxl keeps to the lower half too: libxl_nic.c, 4.17 */
        mac[3] &= 0x7f;
        if (!xenfork__mac_is_among(mac, macs, count)) {
            memcpy(mac_out, mac, sizeof(mac));
            return true;
        }
    }
    return false;
}
