/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A line: blank, a comment, or KEY = VALUE, where VALUE is a decimal number
 * or a word in double quotes.  All that is not understood is an error: a
 * daemon that ignores a line does something else than its user believes.
 */
#include "config.h"

#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "log.h"

#define BLANKS       " \t\r"
#define WORD_BYTES   64U
#define NUMBER_MAX   4000000000U
#define KIND_NUMBER  0
#define KIND_BOOL    1
#define KIND_LEVEL   2
#define KIND_END     3
#define KIND_HYDRATE 4

struct key {
    const char *name;
    int kind; /* KIND_* */
    size_t offset;
    uint32_t min, max;
};

#define NUMBER(name, field, min, max)                               \
    {                                                               \
        name, KIND_NUMBER, offsetof(struct config, field), min, max \
    }
#define BOOL(name, field)                                     \
    {                                                         \
        name, KIND_BOOL, offsetof(struct config, field), 0, 1 \
    }

static const struct key keys[] = {
    {"log_level", KIND_LEVEL, offsetof(struct config, log_level), 0, 0},
    BOOL("freeze", is_freeze_allowed),
    NUMBER("freeze_timeout", freeze_timeout_s, 1, 3600),
    NUMBER("freeze_burst", freeze_burst, 1, 100),
    NUMBER("freeze_interval", freeze_interval_s, 1, 3600),
    NUMBER("freeze_workers", freeze_workers, 1, 64),
    BOOL("policies", has_policies),
    NUMBER("policy_timeout", policy_timeout_s, 10, 86400),
    NUMBER("policy_workers", policy_workers, 1, 64),
    {"hydrate", KIND_HYDRATE, offsetof(struct config, hydrate), 0, 0},
    NUMBER("hydrate_rate", hydrate_mib_s, 0, 65536),
    NUMBER("memory_low", memory_low_mib, 0, 1048576),
    NUMBER("memory_floor", memory_floor_mib, 1, 1048576),
    NUMBER("memory_ok", memory_ok_mib, 0, 1048576),
    NUMBER("memory_balloon", memory_balloon, 0, 100),
    NUMBER("source_reserve", source_reserve, 0, 100),
    {"ephemeral", KIND_END, offsetof(struct config, ephemeral), 0, 0},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

const char *config_key_name(size_t i)
{
    return i < KEYS ? keys[i].name : NULL;
}

struct parser {
    const char *file;
    uint32_t line;
    bool is_seen[KEYS];
    struct config config;
    char *message;
};

void config_default(struct config *config)
{
    *config = (struct config){
        .log_level = LOG_LEVEL_INFO,
        .is_freeze_allowed = true,
        .freeze_timeout_s = 30,
        .freeze_burst = 3,
        .freeze_interval_s = 10,
        .freeze_workers = 8,
        .has_policies = true,
        .policy_timeout_s = 600,
        .policy_workers = 4,
        .hydrate_mib_s = 256,
        .memory_low_mib = 64,
        .memory_floor_mib = 32,
        .memory_ok_mib = 96,
        .source_reserve = CONFIG_SOURCE_RESERVE,
    };
}

static bool report_line(struct parser *parser, const char *what,
                        const char *word) __attribute__((noinline));

static bool report_line(struct parser *parser, const char *what,
                        const char *word)
{
    char clean[WORD_BYTES];

    log_clean(word, strlen(word), clean, sizeof(clean));
    snprintf(parser->message, CONFIG_MESSAGE, "%s:%u: %s%s%s", parser->file,
             parser->line, what, *clean ? ": " : "", clean);
    return false;
}

static bool wrong_file(const struct parser *parser, const char *what)
{
    snprintf(parser->message, CONFIG_MESSAGE, "%s: %s", parser->file, what);
    return false;
}

/* Parse digits, and nothing else. */
static bool parse_number(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;
    const char *p;

    for (p = text; *p >= '0' && *p <= '9' && value <= NUMBER_MAX; p++)
        value = value * 10 + (uint64_t)(*p - '0');
    if (p == text || *p)
        return false;
    *value_out = value;
    return true;
}

static bool set_number(struct parser *parser, const struct key *key,
                       const char *text)
{
    uint64_t value;
    char what[96];

    if (!parse_number(text, &value) || value < key->min || value > key->max) {
        snprintf(what, sizeof(what), "%s must be a number from %u to %u",
                 key->name, key->min, key->max);
        return report_line(parser, what, text);
    }
    if (key->kind == KIND_BOOL)
        *(bool *)((char *)&parser->config + key->offset) = value;
    else
        *(uint32_t *)((char *)&parser->config + key->offset) = (uint32_t)value;
    return true;
}

static bool parse_word(const char *text, const char *const *words, uint32_t n,
                       uint32_t *word_out)
{
    uint32_t i;

    for (i = 0; i < n; i++) {
        if (strcmp(words[i], text))
            continue;
        *word_out = i;
        return true;
    }
    return false;
}

bool config_end_parse(const char *text, uint32_t *end_out)
{
    static const char *const words[] = {
        [CONFIG_EPHEMERAL_OFF] = "off",
        [CONFIG_EPHEMERAL_POWEROFF] = "poweroff",
        [CONFIG_EPHEMERAL_CRASH] = "crash",
    };

    return parse_word(text, words, sizeof(words) / sizeof(words[0]), end_out);
}

bool config_hydrate_parse(const char *text, uint32_t *hydrate_out)
{
    static const char *const words[] = {
        [CONFIG_HYDRATE_NOW] = "now",
        [CONFIG_HYDRATE_AUTO] = "auto",
        [CONFIG_HYDRATE_NEVER] = "never",
    };

    return parse_word(text, words, sizeof(words) / sizeof(words[0]),
                      hydrate_out);
}

/* The keys that have words for values. */
static const struct {
    bool (*parse)(const char *text, uint32_t *value_out);
    const char *wrong;
} word_kinds[] = {
    [KIND_LEVEL] = {log_level_parse,
                    "log_level must be \"error\", \"warning\", \"info\" or "
                    "\"debug\""},
    [KIND_END] = {config_end_parse,
                  "ephemeral must be \"off\", \"poweroff\" or \"crash\""},
    [KIND_HYDRATE] = {config_hydrate_parse,
                      "hydrate must be \"now\", \"auto\" or \"never\""},
};

/* Set a word in double quotes, which are removed. */
static bool set_word(struct parser *parser, const struct key *key, char *text)
{
    size_t n = strlen(text);
    uint32_t value;

    if (n >= 2 && text[0] == '"' && text[n - 1] == '"') {
        text[n - 1] = '\0';
        if (word_kinds[key->kind].parse(text + 1, &value)) {
            *(uint32_t *)((char *)&parser->config + key->offset) = value;
            return true;
        }
        text[n - 1] = '"';
    }
    return report_line(parser, word_kinds[key->kind].wrong, text);
}

static bool set_option(struct parser *parser, const char *name, char *text)
{
    size_t i;

    for (i = 0; i < KEYS && strcmp(keys[i].name, name); i++)
        ;
    if (i == KEYS)
        return report_line(parser, "unknown key", name);
    if (parser->is_seen[i])
        return report_line(parser, "key given twice", name);
    parser->is_seen[i] = true;
    return keys[i].kind >= KIND_LEVEL ? set_word(parser, &keys[i], text)
                                      : set_number(parser, &keys[i], text);
}

/* Remove blanks at both ends; changes the text. */
static char *trim(char *text)
{
    size_t n;

    text += strspn(text, BLANKS);
    n = strlen(text);
    while (n && strchr(BLANKS, text[n - 1]))
        text[--n] = '\0';
    return text;
}

/*
 * Parse a line; no value has a '#', which begins a comment wherever it stands.
 */
static bool parse_option(struct parser *parser, char *line)
{
    char *text, *equals;

    line[strcspn(line, "#")] = '\0';
    text = trim(line);
    if (!*text)
        return true;
    equals = strchr(text, '=');
    if (!equals)
        return report_line(parser, "not of the form KEY = VALUE", text);
    *equals = '\0';
    return set_option(parser, trim(text), trim(equals + 1));
}

/* Check the limits of memory against each other, defaults among them. */
static bool is_in_order(const struct parser *parser)
{
    const struct config *config = &parser->config;

    if (!config->memory_low_mib)
        return true;
    if (config->memory_floor_mib > config->memory_low_mib)
        return wrong_file(parser, "memory_floor is above memory_low");
    /* Else a clone that goes on is paused at once. */
    if (config->memory_low_mib >= config->memory_ok_mib)
        return wrong_file(parser, "memory_ok is not above memory_low");
    return true;
}

bool config_parse(const char *file, const char *text, size_t bytes,
                  struct config *config, char message_out[CONFIG_MESSAGE])
{
    struct parser parser = {.file = file, .message = message_out};
    cleanup_free char *copy = NULL;
    char *line, *rest;

    config_default(&parser.config);
    if (bytes > CONFIG_MAX_BYTES)
        return wrong_file(&parser, "the file is too long");
    if (memchr(text, '\0', bytes))
        return wrong_file(&parser, "the file holds a NUL");
    copy = strndup(text, bytes);
    if (!copy)
        return wrong_file(&parser, "out of memory");
    rest = copy;
    while ((line = strsep(&rest, "\n"))) {
        parser.line++;
        if (!parse_option(&parser, line))
            return false;
    }
    if (!is_in_order(&parser))
        return false;
    *config = parser.config;
    return true;
}

bool config_load(const char *file, struct config *config,
                 char message_out[CONFIG_MESSAGE])
{
    cleanup_free char *text = malloc(CONFIG_MAX_BYTES + 1);
    cleanup_file FILE *stream = fopen(file, "re");
    size_t bytes;

    if (!text || !stream) {
        snprintf(message_out, CONFIG_MESSAGE, "%s: cannot be opened: %s", file,
                 strerror(text ? errno : ENOMEM));
        return false;
    }
    bytes = fread(text, 1, CONFIG_MAX_BYTES + 1, stream);
    if (ferror(stream)) {
        snprintf(message_out, CONFIG_MESSAGE, "%s: cannot be read: %s", file,
                 strerror(errno));
        return false;
    }
    return config_parse(file, text, bytes, config, message_out);
}
