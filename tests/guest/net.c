/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Port 7: echo. Port 77: commands. Both over UDP and TCP. */
#include "observe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ECHO_PORT 7
#define COMMAND_PORT 77

static int bound_socket(int type, uint16_t port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port) };
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0), yes = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        (type == SOCK_STREAM && listen(fd, 64) < 0)) {
        perror("observe: port");
        exit(1);
    }
    return fd;
}

static size_t answer_line(char *line, size_t bytes, char *answer)
{
    line[bytes] = '\0';
    line[strcspn(line, "\r\n")] = '\0';
    run_command(line, answer, ANSWER_BYTES);
    strcat(answer, "\n");
    return strlen(answer);
}

static void *serve_udp(void *port_pointer)
{
    uint16_t port = (uint16_t)(uintptr_t)port_pointer;
    int fd = bound_socket(SOCK_DGRAM, port);

    for (;;) {
        struct sockaddr_in from;
        socklen_t from_bytes = sizeof from;
        char data[2048], answer[ANSWER_BYTES + 2], *reply = data;
        ssize_t r = recvfrom(fd, data, sizeof data - 1, 0,
                             (struct sockaddr *)&from, &from_bytes);
        size_t bytes = (size_t)r;

        if (r < 0) {
            sleep_ms(10);
            continue;
        }
        if (port == COMMAND_PORT) {
            bytes = answer_line(data, bytes, answer);
            reply = answer;
        }
        sendto(fd, reply, bytes, 0, (struct sockaddr *)&from, from_bytes);
    }
    return NULL;
}

static void *serve_echo(void *fd_pointer)
{
    int fd = (int)(intptr_t)fd_pointer;
    char data[4096];
    ssize_t r;

    while ((r = read(fd, data, sizeof data)) > 0)
        if (write(fd, data, (size_t)r) != r)
            break;
    close(fd);
    return NULL;
}

static void *serve_commands(void *fd_pointer)
{
    int fd = (int)(intptr_t)fd_pointer;
    char line[512], answer[ANSWER_BYTES + 2];
    FILE *in = fdopen(fd, "r");

    while (in && fgets(line, sizeof line, in)) {
        size_t bytes = answer_line(line, strlen(line), answer);

        if (write(fd, answer, bytes) != (ssize_t)bytes)
            break;
    }
    if (in)
        fclose(in);
    return NULL;
}

static void *serve_tcp(void *port_pointer)
{
    uint16_t port = (uint16_t)(uintptr_t)port_pointer;
    int listener = bound_socket(SOCK_STREAM, port);

    for (;;) {
        int fd = accept(listener, NULL, NULL);

        if (fd < 0)
            sleep_ms(10);
        else
            start_thread(port == ECHO_PORT ? serve_echo : serve_commands,
                         (void *)(intptr_t)fd);
    }
    return NULL;
}

void net_start(void)
{
    start_thread(serve_udp, (void *)(uintptr_t)ECHO_PORT);
    start_thread(serve_tcp, (void *)(uintptr_t)ECHO_PORT);
    start_thread(serve_udp, (void *)(uintptr_t)COMMAND_PORT);
    start_thread(serve_tcp, (void *)(uintptr_t)COMMAND_PORT);
}
