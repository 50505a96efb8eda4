/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names, numbers, UUIDs and MACs: checked, printed, drawn. */
#ifndef LIBFORK_BASE_IDS_H
#define LIBFORK_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xenfork.h"

#define XENFORK__NAME_MAX   63U
#define XENFORK__UUID_CHARS 37U /* with dashes and the final NUL */
#define XENFORK__MAC_CHARS  18U
#define XENFORK__VIF_CHARS  16U

/* Check a domain name that we make: [A-Za-z0-9._-]{1,63}, not a number. */
bool xenfork__name_is_valid(const char *name);
/*
 * Make the beginning of a name out of one that was not chosen by us: each
 * character that our names cannot have becomes a '_'. chars < XENFORK__NAME_MAX
 */
void xenfork__name_stem(const char *name, size_t chars,
                        char stem_out[XENFORK__NAME_MAX + 1]);
bool xenfork__bridge_is_valid(const char *bridge);

/*
 * Check the name of a parameter of a clone: [A-Za-z0-9._-]{1,64}, no leading
 * dot.
 */
bool xenfork__param_key_is_valid(const char *key);

/*
 * Clean a text: printable ASCII, at most what fits; every other byte becomes a
 * question mark.
 */
void xenfork__clean(const char *bytes, size_t count, char *text_out,
                    size_t text_bytes);

/* Parse a text that is a decimal number below 2^64 and nothing else. */
bool xenfork__parse_u64(const char *text, uint64_t *value_out);
/* Parse one below 2^32. */
bool xenfork__parse_u32(const char *text, uint32_t *value_out);
/* Parse a domid in decimal; false also for numbers that no domain has. */
bool xenfork__domid_parse(const char *text, uint32_t *domid_out);

bool xenfork__uuid_parse(const char *text, uint8_t uuid_out[16]);
void xenfork__uuid_print(const uint8_t uuid[16],
                         char text_out[XENFORK__UUID_CHARS]);
/* Make a random UUID, version 4.  IO: the system has no entropy source */
int xenfork__uuid_random(xenfork_ctx *ctx, uint8_t uuid_out[16]);

/*
 * Return bytes of the system's entropy source as hexadecimal digits.  False:
 * there is none
 */
bool xenfork__random_hex(char *text_out, size_t bytes);

bool xenfork__mac_is_valid(const uint8_t mac[6]);
bool xenfork__mac_parse(const char *text, uint8_t mac_out[6]);
void xenfork__mac_print(const uint8_t mac[6],
                        char text_out[XENFORK__MAC_CHARS]);
/* Return the name of the host side of a NIC, as libxl names it. */
void xenfork__vif_print(uint32_t domid, int devid,
                        char text_out[XENFORK__VIF_CHARS]);
bool xenfork__mac_is_among(const uint8_t mac[6], const uint8_t *macs,
                           size_t count);
/* Draw a MAC with this prefix that is none of @macs (count * 6 bytes). */
bool xenfork__mac_random(const uint8_t prefix[3], const uint8_t *macs,
                         size_t count, uint8_t mac_out[6]);

#endif
