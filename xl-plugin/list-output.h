/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef XL_PLUGIN_LIST_OUTPUT_H
#define XL_PLUGIN_LIST_OUTPUT_H

#include <xenfork.h>

#include "output.h"

/* Write an image or clone as a JSON map. */
void json_entry(struct json *json, const xenfork_entry *entry);

#endif
