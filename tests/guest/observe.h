/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * observe: the program in the test guest that lets a test see, from outside, whether a domain is the same
 * one, a copy, or damaged: identity in memory, acknowledged writes on disk, network answers.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

#define DOMID_UNKNOWN UINT32_MAX
#define ANSWER_BYTES 2000 /* xenstore takes about 2000 bytes of payload */

/* Everything that a fork copies; guarded by lock. */
struct state {
    pthread_mutex_t lock;
    char token[33];      /* drawn once at boot */
    uint64_t tick;       /* about two a second */
    uint64_t acked;      /* highest tick known to be on disk */
    uint32_t domid;      /* as last read from xenstore */
    unsigned resumed;    /* how often domid was seen to change */
    char mark[RECORD_MARK_BYTES];
    uint64_t mark_acked; /* tick of the first record on disk with this mark; 0: none yet */
    int disk_errno;      /* of the last failed write; 0: none */
    unsigned pace_ms;    /* between two ticks */
};

extern struct state state;

/* observe.c */
void sleep_ms(unsigned ms);
void start_thread(void *(*run)(void *), void *argument);

/* store.c: one xenstore operation on a freshly opened connection, ended after 5 s at the latest */
int store_read(const char *path, char *value, size_t value_bytes);
int store_write(const char *path, const char *value);
/* A descriptor that is readable when what lies there may have changed; or negative */
int store_watch(const char *path);
/* Until then, or for so long; what told it is taken. */
void store_wait(int fd, int timeout_ms);

/* disk.c */
int disk_open(void);
int disk_write(int fd, const struct record *record);
void disk_verify(char *answer, size_t answer_bytes);
uint32_t crc32_of(const void *data, size_t bytes);

/* commands.c: run one command line, leave one line of JSON */
void run_command(const char *line, char *answer, size_t answer_bytes);
void read_mac(char *mac, size_t mac_bytes);
void read_domid(void);

/* probe.c: commands as above */
void probe_read(const char *path, char *answer, size_t answer_bytes);
void probe_write(const char *line, char *answer, size_t answer_bytes);
void probe_shell(const char *line, char *answer, size_t answer_bytes);

/* latency.c: a command as above */
void latency(const char *text, char *answer, size_t answer_bytes);

/* fill.c: as above */
void fill(const char *text, char *answer, size_t answer_bytes);

/* net.c */
void net_start(void);

#endif
