/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a clone has not adapted: the first step that failed. */
#ifndef GUEST_FAULT_H
#define GUEST_FAULT_H

#define FAULT_CHARS 200

struct fault {
    char text[FAULT_CHARS]; /* "STEP: REASON", printable ASCII; "": none */
};

/* Note a fault; only the first counts.  NULL as FAULT: nobody asks. */
void fault_note(struct fault *fault, const char *step, const char *reason);

#endif
