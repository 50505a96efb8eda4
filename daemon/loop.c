/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "loop.h"

#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "listen.h"
#include "log.h"
#include "notify.h"
#include "serve.h"
#include "state.h"
#include "worker-pool.h"
#include "xen/events.h"

#define SELF         "/proc/self/exe"
#define EVENTS_MAX   256    /* of xenstore, before others have their turn */
#define STOP_MS      10000U /* for workers to end, before we go without them */
#define BUFFER_BYTES 4096U
/* A connection to xenstore that broke does not wake us (libxenstore 4.17). */
#define POLL_MS 60000U

struct loop {
    struct daemon daemon;
    const struct loop_options *options;
    int signal_fd, state_fd;
    uint64_t turn_ms; /* when the last turn was */
    uint64_t stop_ms; /* 0: go on */
    bool has_events;  /* more of xenstore than one turn takes */
};

static uint64_t now_ms(void)
{
    return xenfork__now_ns() / 1000000U;
}

bool loop_load_config(const struct loop_options *options,
                      struct config *config_out,
                      char message_out[CONFIG_MESSAGE])
{
    if (options->is_default_file && access(options->config_file, F_OK)) {
        config_default(config_out);
        return true;
    }
    return config_load(options->config_file, config_out, message_out);
}

/*
 * Start a worker by running this program again: it needs little memory, and its
 * failure does not end the daemon.
 */
static pid_t spawn_worker(void *opaque, int kind, const char *target)
{
    const struct loop *loop = opaque;
    const struct config *config = &loop->daemon.config;
    char value[16];
    const char *argv[] = {"xenforkd",
                          "--worker",
                          worker_kind_name(kind),
                          target,
                          log_level_name(config->log_level),
                          value,
                          loop->options->is_foreground ? "--foreground" : NULL,
                          NULL};
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;
    int e;

    snprintf(value, sizeof(value), "%u",
             kind == WORKER_FREEZE    ? config->freeze_timeout_s
             : kind == WORKER_HYDRATE ? config->hydrate_mib_s
                                      : 0);
    sigemptyset(&none);
    e = posix_spawnattr_init(&attr);
    if (e)
        return -e;
    e = posix_spawnattr_setsigmask(&attr, &none);
    if (!e)
        e = posix_spawnattr_setpgroup(&attr, 0);
    if (!e)
        e = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETPGROUP);
    if (!e)
        e = posix_spawn(&pid, SELF, NULL, &attr, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attr);
    return e ? -e : pid;
}

static void reload_configuration(struct loop *loop)
{
    char message[CONFIG_MESSAGE], quoted[LOG_QUOTED];
    struct config config;

    notify("RELOADING=1");
    if (loop_load_config(loop->options, &config, message)) {
        serve_configure(&loop->daemon, &config);
        /* The new configuration may allow what the old one forbade. */
        serve_state_changed(&loop->daemon, now_ms());
        log_info("config", "result=reread");
    } else {
        log_error("config", "result=ignored reason=%s",
                  log_quote(message, strlen(message), quoted));
    }
    notify("READY=1");
}

static void reap_workers(struct loop *loop)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        serve_ended(&loop->daemon, pid, status, now_ms());
}

static void stop_workers(struct loop *loop)
{
    if (loop->stop_ms)
        return;
    log_info("stop", "workers=%u", workers_total(&loop->daemon.workers));
    notify("STOPPING=1");
    loop->daemon.is_ending = true;
    workers_end(&loop->daemon.workers, WORKER_ATTEND);
    loop->stop_ms = now_ms() + STOP_MS;
}

static void take_signals(struct loop *loop)
{
    struct signalfd_siginfo info;

    while (read(loop->signal_fd, &info, sizeof(info)) ==
           (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGHUP)
            reload_configuration(loop);
        else if (info.ssi_signo == SIGCHLD)
            reap_workers(loop);
        else
            stop_workers(loop);
    }
}

/*
 * Take a limited number of events, then others get their turn: a guest can make
 * more without end.
 */
static int take_events(struct loop *loop)
{
    uint32_t events, domid;
    int i, rc;

    for (i = 0; i < EVENTS_MAX; i++) {
        rc = xenfork__host_event(loop->daemon.ctx, &events, &domid);
        if (rc < 0)
            return rc;
        if (events == XENFORK__EVENT_NONE)
            break;
        serve_event(&loop->daemon, events, domid, now_ms());
    }
    loop->has_events = i == EVENTS_MAX;
    return 0;
}

static void take_state(struct loop *loop)
{
    char buffer[BUFFER_BYTES];

    while (read(loop->state_fd, buffer, sizeof(buffer)) > 0)
        serve_state_changed(&loop->daemon, now_ms());
}

/*
 * Return how long to wait.  Work that became due since the last turn is due
 * now: that turn has not seen it.
 */
static int timeout_ms(const struct loop *loop)
{
    uint64_t now = now_ms();
    uint64_t wake = serve_wake_ms(&loop->daemon, loop->turn_ms);

    if (loop->stop_ms && loop->stop_ms < wake)
        wake = loop->stop_ms;
    if (loop->has_events || wake <= now)
        return 0;
    return wake - now < POLL_MS ? (int)(wake - now) : (int)POLL_MS;
}

static bool is_over(const struct loop *loop)
{
    return loop->stop_ms &&
           (!workers_total(&loop->daemon.workers) || now_ms() >= loop->stop_ms);
}

static int run_loop(struct loop *loop)
{
    struct pollfd fds[] = {
        {.fd = xenfork__host_fd(loop->daemon.ctx), .events = POLLIN},
        {.fd = loop->signal_fd, .events = POLLIN},
        {.fd = loop->state_fd, .events = POLLIN},
        {.fd = xenfork__host_rings_fd(loop->daemon.listen.rings),
         .events = POLLIN},
    };

    for (;;) {
        if (poll(fds, ARRAY_SIZE(fds), timeout_ms(loop)) < 0 && errno != EINTR)
            return 1;
        if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
            log_error("xenstore", "result=lost");
            return 1;
        }
        take_signals(loop);
        if (loop->state_fd >= 0)
            take_state(loop);
        if (take_events(loop) < 0)
            return 1;
        if (fds[3].revents & POLLIN)
            listen_take(&loop->daemon, now_ms());
        loop->turn_ms = now_ms();
        serve_turn(&loop->daemon, loop->turn_ms);
        if (is_over(loop))
            return 0;
    }
}

static int open_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -1;
    return signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
}

int loop_run(xenfork_ctx *ctx, const struct loop_options *options,
             const struct config *config)
{
    struct loop loop = {.options = options, .state_fd = -1};
    int status;

    loop.signal_fd = open_signals();
    if (loop.signal_fd < 0 || xenfork__host_watch(ctx) < 0 ||
        !serve_init(&loop.daemon, ctx, config, spawn_worker, &loop, now_ms())) {
        log_error("start", "result=failed");
        return 1;
    }
    loop.state_fd = state_watch(ctx);
    log_info("start", "result=ok");
    notify("READY=1");
    status = run_loop(&loop);
    log_event(status ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "stop",
              "result=%s workers=%u", status ? "failed" : "ok",
              workers_total(&loop.daemon.workers));
    serve_free(&loop.daemon);
    if (loop.state_fd >= 0)
        close(loop.state_fd);
    close(loop.signal_fd);
    return status;
}
