/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for tests of what a guest can reach: its xenstore, and a shell's programs. */
#define _GNU_SOURCE
#include "observe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define VALUE_BYTES 1100
#define OUTPUT_BYTES 900

/* As the inside of a JSON string. */
static void escape(const char *text, char *out, size_t out_bytes)
{
    size_t n = 0;

    for (; *text && n + 7 < out_bytes; text++) {
        unsigned char c = (unsigned char)*text;

        if (c < ' ' || c == '"' || c == '\\')
            n += (size_t)sprintf(out + n, "\\u%04x", c);
        else
            out[n++] = (char)c;
    }
    out[n] = '\0';
}

/* PATH: its value, or why there is none */
void probe_read(const char *path, char *answer, size_t answer_bytes)
{
    char value[VALUE_BYTES], escaped[ANSWER_BYTES - 64];
    int rc = store_read(path, value, sizeof value);

    if (rc < 0) {
        snprintf(answer, answer_bytes, "{\"error\":\"%s\"}",
                 strerrorname_np(-rc));
        return;
    }
    escape(value, escaped, sizeof escaped);
    snprintf(answer, answer_bytes, "{\"value\":\"%s\"}", escaped);
}

/* PATH VALUE */
void probe_write(const char *line, char *answer, size_t answer_bytes)
{
    char path[256] = "";
    int used = 0, rc;

    sscanf(line, "%255s%n", path, &used);
    rc = store_write(path, line[used] ? line + used + 1 : "");
    snprintf(answer, answer_bytes, "{\"error\":\"%s\"}",
             rc < 0 ? strerrorname_np(-rc) : "");
}

/* A line for the shell: its status, and what it prints */
void probe_shell(const char *line, char *answer, size_t answer_bytes)
{
    char output[OUTPUT_BYTES], escaped[ANSWER_BYTES - 64];
    FILE *pipe = popen(line, "r");
    size_t n = pipe ? fread(output, 1, sizeof output - 1, pipe) : 0;
    int status = pipe ? pclose(pipe) : -1;

    output[n] = '\0';
    escape(output, escaped, sizeof escaped);
    snprintf(answer, answer_bytes, "{\"status\":%d,\"output\":\"%s\"}",
             WIFEXITED(status) ? WEXITSTATUS(status) : -1, escaped);
}
