/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters that the agent's own hooks take, as guest/post-fork.d reads them:
 * what a guest would refuse is refused before anything is forked.  An empty
 * value is as none.
 */
#include "base/spec.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HOST_NAME_CHARS 64U /* Linux's __NEW_UTS_LEN */

struct address {
    bool is_v6;
    uint8_t bytes[16];
};

static bool parse_address(const char *text, struct address *out)
{
    *out = (struct address){.is_v6 = strchr(text, ':')};
    return inet_pton(out->is_v6 ? AF_INET6 : AF_INET, text, out->bytes) == 1;
}

static bool is_loopback(const struct address *address)
{
    static const uint8_t loopback[16] = {[15] = 1};

    return address->is_v6 ? !memcmp(address->bytes, loopback, 16)
                          : address->bytes[0] == 127;
}

/*
 * Check that one machine can have the address: it is neither a loopback nor
 * IPv4 in the form of IPv6.
 */
static bool is_unicast(const struct address *address)
{
    static const uint8_t low[10];
    const uint8_t *bytes = address->bytes;

    if (is_loopback(address))
        return false;
    if (address->is_v6)
        return bytes[0] != 0xff && memcmp(bytes, low, sizeof(low));
    return bytes[0] != 0 && bytes[0] < 224;
}

/* Check a number from 1 to @max, in plain decimal. */
static bool is_prefix(const char *text, int max)
{
    int value = 0;
    const char *at;

    for (at = text; isdigit((unsigned char)*at) && value <= max; at++)
        value = 10 * value + *at - '0';
    return at != text && !*at && text[0] != '0' && value <= max;
}

static bool is_link_local(const struct address *address)
{
    return address->is_v6 && address->bytes[0] == 0xfe &&
           (address->bytes[1] & 0xc0) == 0x80;
}

/* Tell whether all bits after the prefix have this value. */
static bool is_rest(const struct address *address, int prefix, int bit)
{
    int i, bits = address->is_v6 ? 128 : 32;

    for (i = prefix; i < bits; i++)
        if ((address->bytes[i / 8] >> (7 - i % 8) & 1) != bit)
            return false;
    return true;
}

/*
 * Tell whether it is the network's own address, which for IPv6 is that of its
 * routers, or the broadcast address.  A link of two machines has neither (RFC
 * 3021, RFC 6164).
 */
static bool is_all_of_network(const struct address *address, int prefix)
{
    if (prefix >= (address->is_v6 ? 127 : 31))
        return false;
    return is_rest(address, prefix, 0) ||
           (!address->is_v6 && is_rest(address, prefix, 1));
}

static const char *interface_fault(char *item)
{
    char *slash = strchr(item, '/');
    struct address address;

    if (slash)
        *slash = '\0';
    if (!parse_address(item, &address))
        return "not an IP address; ADDRESS/PREFIX, dhcp or keep";
    if (!is_unicast(&address) || is_link_local(&address))
        return "not an address that a clone can be given";
    if (!slash)
        return "an address needs its prefix, as in 10.0.0.7/24";
    if (!is_prefix(slash + 1, address.is_v6 ? 128 : 32))
        return "malformed prefix; 1 to 32, IPv6: 1 to 128";
    if (is_all_of_network(&address, atoi(slash + 1)))
        return "the address of a network, and of no machine";
    return NULL;
}

static const char *gateway_fault(char *item)
{
    struct address address;

    return parse_address(item, &address) && is_unicast(&address)
               ? NULL
               : "not the IP address of a gateway";
}

static const char *server_fault(char *item)
{
    struct address address;

    return parse_address(item, &address) &&
                   (is_unicast(&address) || is_loopback(&address))
               ? NULL
               : "not the IP address of a name server";
}

/* Tell whether a list with commas has this address before @end, too. */
static bool is_repeated(const char *list, const char *end, const char *item)
{
    struct address one, other;
    const char *at;

    parse_address(item, &one);
    for (at = list; at < end; at += strcspn(at, ",") + 1) {
        char text[INET6_ADDRSTRLEN] = "";

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(at, "/,"), at);
        if (parse_address(text, &other) && !memcmp(&one, &other, sizeof(one)))
            return true;
    }
    return false;
}

/* Check each element of a list with commas. */
static const char *list_fault(const char *value, const char *(*fault)(char *))
{
    char copy[XENFORK_MAX_PARAM_VALUE + 1];
    char *rest = copy, *item;
    const char *found = NULL;

    snprintf(copy, sizeof(copy), "%s", value);
    while (!found && (item = strsep(&rest, ","))) {
        found = fault(item);
        if (!found && is_repeated(value, value + (item - copy), item))
            found = "an address is in it twice";
    }
    return found;
}

static const char *ip_fault(const char *value)
{
    if (!strcmp(value, "dhcp") || !strcmp(value, "keep"))
        return NULL;
    return list_fault(value, interface_fault);
}

/* Check a label by RFC 1123: labels of letters, digits and inner dashes. */
static bool is_label(const char *text, size_t length)
{
    size_t i;

    for (i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-')
            return false;
    return length >= 1 && length <= 63 && text[0] != '-' &&
           text[length - 1] != '-';
}

static const char *hostname_fault(const char *value)
{
    struct address address;
    const char *at = value;

    if (strlen(value) > HOST_NAME_CHARS)
        return "a host name has at most 64 characters";
    for (;;) {
        size_t length = strcspn(at, ".");

        if (!is_label(at, length) || parse_address(value, &address))
            return "not a host name: letters, digits and inner dashes";
        if (!at[length])
            return NULL;
        at += length + 1;
    }
}

bool xenfork__ip_is_valid(const char *text)
{
    char copy[XENFORK__IP_CHARS + 1];
    char *slash;
    struct address address;

    if (strlen(text) > XENFORK__IP_CHARS)
        return false;
    strcpy(copy, text);
    slash = strchr(copy, '/');
    if (slash)
        *slash = '\0';
    return parse_address(copy, &address) && is_unicast(&address) &&
           (!slash || is_prefix(slash + 1, address.is_v6 ? 128 : 32));
}

XENFORK_API const char *xenfork_param_fault(const char *key, const char *value)
{
    if (!key || !value || !*value)
        return NULL;
    if (!strcasecmp(key, "hostname"))
        return hostname_fault(value);
    if (!strcasecmp(key, "ip") || !strncasecmp(key, "ip.", 3))
        return ip_fault(value);
    if (!strcasecmp(key, "gateway"))
        return list_fault(value, gateway_fault);
    if (!strcasecmp(key, "nameserver"))
        return list_fault(value, server_fault);
    return NULL;
}

bool xenfork__params_share(const char *list, const char *other)
{
    const char *at;

    for (at = list; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL)) {
        char text[INET6_ADDRSTRLEN] = "";
        struct address address;

        snprintf(text, sizeof(text), "%.*s", (int)strcspn(at, "/,"), at);
        if (parse_address(text, &address) &&
            is_repeated(other, other + strlen(other), text))
            return true;
    }
    return false;
}
