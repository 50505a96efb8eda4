/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Complaints, and a clock, for all of the agent. */
#ifndef GUEST_UTIL_H
#define GUEST_UTIL_H

/* Print one line to standard error. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Return the milliseconds of a clock that stands still while the domain is
 * suspended.
 */
long long now_ms(void);

#endif
