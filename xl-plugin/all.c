/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * `xl shutdown -a` and `xl reboot -a` where there are images: the real xl is
 * run for each domain that is none.  By itself the xl of Xen 4.22 asks images,
 * too (xen/image.c), waits a minute for the first one's answer, and then gives
 * up, with the domains after it left alone.  libc only, as front.c.
 */
#include "config.h"

#include "all.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exitcodes.h"
#include "guard.h"
#include "real-xl.h"

#define EXIT_NOT_RUN 127
#define WORDS_MAX    64

/* A domain as xl list shows it. */
struct domain {
    unsigned int id;
    bool is_down, is_dying; /* has shut down; is being destroyed */
    bool is_awaited;
};

struct domains {
    size_t count;
    struct domain *all;
};

/* A request of the user's. */
struct wish {
    bool is_all, has_fallback;
    int waits; /* 1: until they have shut down; 2: until they are gone */
};

/* Tell whether the word is a long option, or the beginning of it. */
static bool is_cut(const char *word, const char *option)
{
    return strncmp(word, "--", 2) == 0 && word[2] &&
           strncmp(option, word, strlen(word)) == 0;
}

/* Read the options: false where xl has more to say, as of -h. */
static bool read_wish(char **argv, struct wish *wish)
{
    const char *letter;

    for (; *argv && strcmp(*argv, "--") != 0; argv++) {
        if (is_cut(*argv, "--all"))
            wish->is_all = true;
        else if (is_cut(*argv, "--wait"))
            wish->waits++;
        else if ((*argv)[0] == '-')
            for (letter = *argv + 1; *letter; letter++) {
                if (!strchr("awF", *letter))
                    return false;
                wish->is_all |= *letter == 'a';
                wish->has_fallback |= *letter == 'F';
                wish->waits += *letter == 'w';
            }
    }
    return wish->is_all;
}

/* Start a program, NULL: the real xl, to read what it prints. */
static FILE *start_reading(const char *program, char **argv, pid_t *pid_out)
{
    int fds[2];
    pid_t pid;

    if (pipe(fds) < 0)
        return NULL;
    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        close(fds[0]);
        close(fds[1]);
        if (program)
            execv(program, argv);
        else
            real_xl_exec(argv);
        _exit(EXIT_NOT_RUN);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return NULL;
    }
    *pid_out = pid;
    return fdopen(fds[0], "r");
}

static bool has_succeeded(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Read a line: a domain's number alone, or as xl list prints it. */
static bool read_domain(char *line, struct domain *domain_out)
{
    char *words[WORDS_MAX], *save = NULL, *end, *word;
    int count = 0;

    for (word = strtok_r(line, " \t\n", &save); word && count < WORDS_MAX;
         word = strtok_r(NULL, " \t\n", &save))
        words[count++] = word;
    if (count != 1 && count < 6)
        return false;
    /* Name, which may have spaces, ID, Mem, VCPUs, State, Time(s) */
    word = words[count == 1 ? 0 : count - 5];
    *domain_out = (struct domain){.id = (unsigned int)strtoul(word, &end, 10)};
    if (count > 1) {
        domain_out->is_down = strchr(words[count - 2], 's');
        domain_out->is_dying = strchr(words[count - 2], 'd');
    }
    return end != word && !*end;
}

static bool read_domains(const char *program, char **argv,
                         struct domains *domains)
{
    char *line = NULL;
    size_t bytes = 0;
    struct domain domain;
    bool ok = true;
    pid_t pid;
    FILE *file = start_reading(program, argv, &pid);

    if (!file)
        return false;
    while (getline(&line, &bytes, file) >= 0) {
        struct domain *all;

        if (!read_domain(line, &domain))
            continue;
        all = realloc(domains->all, (domains->count + 1) * sizeof(*all));
        ok &= all != NULL;
        if (!all)
            continue;
        all[domains->count++] = domain;
        domains->all = all;
    }
    free(line);
    fclose(file);
    return has_succeeded(pid) && ok;
}

static bool list_domains(struct domains *domains)
{
    char *argv[] = {(char *)"xl", (char *)"list", NULL};

    return read_domains(NULL, argv, domains);
}

static bool list_images(const char *program, struct domains *images)
{
    char *argv[] = {(char *)"xl-fork", (char *)"fork-guard", (char *)"images",
                    NULL};

    return read_domains(program, argv, images);
}

static const struct domain *find_domain(const struct domains *domains,
                                        unsigned int id)
{
    size_t i;

    for (i = 0; i < domains->count; i++)
        if (domains->all[i].id == id)
            return &domains->all[i];
    return NULL;
}

/* Run the verb for one domain; its words are all up to @command. */
static bool run_for(char **argv, int command, const struct wish *wish,
                    unsigned int id)
{
    char **own = calloc((size_t)command + 4, sizeof(*own));
    char number[16];
    int n = command + 1;
    pid_t pid;
    bool ok;

    if (!own)
        return false;
    memcpy(own, argv, (size_t)n * sizeof(*own));
    if (wish->has_fallback)
        own[n++] = (char *)"-F";
    snprintf(number, sizeof(number), "%u", id);
    own[n] = number;
    pid = fork();
    if (pid == 0)
        _exit(real_xl_exec(own));
    ok = pid > 0 && has_succeeded(pid);
    free(own);
    return ok;
}

/* Wait as long as it takes, as xl does. */
static bool wait_for_all(struct domains *domains, int waits)
{
    bool is_waiting = true;
    size_t i;

    while (is_waiting) {
        struct domains now = {0};

        if (!list_domains(&now)) {
            free(now.all);
            return false;
        }
        is_waiting = false;
        for (i = 0; i < domains->count; i++) {
            struct domain *domain = &domains->all[i];
            const struct domain *is = find_domain(&now, domain->id);

            domain->is_awaited &= is && (waits > 1 || !is->is_down);
            is_waiting |= domain->is_awaited;
        }
        free(now.all);
        if (is_waiting)
            sleep(1);
    }
    return true;
}

static int run_for_all(char **argv, int command, const struct wish *wish,
                       struct domains *domains, const struct domains *images)
{
    int status = EXIT_DONE;
    size_t i;

    for (i = 0; i < domains->count; i++) {
        struct domain *domain = &domains->all[i];

        if (!domain->id || domain->is_dying || find_domain(images, domain->id))
            continue;
        domain->is_awaited = run_for(argv, command, wish, domain->id);
        if (!domain->is_awaited)
            status = EXIT_FAILED;
    }
    if (wish->waits && !wait_for_all(domains, wish->waits))
        status = EXIT_FAILED;
    return status;
}

int all_run(const char *program, char **argv, int command)
{
    struct domains domains = {0}, images = {0};
    struct wish wish = {0};
    int status = ALL_NOT_OURS;

    if (!guard_takes_all(argv[command]) ||
        !read_wish(argv + command + 1, &wish))
        return status;
    /* An image that is made after the first list is not in it. */
    if (!list_domains(&domains) || !list_images(program, &images))
        fprintf(stderr,
                "xl: cannot tell which domains are images of xenfork: xl %s -a "
                "may ask them, too\n",
                argv[command]);
    else if (images.count)
        status = run_for_all(argv, command, &wish, &domains, &images);
    free(domains.all);
    free(images.all);
    return status;
}
