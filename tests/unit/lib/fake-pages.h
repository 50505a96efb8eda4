/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pages of the fake's domains, for the files of the fake. */
#ifndef FAKE_PAGES_H
#define FAKE_PAGES_H

#include "fake-xen.h"

static inline struct fake_frame *frame_of(const struct fake_page *page)
{
    return &fake->frames[page->frame];
}

/* Return a frame that has one owner. */
uint32_t fake_new_frame(uint64_t content, uint64_t handle);
/* Return where a page is in the domain's list, or where it would be. */
uint32_t fake_place(const struct fake_domain *d, uint64_t gfn);
/* Take a page of the host for the domain.  False: there is none. */
bool fake_take_page(struct fake_domain *d);

#endif
