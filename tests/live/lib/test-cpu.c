/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-cpu DOMID MS: every MS milliseconds one line, until it is killed: the
 * host's monotonic clock, and how long the domain has run, both in
 * milliseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <xenctrl.h>

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t info;
    struct timespec due;
    uint32_t domid;
    long step;

    if (argc != 3 || !xch)
        return 2;
    domid = (uint32_t)atoi(argv[1]);
    step = atol(argv[2]) * 1000000;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (xc_domain_getinfolist(xch, domid, 1, &info) == 1 &&
           info.domain == domid) {
        printf("%.3f %.3f\n", now_ms(), (double)info.cpu_time / 1e6);
        fflush(stdout);
        due.tv_nsec += step;
        due.tv_sec += due.tv_nsec / 1000000000;
        due.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
    }
    return 0;
}
