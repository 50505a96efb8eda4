/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parsers of arguments.  Outputs are untouched on failure. */
#ifndef XL_PLUGIN_ARGS_H
#define XL_PLUGIN_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#define LINK_UNSET (-1)

/* A NIC's changes: CLONE and NIC are XENFORK_ALL or an index from 0. */
struct nic_arg {
    uint32_t clone;
    uint32_t nic;
    bool has_mac;
    uint8_t mac[6];
    char bridge[16]; /* "": the source's */
    char ip[50];     /* likewise */
    int link;        /* XENFORK_LINK_* or LINK_UNSET */
};

/* Memory to claim for each clone. */
struct reserve_arg {
    bool is_set;
    bool is_percent;
    uint64_t value; /* per cent or KiB */
};

/* Parse a decimal number: digits only, MIN to MAX. */
bool parse_number(const char *text, uint64_t min, uint64_t max,
                  uint64_t *value_out);
/* Parse six bytes of two hexadecimal digits, with colons. */
bool parse_mac(const char *text, uint8_t mac_out[6]);
/* Parse the first three of them. */
bool parse_mac_prefix(const char *text, uint8_t prefix_out[3]);
/* Parse 8-4-4-4-12 hexadecimal digits. */
bool parse_uuid(const char *text, uint8_t uuid_out[16]);
/* Parse "auto", "hold" or "connect". */
bool parse_link(const char *text, int *link_out);
/*
 * Parse INDEX[,clone=N][,mac=MAC][,bridge=NAME][,ip=IP]
 * [,link=auto|hold|connect]
 */
bool parse_nic(const char *text, struct nic_arg *nic_out);
/* Parse "full", "25%" or MiB. */
bool parse_reserve(const char *text, struct reserve_arg *reserve_out);

#endif
