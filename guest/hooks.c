/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#define GRACE_MS 2000 /* from SIGTERM to SIGKILL */

bool hook_name_is_valid(const char *name)
{
    if (!*name)
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && *name != '-' && *name != '_')
            return false;
    return true;
}

static int is_hook(const struct dirent *entry)
{
    return hook_name_is_valid(entry->d_name);
}

static void set_environment(const struct options *options, const char *role,
                            const struct instance *instance)
{
    size_t i;

    setenv("XENFORK_ROLE", role, 1);
    setenv("XENFORK_GENERATION", instance->generation, 1);
    setenv("XENFORK_SOURCE", instance->source, 1);
    setenv("XENFORK_INDEX", instance->index, 1);
    setenv("XENFORK_SOURCE_MACS", instance->source_macs, 1);
    setenv("XENFORK_NAME", instance->name, 1);
    setenv("XENFORK_AGAIN", instance->is_again ? "yes" : "no", 1);
    setenv("XENFORK_STATE", options->state_dir, 1);
    setenv("PATH",
           "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:"
           "/bin",
           0);
    for (i = 0; i < instance->param_count; i++) {
        char name[sizeof(PARAM_PREFIX) + PARAM_KEY_MAX];

        param_variable(instance->params[i].key, name);
        setenv(name, instance->params[i].value, 1);
    }
}

/*
 * Set a hook's streams; standard output belongs to the agent alone: source or
 * clone.
 */
static void set_streams(void)
{
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

__attribute__((noreturn)) static void become_hook(
    const struct options *options, const char *path, const char *role,
    const struct instance *instance)
{
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    set_environment(options, role, instance);
    set_streams();
    execl(path, path, (char *)NULL);
    complain("%s: %s", path, strerror(errno));
    _exit(126);
}

/*
 * Wait for the child; tell whether it has ended in time.  SIGCHLD is blocked.
 */
static bool wait_child(pid_t pid, int *status_out, long long deadline_ms)
{
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        pid_t r = waitpid(pid, status_out, WNOHANG);
        long long left_ms = deadline_ms - now_ms();
        struct timespec left;

        if (r == pid)
            return true;
        if (r < 0 && errno != EINTR) {
            *status_out = -1;
            return true;
        }
        if (left_ms <= 0)
            return false;
        left.tv_sec = (time_t)(left_ms / 1000);
        left.tv_nsec = (long)(left_ms % 1000) * 1000000;
        sigtimedwait(&child, NULL, &left);
    }
}

/* End the hook, whose time is over, and its children. */
static void end_hook(pid_t pid)
{
    int status;
    bool has_ended;

    kill(-pid, SIGTERM);
    has_ended = wait_child(pid, &status, now_ms() + GRACE_MS);
    kill(-pid, SIGKILL);
    /* Not for ever: it may hang in the kernel. */
    if (!has_ended)
        wait_child(pid, &status, now_ms() + GRACE_MS);
}

/* Run it.  Return whether it succeeded; else why not, in REASON. */
static bool run_program(const struct options *options, const char *path,
                        const char *role, const struct instance *instance,
                        char reason[FAULT_CHARS])
{
    long long limit_ms = (long long)options->hook_timeout_s * 1000;
    pid_t pid = fork();
    int status;

    if (pid < 0) {
        snprintf(reason, FAULT_CHARS, "%s", strerror(errno));
        return false;
    }
    if (pid == 0)
        become_hook(options, path, role, instance);
    setpgid(pid, pid); /* whichever of the two comes first */
    if (!wait_child(pid, &status, now_ms() + limit_ms)) {
        end_hook(pid);
        snprintf(reason, FAULT_CHARS, "not done within %u s",
                 options->hook_timeout_s);
        return false;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        snprintf(reason, FAULT_CHARS, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(reason, FAULT_CHARS, "failed with status %d",
                 WEXITSTATUS(status));
    return false;
}

/* Make an empty file in which the hook can tell why it fails. */
static bool offer_reason(const struct options *options, char path[PATH_MAX])
{
    int fd;

    if (snprintf(path, PATH_MAX, "%s/reason", options->run_dir) >= PATH_MAX)
        return false;
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Read the first line of the file, if there is one. */
static void take_reason(const char *path, char reason[FAULT_CHARS])
{
    char line[FAULT_CHARS];
    FILE *file = fopen(path, "re");

    if (!file)
        return;
    if (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            memcpy(reason, line, sizeof(line));
    }
    fclose(file);
}

static bool run_hook(const struct options *options, const char *path,
                     const char *role, const struct instance *instance,
                     struct fault *fault)
{
    char reason_path[PATH_MAX], reason[FAULT_CHARS];
    bool is_offered = offer_reason(options, reason_path), ok;

    setenv("XENFORK_REASON", is_offered ? reason_path : "/dev/null", 1);
    ok = run_program(options, path, role, instance, reason);
    if (!ok) {
        complain("%s: %s", path, reason);
        if (is_offered)
            take_reason(reason_path, reason);
        fault_note(fault, strrchr(path, '/') + 1, reason);
    }
    if (is_offered)
        unlink(reason_path);
    return ok;
}

/*
 * Tell whether it is a program; a link that leads nowhere was meant to be one.
 * A file that nobody may execute is passed over, as run-parts(8) does, and
 * named.
 */
static bool is_program(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return true;
    if (!S_ISREG(st.st_mode))
        return false;
    if (access(path, X_OK) == 0)
        return true;
    complain("%s: passed over, since it is not executable", path);
    return false;
}

int hooks_run(const struct options *options, const char *directory,
              const char *role, const struct instance *instance,
              struct fault *fault)
{
    char path[PATH_MAX];
    struct dirent **entries;
    int count, failed = 0, i;

    if (snprintf(path, sizeof(path), "%s/%s", options->config_dir, directory) >=
        (int)sizeof(path))
        return -ENAMETOOLONG;
    count = scandir(path, &entries, is_hook, alphasort);
    if (count < 0)
        return -errno;
    for (i = 0; i < count; i++) {
        int bytes = snprintf(path, sizeof(path), "%s/%s/%s",
                             options->config_dir, directory,
                             entries[i]->d_name);

        if (bytes >= (int)sizeof(path)) {
            fault_note(fault, entries[i]->d_name, strerror(ENAMETOOLONG));
            failed++;
        } else if (is_program(path) &&
                   !run_hook(options, path, role, instance, fault)) {
            failed++;
        }
        free(entries[i]);
    }
    free(entries);
    return failed;
}
