/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Results as JSON. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_gen.h>
#include <xenfork.h>

#include "output.h"

struct json {
    yajl_gen gen;
    bool has_failed; /* json_print() says so */
};

static void keep(struct json *json, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok)
        json->has_failed = true;
}

static void put_text(struct json *json, const char *text)
{
    keep(json,
         yajl_gen_string(json->gen, (const unsigned char *)text, strlen(text)));
}

static void put_key(struct json *json, const char *key)
{
    if (key)
        put_text(json, key);
}

struct json *json_new(void)
{
    struct json *json = calloc(1, sizeof(*json));

    if (json)
        json->gen = yajl_gen_alloc(NULL);
    if (!json || !json->gen) {
        fprintf(stderr, "xl: %s\n", strerror(ENOMEM));
        free(json);
        return NULL;
    }
    yajl_gen_config(json->gen, yajl_gen_beautify, 1);
    yajl_gen_config(json->gen, yajl_gen_indent_string, "  ");
    yajl_gen_config(json->gen, yajl_gen_validate_utf8, 1);
    return json;
}

void json_open_map(struct json *json, const char *key)
{
    put_key(json, key);
    keep(json, yajl_gen_map_open(json->gen));
}

void json_close_map(struct json *json)
{
    keep(json, yajl_gen_map_close(json->gen));
}

void json_open_list(struct json *json, const char *key)
{
    put_key(json, key);
    keep(json, yajl_gen_array_open(json->gen));
}

void json_close_list(struct json *json)
{
    keep(json, yajl_gen_array_close(json->gen));
}

void json_string(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    if (value)
        put_text(json, value);
    else
        keep(json, yajl_gen_null(json->gen));
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    char text[24];

    put_key(json, key);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    keep(json, yajl_gen_number(json->gen, text, strlen(text)));
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    keep(json, yajl_gen_bool(json->gen, value));
}

void json_domid(struct json *json, const char *key, uint32_t domid)
{
    if (domid == XENFORK_DOMID_NONE)
        json_string(json, key, NULL);
    else
        json_number(json, key, domid);
}

bool json_print(struct json *json)
{
    const unsigned char *text;
    size_t len;
    bool ok;

    ok = !json->has_failed &&
         yajl_gen_get_buf(json->gen, &text, &len) == yajl_gen_status_ok;
    if (ok)
        fwrite(text, 1, len, stdout);
    else
        fprintf(stderr, "xl: cannot write the result as JSON\n");
    yajl_gen_free(json->gen);
    free(json);
    return output_flush() && ok;
}

bool output_flush(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "xl: cannot write to stdout: %s\n", strerror(errno));
    return false;
}
