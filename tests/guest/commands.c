/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one-line commands, the same over the network and through xenstore. */
#include "observe.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#define MARK_WAIT_MS 20000
#define MIB (1024 * 1024)

static void read_line(const char *path, char *line, size_t line_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t r = fd < 0 ? 0 : read(fd, line, line_bytes - 1);

    line[r > 0 ? r : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    if (fd >= 0)
        close(fd);
}

void read_mac(char *mac, size_t mac_bytes)
{
    read_line("/sys/class/net/eth0/address", mac, mac_bytes);
}

void read_domid(void)
{
    char text[32];
    uint32_t domid;

    if (store_read("domid", text, sizeof text) < 0)
        return;
    domid = (uint32_t)strtoul(text, NULL, 10);
    pthread_mutex_lock(&state.lock);
    if (state.domid != DOMID_UNKNOWN && state.domid != domid)
        state.resumed++;
    state.domid = domid;
    pthread_mutex_unlock(&state.lock);
}

static unsigned long available_kib(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    unsigned long kib = 0;
    char line[128];

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
            break;
    fclose(file);
    return kib;
}

static void view(char *answer, size_t answer_bytes)
{
    struct timespec wall, up;
    char mac[32];

    read_domid();
    read_mac(mac, sizeof mac);
    clock_gettime(CLOCK_REALTIME, &wall);
    clock_gettime(CLOCK_MONOTONIC, &up);
    pthread_mutex_lock(&state.lock);
    snprintf(answer, answer_bytes,
             "{\"token\":\"%s\",\"tick\":%llu,\"acked\":%llu,"
             "\"domid\":%d,\"mac\":\"%s\",\"mark\":\"%s\","
             "\"resumed\":%u,\"disk_errno\":%d,\"uptime\":%lld.%03ld,"
             "\"time\":%lld.%03ld,\"free_kib\":%lu}",
             state.token, (unsigned long long)state.tick,
             (unsigned long long)state.acked, (int)state.domid, mac,
             state.mark, state.resumed, state.disk_errno,
             (long long)up.tv_sec, up.tv_nsec / 1000000,
             (long long)wall.tv_sec, wall.tv_nsec / 1000000, available_kib());
    pthread_mutex_unlock(&state.lock);
}

/* Answers once a record that carries the mark is on disk. */
static void mark(const char *text, char *answer, size_t answer_bytes)
{
    uint64_t acked = 0;
    char clean[RECORD_MARK_BYTES] = "";

    for (size_t i = 0, n = 0; text[i] && n + 1 < sizeof clean; i++)
        if (isprint((unsigned char)text[i]) && !strchr("\"\\", text[i]))
            clean[n++] = text[i];
    pthread_mutex_lock(&state.lock);
    memcpy(state.mark, clean, sizeof clean);
    state.mark_acked = 0;
    pthread_mutex_unlock(&state.lock);
    for (unsigned waited = 0; !acked && waited < MARK_WAIT_MS; waited += 20) {
        sleep_ms(20);
        pthread_mutex_lock(&state.lock);
        acked = state.mark_acked;
        pthread_mutex_unlock(&state.lock);
    }
    if (acked)
        snprintf(answer, answer_bytes, "{\"mark\":\"%s\",\"acked\":%llu}",
                 clean, (unsigned long long)acked);
    else
        snprintf(answer, answer_bytes, "{\"error\":\"mark not written\"}");
}

/* How often it ticks, and so writes to its disk; 0: as fast as that goes. */
static void pace(const char *text, char *answer, size_t answer_bytes)
{
    unsigned pace_ms = (unsigned)strtoul(text, NULL, 10);

    pthread_mutex_lock(&state.lock);
    state.pace_ms = pace_ms;
    pthread_mutex_unlock(&state.lock);
    snprintf(answer, answer_bytes, "{\"pace_ms\":%u}", pace_ms);
}

static volatile size_t dirty_pages;

static void *dirty_forever(void *unused)
{
    uint8_t *memory = NULL;
    size_t have = 0;

    (void)unused;
    for (uint8_t round = 0;; round++) {
        size_t want = dirty_pages;

        if (want != have) {
            if (memory)
                munmap(memory, have * 4096);
            memory = want ? mmap(NULL, want * 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                          : NULL;
            if (memory == MAP_FAILED)
                memory = NULL;
            have = memory ? want : 0;
            dirty_pages = have;
        }
        for (size_t page = 0; page < have; page++)
            memory[page * 4096] = round;
        sleep_ms(have ? 1 : 100);
    }
    return NULL;
}

static void dirty(const char *text, char *answer, size_t answer_bytes)
{
    static bool is_started;
    unsigned long mib = strtoul(text, NULL, 10);

    dirty_pages = mib * MIB / 4096;
    if (!is_started)
        start_thread(dirty_forever, NULL);
    is_started = true;
    snprintf(answer, answer_bytes, "{\"dirty_mib\":%lu}", mib);
}

/* Values of any kind under data/fork, among them requests, as fast as it goes. */
static void *flood_forever(void *argument)
{
    static const char *const keys[] = {"freeze", "ack", "freeze/x", "noise"};
    unsigned long left = *(const unsigned long *)argument;
    char path[64], value[96];
    uint32_t random = 1;

    for (; left > 0; left--) {
        size_t bytes;

        random = random * 1103515245 + 12345;
        bytes = (random >> 8) % (sizeof value - 1);
        snprintf(path, sizeof path, "data/fork/%s", keys[(random >> 20) % 4]);
        for (size_t i = 0; i < bytes; i++)
            value[i] = (char)(33 + (random + i * 7) % 90);
        value[bytes] = '\0';
        store_write(path, (random >> 16) % 3 ? value : "1");
    }
    store_write("data/flooded", "1");
    return NULL;
}

static void flood(const char *text, char *answer, size_t answer_bytes)
{
    static unsigned long writes;

    writes = strtoul(text, NULL, 10);
    start_thread(flood_forever, &writes);
    snprintf(answer, answer_bytes, "{\"flood\":%lu}", writes);
}

static void *end_machine(void *how)
{
    sleep_ms(500); /* let the answer out */
    if (*(const char *)how == 'r') {
        sync();
        reboot(RB_AUTOBOOT);
    }
    if (*(const char *)how == 'c') {
        int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

        if (write(fd, "c", 1) < 0)
            abort();
    }
    sync();
    reboot(RB_POWER_OFF);
    return NULL;
}

/* One line that a program of the guest says. */
static void ask_program(const char *path, char *answer, size_t answer_bytes)
{
    FILE *program = popen(path, "re");

    if (!program || !fgets(answer, (int)answer_bytes, program))
        snprintf(answer, answer_bytes, "{\"error\":\"no answer of %s\"}", path);
    answer[strcspn(answer, "\n")] = '\0';
    if (program)
        pclose(program);
}

static void *freeze_machine(void *unused)
{
    (void)unused;
    if (system("/bin/freeze") < 0)
        perror("observe: freeze");
    return NULL;
}

void run_command(const char *line, char *answer, size_t answer_bytes)
{
    char word[16] = "";
    int used = 0;

    sscanf(line, "%15s %n", word, &used);
    if (!strcmp(word, "view"))
        view(answer, answer_bytes);
    else if (!strcmp(word, "verify"))
        disk_verify(answer, answer_bytes);
    else if (!strcmp(word, "mark"))
        mark(line + used, answer, answer_bytes);
    else if (!strcmp(word, "pace"))
        pace(line + used, answer, answer_bytes);
    else if (!strcmp(word, "latency"))
        latency(line + used, answer, answer_bytes);
    else if (!strcmp(word, "dirty"))
        dirty(line + used, answer, answer_bytes);
    else if (!strcmp(word, "fill"))
        fill(line + used, answer, answer_bytes);
    else if (!strcmp(word, "read"))
        probe_read(line + used, answer, answer_bytes);
    else if (!strcmp(word, "write"))
        probe_write(line + used, answer, answer_bytes);
    else if (!strcmp(word, "sh"))
        probe_shell(line + used, answer, answer_bytes);
    else if (!strcmp(word, "identity"))
        ask_program("/bin/identity", answer, answer_bytes);
    else if (!strcmp(word, "flood"))
        flood(line + used, answer, answer_bytes);
    else if (!strcmp(word, "freeze")) {
        snprintf(answer, answer_bytes, "{\"freeze\":true}");
        start_thread(freeze_machine, NULL);
    } else if (!strcmp(word, "poweroff") || !strcmp(word, "crash") ||
              !strcmp(word, "reboot")) {
        snprintf(answer, answer_bytes, "{\"%s\":true}", word);
        start_thread(end_machine, word[0] == 'c' ? "c"
                                  : word[0] == 'r' ? "r" : "p");
    } else if (!strcmp(word, "exit")) {
        snprintf(answer, answer_bytes, "{\"exit\":true}");
        _exit((int)strtol(line + used, NULL, 10));
    } else
        snprintf(answer, answer_bytes, "{\"error\":\"no such command\"}");
}
