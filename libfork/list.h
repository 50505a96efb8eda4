/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list's entries, for the files that answer for it. */
#ifndef LIBFORK_LIST_H
#define LIBFORK_LIST_H

#include "internal.h"
#include "node.h"

/* NULL: there is no such entry. */
const struct xenfork__node *xenfork__list_node(const xenfork_list *list,
                                               uint32_t index);

#endif
