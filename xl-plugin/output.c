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

static void keep_status(struct json *json, yajl_gen_status status)
{
    if (status != yajl_gen_status_ok)
        json->has_failed = true;
}

/*
 * Return the bytes of the UTF-8 character with which TEXT begins; 0: it is
 * none.
 */
static size_t utf8_bytes(const unsigned char *text)
{
    size_t bytes = text[0] < 0x80   ? 1
                   : text[0] < 0xc2 ? 0
                   : text[0] < 0xe0 ? 2
                   : text[0] < 0xf0 ? 3
                   : text[0] < 0xf5 ? 4
                                    : 0;
    size_t i;

    for (i = 1; i < bytes; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* Too long, a half of a surrogate pair, or above U+10FFFF. */
    if ((text[0] == 0xe0 && text[1] < 0xa0) ||
        (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) ||
        (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return bytes;
}

/*
 * Replace bytes that are not UTF-8: one bad name must not spoil the whole
 * output.
 */
static char *clean_utf8(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
    char *clean = malloc(3 * strlen(text) + 1);
    size_t n = 0;

    while (clean && *text) {
        size_t bytes = utf8_bytes((const unsigned char *)text);

        memcpy(clean + n, bytes ? text : replacement, bytes ? bytes : 3);
        n += bytes ? bytes : 3;
        text += bytes ? bytes : 1;
    }
    if (clean)
        clean[n] = '\0';
    return clean;
}

static void put_text(struct json *json, const char *text)
{
    char *clean = clean_utf8(text);

    if (clean)
        keep_status(json,
                    yajl_gen_string(json->gen, (const unsigned char *)clean,
                                    strlen(clean)));
    else
        json->has_failed = true;
    free(clean);
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
    keep_status(json, yajl_gen_map_open(json->gen));
}

void json_close_map(struct json *json)
{
    keep_status(json, yajl_gen_map_close(json->gen));
}

void json_open_list(struct json *json, const char *key)
{
    put_key(json, key);
    keep_status(json, yajl_gen_array_open(json->gen));
}

void json_close_list(struct json *json)
{
    keep_status(json, yajl_gen_array_close(json->gen));
}

void json_string(struct json *json, const char *key, const char *value)
{
    put_key(json, key);
    if (value)
        put_text(json, value);
    else
        keep_status(json, yajl_gen_null(json->gen));
}

void json_number(struct json *json, const char *key, uint64_t value)
{
    char text[24];

    put_key(json, key);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    keep_status(json, yajl_gen_number(json->gen, text, strlen(text)));
}

void json_bool(struct json *json, const char *key, bool value)
{
    put_key(json, key);
    keep_status(json, yajl_gen_bool(json->gen, value));
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
