/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-xenbus DIR COMMAND [ARG...]: run COMMAND beside a xenstore whose nodes
 * are the files below DIR, and end as it ends.
 *
 * The command finds the socket in $XENBUS and our number in $FAKE.  It changes
 * nodes as files, and says so by SIGUSR1: then all watches fire, as they do in
 * a clone.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS_MAX 8
#define PAYLOAD_MAX 4096

enum {
    DIRECTORY = 1,
    READ = 2,
    WATCH = 4,
    WRITE = 11,
    RM = 13,
    EVENT = 15,
    ERROR = 16
};

struct header {
    uint32_t type, req_id, tx_id, len;
};

struct client {
    int fd;
    char watched[128]; /* one is enough for the agent */
};

static const char *dir;
static struct client clients[CLIENTS_MAX];
static volatile sig_atomic_t is_changed, is_ended;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        is_changed = 1;
    else
        is_ended = 1;
}

static void send_message(const struct client *client, uint32_t type,
                         uint32_t id, const char *payload, size_t bytes)
{
    struct header header = {type, id, 0, (uint32_t)bytes};

    /* A client that has gone is seen when it is read. */
    (void)!send(client->fd, &header, sizeof(header), MSG_NOSIGNAL);
    (void)!send(client->fd, payload, bytes, MSG_NOSIGNAL);
}

static void send_event(const struct client *client)
{
    char payload[sizeof(client->watched) + 2];
    size_t bytes = strlen(client->watched) + 1;

    memcpy(payload, client->watched, bytes);
    memcpy(payload + bytes, "w", 2);
    send_message(client, EVENT, 0, payload, bytes + 2);
}

/* Like xenstored, fire for a change of the node or below it. */
static void fire(const char *path)
{
    for (int i = 0; i < CLIENTS_MAX; i++) {
        size_t bytes = strlen(clients[i].watched);

        if (clients[i].fd < 0 || bytes == 0)
            continue;
        if (!path || (!strncmp(path, clients[i].watched, bytes) &&
                      (path[bytes] == '\0' || path[bytes] == '/')))
            send_event(&clients[i]);
    }
}

static void answer_error(const struct client *client, uint32_t id, int error)
{
    const char *name = error == ENOENT    ? "ENOENT"
                       : error == EACCES  ? "EACCES"
                       : error == ENOTDIR ? "ENOENT"
                                          : "EINVAL";

    send_message(client, ERROR, id, name, strlen(name) + 1);
}

static void answer_read(const struct client *client, uint32_t id,
                        const char *path)
{
    char value[PAYLOAD_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t r = fd < 0 ? -1 : read(fd, value, sizeof(value));

    if (r < 0)
        answer_error(client, id, errno);
    else
        send_message(client, READ, id, value, (size_t)r);
    if (fd >= 0)
        close(fd);
}

static void answer_list(const struct client *client, uint32_t id,
                        const char *path)
{
    char names[PAYLOAD_MAX];
    DIR *stream = opendir(path);
    struct dirent *entry;
    size_t bytes = 0;

    if (!stream) {
        answer_error(client, id, errno);
        return;
    }
    while ((entry = readdir(stream))) {
        size_t len = strlen(entry->d_name) + 1;

        if (entry->d_name[0] == '.' || bytes + len > sizeof(names))
            continue;
        memcpy(names + bytes, entry->d_name, len);
        bytes += len;
    }
    closedir(stream);
    send_message(client, DIRECTORY, id, names, bytes);
}

static void answer_write(const struct client *client, uint32_t id,
                         const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, value, strlen(value)) != (ssize_t)strlen(value)) {
        answer_error(client, id, errno);
    } else {
        send_message(client, WRITE, id, "OK", 3);
        fire(path + strlen(dir) + 1);
    }
    if (fd >= 0)
        close(fd);
}

static void answer(struct client *client, const struct header *header,
                   const char *payload)
{
    char path[PAYLOAD_MAX + 256];

    snprintf(path, sizeof(path), "%s/%s", dir, payload);
    switch (header->type) {
    case READ:
        answer_read(client, header->req_id, path);
        break;
    case DIRECTORY:
        answer_list(client, header->req_id, path);
        break;
    case WRITE:
        answer_write(client, header->req_id, path,
                     payload + strlen(payload) + 1);
        break;
    case RM:
        unlink(path);
        send_message(client, RM, header->req_id, "OK", 3);
        fire(path + strlen(dir) + 1);
        break;
    case WATCH:
        if (strlen(payload) >= sizeof(client->watched)) {
            answer_error(client, header->req_id, EINVAL);
            break;
        }
        memcpy(client->watched, payload, strlen(payload) + 1);
        send_message(client, WATCH, header->req_id, "OK", 3);
        send_event(client);
        break;
    default:
        answer_error(client, header->req_id, EINVAL);
    }
}

static void serve(struct client *client)
{
    char payload[PAYLOAD_MAX + 1];
    struct header header;

    if (recv(client->fd, &header, sizeof(header), MSG_WAITALL) !=
            sizeof(header) ||
        header.len > PAYLOAD_MAX ||
        recv(client->fd, payload, header.len, MSG_WAITALL) !=
            (ssize_t)header.len) {
        close(client->fd);
        *client = (struct client){.fd = -1};
        return;
    }
    payload[header.len] = '\0';
    answer(client, &header, payload);
}

static void welcome(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < CLIENTS_MAX; i++)
        if (clients[i].fd < 0) {
            clients[i] = (struct client){.fd = fd};
            return;
        }
    if (fd >= 0)
        close(fd);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, CLIENTS_MAX) < 0) {
        perror(path);
        exit(125);
    }
    return fd;
}

static void serve_all(int listener, const sigset_t *unblocked)
{
    struct pollfd ready[CLIENTS_MAX + 1];

    while (!is_ended) {
        ready[CLIENTS_MAX] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (int i = 0; i < CLIENTS_MAX; i++)
            ready[i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (is_changed) {
            is_changed = 0;
            fire(NULL);
        }
        if (ppoll(ready, CLIENTS_MAX + 1, NULL, unblocked) < 0)
            continue;
        for (int i = 0; i < CLIENTS_MAX; i++)
            if (clients[i].fd >= 0 && ready[i].revents)
                serve(&clients[i]);
        if (ready[CLIENTS_MAX].revents)
            welcome(listener);
    }
}

static pid_t start(char **command, const char *path, const sigset_t *unblocked)
{
    char number[16];
    pid_t pid;

    snprintf(number, sizeof(number), "%d", (int)getpid());
    setenv("XENBUS", path, 1);
    setenv("FAKE", number, 1);
    pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, unblocked, NULL);
        execvp(command[0], command);
        perror(command[0]);
        _exit(125);
    }
    return pid;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked, unblocked;
    char path[100];
    int listener, status = 0;
    pid_t pid;

    if (argc < 3)
        return 125;
    dir = argv[1];
    for (int i = 0; i < CLIENTS_MAX; i++)
        clients[i].fd = -1;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigaddset(&blocked, SIGCHLD);
    sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    snprintf(path, sizeof(path), "%s.socket", dir);
    listener = listen_at(path);
    pid = start(argv + 2, path, &unblocked);
    serve_all(listener, &unblocked);
    unlink(path);
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return 125;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
