/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/keyfile.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/digest.h"
#include "base/ids.h"
#include "state/files.h"

#define MAGIC     "xenfork 1"
#define MAX_BYTES (16U << 20)
#define SUM_BYTES 21U /* "sum 0123456789abcdef\n", the last line */
#define BY_HAND   "sum by-hand\n"

struct pair {
    char *key, *value;
};

struct xenfork__keyfile {
    size_t count;
    struct pair *pairs;
};

int xenfork__keyfile_new(xenfork_ctx *ctx, struct xenfork__keyfile **out)
{
    struct xenfork__keyfile *keyfile = calloc(1, sizeof(*keyfile));

    if (!keyfile)
        return xenfork__nomem(ctx);
    *out = keyfile;
    return 0;
}

void xenfork__keyfile_free(struct xenfork__keyfile *keyfile)
{
    size_t i;

    if (!keyfile)
        return;
    for (i = 0; i < keyfile->count; i++) {
        free(keyfile->pairs[i].key);
        free(keyfile->pairs[i].value);
    }
    free(keyfile->pairs);
    free(keyfile);
}

static struct pair *find_pair(const struct xenfork__keyfile *keyfile,
                              const char *key)
{
    size_t i;

    for (i = 0; i < keyfile->count; i++)
        if (!strcmp(keyfile->pairs[i].key, key))
            return &keyfile->pairs[i];
    return NULL;
}

const char *xenfork__keyfile_get(const struct xenfork__keyfile *keyfile,
                                 const char *key)
{
    const struct pair *p = find_pair(keyfile, key);

    return p ? p->value : NULL;
}

bool xenfork__keyfile_get_u64(const struct xenfork__keyfile *keyfile,
                              const char *key, uint64_t *value_out)
{
    const char *text = xenfork__keyfile_get(keyfile, key);

    return text && xenfork__parse_u64(text, value_out);
}

bool xenfork__keyfile_get_u32(const struct xenfork__keyfile *keyfile,
                              const char *key, uint32_t *value_out)
{
    const char *text = xenfork__keyfile_get(keyfile, key);

    return text && xenfork__parse_u32(text, value_out);
}

static void nth_key(char key_out[64], const char *key, uint32_t n)
{
    snprintf(key_out, 64, "%s.%u", key, n);
}

const char *xenfork__keyfile_get_nth(const struct xenfork__keyfile *keyfile,
                                     const char *key, uint32_t n)
{
    char full[64];

    nth_key(full, key, n);
    return xenfork__keyfile_get(keyfile, full);
}

int xenfork__keyfile_set(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                         const char *key, const char *value)
{
    cleanup_free char *k = strdup(key);
    cleanup_free char *v = strdup(value);
    struct pair *p = find_pair(keyfile, key);

    if (!k || !v)
        return xenfork__nomem(ctx);
    if (!p) {
        p = reallocarray(keyfile->pairs, keyfile->count + 1, sizeof(*p));
        if (!p)
            return xenfork__nomem(ctx);
        keyfile->pairs = p;
        p += keyfile->count++;
        *p = (struct pair){.key = steal_ptr(k)};
    }
    free(p->value);
    p->value = steal_ptr(v);
    return 0;
}

int xenfork__keyfile_set_u64(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                             const char *key, uint64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return xenfork__keyfile_set(ctx, keyfile, key, text);
}

int xenfork__keyfile_set_nth(xenfork_ctx *ctx, struct xenfork__keyfile *keyfile,
                             const char *key, uint32_t n, const char *value)
{
    char full[64];

    nth_key(full, key, n);
    return xenfork__keyfile_set(ctx, keyfile, full, value);
}

/* Replace, in place, "\n" and "\\" by the characters that they stand for. */
static bool unescape(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '\\') {
            text++;
            if (*text != 'n' && *text != '\\')
                return false;
            *to++ = *text == 'n' ? '\n' : '\\';
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return true;
}

static int parse_pair(xenfork_ctx *ctx, const char *path, char *line,
                      struct xenfork__keyfile *keyfile)
{
    char *value = strchr(line, ' ');

    if (!value || value == line)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "malformed line in %s",
                             path);
    *value++ = '\0';
    if (!unescape(value) || find_pair(keyfile, line))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "malformed value of %s in %s", line, path);
    return xenfork__keyfile_set(ctx, keyfile, line, value);
}

static int parse_keyfile(xenfork_ctx *ctx, const char *path, char *text,
                         struct xenfork__keyfile *keyfile)
{
    char *save = NULL;
    char *line = strtok_r(text, "\n", &save);
    int rc;

    if (!line || strcmp(line, MAGIC))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s is not a record of this version", path);
    while ((line = strtok_r(NULL, "\n", &save))) {
        rc = parse_pair(ctx, path, line, keyfile);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void print_sum(const char *text, size_t bytes, char out[SUM_BYTES + 1])
{
    snprintf(out, SUM_BYTES + 1, "sum %016" PRIx64 "\n",
             xenfork__digest(text, bytes));
}

/* Take the last line away, which says what the others must be. */
static bool check_sum(char *text, size_t bytes)
{
    char sum[SUM_BYTES + 1];

    size_t by_hand = strlen(BY_HAND);

    if (bytes < SUM_BYTES || strlen(text) != bytes)
        return false;
    if (!strcmp(text + bytes - by_hand, BY_HAND)) {
        text[bytes - by_hand] = '\0';
        return true;
    }
    print_sum(text, bytes - SUM_BYTES, sum);
    if (strcmp(text + bytes - SUM_BYTES, sum) != 0)
        return false;
    text[bytes - SUM_BYTES] = '\0';
    return true;
}

int xenfork__keyfile_read(xenfork_ctx *ctx, const char *path,
                          struct xenfork__keyfile **out)
{
    struct xenfork__keyfile *keyfile = NULL;
    cleanup_free char *text = NULL;
    size_t bytes;
    int rc;

    rc = xenfork__file_read(ctx, path, MAX_BYTES, &text, &bytes);
    if (rc < 0)
        return rc;
    if (!check_sum(text, bytes))
        return xenfork__fail(ctx, XENFORK_E_STATE, 0,
                             "%s is damaged: its checksum is wrong", path);
    rc = xenfork__keyfile_new(ctx, &keyfile);
    if (rc < 0)
        return rc;
    rc = parse_keyfile(ctx, path, text, keyfile);
    if (rc < 0) {
        xenfork__keyfile_free(keyfile);
        return rc;
    }
    *out = keyfile;
    return 0;
}

static void put_value(FILE *f, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            fputs("\\n", f);
        else if (*value == '\\')
            fputs("\\\\", f);
        else
            fputc(*value, f);
    }
}

int xenfork__keyfile_write(xenfork_ctx *ctx, const char *path,
                           const struct xenfork__keyfile *keyfile)
{
    cleanup_free char *text = NULL;
    size_t bytes = 0;
    FILE *f = open_memstream(&text, &bytes);
    char sum[SUM_BYTES + 1];
    size_t i;

    if (!f)
        return xenfork__nomem(ctx);
    fputs(MAGIC "\n", f);
    for (i = 0; i < keyfile->count; i++) {
        fputs(keyfile->pairs[i].key, f);
        fputc(' ', f);
        put_value(f, keyfile->pairs[i].value);
        fputc('\n', f);
    }
    if (!fflush(f)) {
        print_sum(text, bytes, sum);
        fputs(sum, f);
    }
    if (fclose(f))
        return xenfork__nomem(ctx);
    if (bytes > MAX_BYTES)
        return xenfork__fail(ctx, XENFORK_E_STATE, 0, "%s is too large", path);
    return xenfork__file_write(ctx, path, text, bytes);
}
