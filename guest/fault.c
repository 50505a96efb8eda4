/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fault.h"

#include <stdio.h>

void fault_note(struct fault *fault, const char *step, const char *reason)
{
    char *at;

    if (!fault || fault->text[0])
        return;
    snprintf(fault->text, sizeof(fault->text), "%s: %s", step, reason);
    for (at = fault->text; *at; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
}
