/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Results on stdout: JSON, or a table for people.  Both are built in memory
 * and written at the end; out of memory and write errors are told then.
 */
#ifndef XL_PLUGIN_OUTPUT_H
#define XL_PLUGIN_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

/* KEY is NULL inside a list and for the outermost value. */
struct json;
struct json *json_new(void);
void json_open_map(struct json *json, const char *key);
void json_close_map(struct json *json);
void json_open_list(struct json *json, const char *key);
void json_close_list(struct json *json);
void json_string(struct json *json, const char *key, const char *value);
void json_number(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);
/* Write a domid; XENFORK_DOMID_NONE becomes null. */
void json_domid(struct json *json, const char *key, uint32_t domid);
/* Print and free. */
bool json_print(struct json *json);

/* A column whose heading begins with '>' is right-aligned. */
struct table;
struct table *table_new(const char *const *headings);
/* Add the next cell, row by row. */
void table_cell(struct table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void table_domid(struct table *table, uint32_t domid);
/* Add a cell with KiB shown as MiB. */
void table_mib(struct table *table, uint64_t kib);
/* Print and free. */
bool table_print(struct table *table);

/* Flush stdout; false, after a message, if what was printed is lost. */
bool output_flush(void);

#endif
