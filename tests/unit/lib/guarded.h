/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon's guard of memory in a test: three hydrated clones of "src". */
#ifndef GUARDED_H
#define GUARDED_H

#include <stdint.h>

#include "fake-host.h"
#include "serving.h"

#define MIB   256U
#define LOW   (64U * MIB)
#define FLOOR (32U * MIB)
#define OK    (96U * MIB)
#define AMPLE 60000U

/* By their priorities: 90, 50 and 10. */
extern struct fake_domain *high, *middle, *low;

/* Before each test of cmocka's; serving_teardown() comes after it. */
int guarded_setup(void **state);
/* Let so many pages be free that nobody has claimed. */
void leave(uint64_t pages);
/* The daemon ends, and another one begins. */
void restart(void);
void later(uint64_t ms);

#endif
