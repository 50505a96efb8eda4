/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Questions of live scripts to xenstore, in one process each: in the emulator
 * xl takes half a second to name a domain, and a shell's loop keeps dom0 busy.
 *
 *   test-store domid NAME
 *   test-store read DOM NODE
 *   test-store at-least DOM NODE N SECONDS   until the number there is so high
 *   test-store ask DOM SEQUENCE SECONDS COMMAND…   the test guest's answer
 *
 * DOM is a name or a domid; NODE is relative to the domain.  Exit status 1:
 * there is none, or not in time.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <xenstore.h>

#define POLL_MS    100
#define PATH_BYTES 256
#define ASK_BYTES  4096

static struct xs_handle *xs;

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
}

/* Caller frees. */
static char *read_node(const char *id, const char *node)
{
    char path[PATH_BYTES];
    unsigned int length;

    snprintf(path, sizeof(path), "/local/domain/%s/%s", id, node);
    return xs_read(xs, XBT_NULL, path, &length);
}

/* Caller frees. */
static char *find(const char *name)
{
    char **ids, *found = NULL;
    unsigned int count, i;

    if (*name && !name[strspn(name, "0123456789")])
        return strdup(name);
    ids = xs_directory(xs, XBT_NULL, "/local/domain", &count);
    for (i = 0; ids && !found && i < count; i++) {
        char *other = read_node(ids[i], "name");

        if (other && !strcmp(other, name))
            found = strdup(ids[i]);
        free(other);
    }
    free(ids);
    return found;
}

static char *read_of(const char *dom, const char *node)
{
    char *id = find(dom);
    char *value = id ? read_node(id, node) : NULL;

    free(id);
    return value;
}

static int print(char *text)
{
    if (!text)
        return 1;
    puts(text);
    free(text);
    return 0;
}

static int at_least(const char *dom, const char *node, const char *least,
                    const char *seconds)
{
    double end = now() + atof(seconds);

    for (;; pause_ms(POLL_MS)) {
        char *value = read_of(dom, node);
        bool is_enough = value && *value && atoll(value) >= atoll(least);

        free(value);
        if (is_enough)
            return 0;
        if (now() >= end)
            return 1;
    }
}

static bool put_question(const char *id, const char *sequence, char **words)
{
    char path[PATH_BYTES], text[ASK_BYTES];
    size_t used;

    snprintf(path, sizeof(path), "/local/domain/%s/data/ask", id);
    used = (size_t)snprintf(text, sizeof(text), "%s", sequence);
    for (; *words && used < sizeof(text); words++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, " %s",
                                 *words);
    return used < sizeof(text) &&
           xs_write(xs, XBT_NULL, path, text, (unsigned int)used);
}

static int ask(const char *dom, const char *sequence, const char *seconds,
               char **words)
{
    double end = now() + atof(seconds);
    size_t bytes = strlen(sequence);
    char *id = find(dom);
    int status = 1;

    if (id && put_question(id, sequence, words))
        for (; status && now() < end; pause_ms(POLL_MS)) {
            char *answer = read_node(id, "data/answer");

            if (answer && !strncmp(answer, sequence, bytes) &&
                answer[bytes] == ' ') {
                puts(answer + bytes + 1);
                status = 0;
            }
            free(answer);
        }
    free(id);
    return status;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";

    xs = xs_open(0);
    if (!xs) {
        perror("test-store: xenstore");
        return 1;
    }
    if (!strcmp(what, "domid") && argc == 3)
        return print(find(argv[2]));
    if (!strcmp(what, "read") && argc == 4)
        return print(read_of(argv[2], argv[3]));
    if (!strcmp(what, "at-least") && argc == 6)
        return at_least(argv[2], argv[3], argv[4], argv[5]);
    if (!strcmp(what, "ask") && argc > 5)
        return ask(argv[2], argv[3], argv[4], argv + 5);
    fputs("test-store: see its source\n", stderr);
    return 2;
}
