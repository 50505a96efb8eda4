/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Return what is in a list, entry by entry. */
#include "op/list.h"

#include "op/leave.h"

static const struct xenfork__list_entry *at(const xenfork_list *list,
                                            uint32_t index)
{
    return index < list->count ? &list->entries[index] : NULL;
}

const struct xenfork__node *xenfork__list_node(const xenfork_list *list,
                                               uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->node : NULL;
}

XENFORK_API uint32_t xenfork_list_count(const xenfork_list *list)
{
    return list->count;
}

XENFORK_API int xenfork_list_kind(const xenfork_list *list, uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->kind : 0;
}

XENFORK_API uint32_t xenfork_list_domid(const xenfork_list *list,
                                        uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_list_name(const xenfork_list *list,
                                          uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->name : NULL;
}

XENFORK_API const char *xenfork_list_uuid(const xenfork_list *list,
                                          uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->uuid : NULL;
}

XENFORK_API const char *xenfork_list_parent(const xenfork_list *list,
                                            uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->parent_name : NULL;
}

XENFORK_API uint32_t xenfork_list_parent_domid(const xenfork_list *list,
                                               uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->parent_domid : XENFORK_DOMID_NONE;
}

XENFORK_API const char *xenfork_list_state(const xenfork_list *list,
                                           uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->state : NULL;
}

XENFORK_API const char *xenfork_list_left(const xenfork_list *list,
                                          uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e && xenfork__has_left(e->node, e->domid) ? e->node->left : NULL;
}

XENFORK_API const char *xenfork_list_ephemeral(const xenfork_list *list,
                                               uint32_t index)
{
    static const char *const words[] = {
        [XENFORK__EPHEMERAL_POWEROFF] = "poweroff",
        [XENFORK__EPHEMERAL_CRASH] = "crash",
    };
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? words[n->ephemeral] : NULL;
}

XENFORK_API uint64_t xenfork_list_created(const xenfork_list *list,
                                          uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->created_s : 0;
}

XENFORK_API uint64_t xenfork_list_total_kib(const xenfork_list *list,
                                            uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->pages * XENFORK__PAGE_KIB : 0;
}

XENFORK_API uint64_t xenfork_list_shared_kib(const xenfork_list *list,
                                             uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->shared_pages * XENFORK__PAGE_KIB : 0;
}

XENFORK_API uint64_t xenfork_list_private_kib(const xenfork_list *list,
                                              uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->private_pages * XENFORK__PAGE_KIB : 0;
}

XENFORK_API uint32_t xenfork_list_hydrated(const xenfork_list *list,
                                           uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->hydrated : 0;
}

XENFORK_API uint32_t xenfork_list_detached(const xenfork_list *list,
                                           uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n ? n->detached : 0;
}

XENFORK_API uint32_t xenfork_list_users(const xenfork_list *list,
                                        uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e ? e->users : 0;
}

XENFORK_API int xenfork_list_is_kept(const xenfork_list *list, uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n && n->is_kept;
}

XENFORK_API const char *xenfork_list_generation(const xenfork_list *list,
                                                uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n && n->generation[0] ? n->generation : NULL;
}

XENFORK_API int xenfork_list_is_ready(const xenfork_list *list, uint32_t index)
{
    const struct xenfork__node *n = xenfork__list_node(list, index);

    return n && n->is_ready;
}

XENFORK_API int xenfork_list_is_reseeded(const xenfork_list *list,
                                         uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e && (e->node->is_reseeded || e->answers.has_reseeded);
}

XENFORK_API const char *xenfork_list_error(const xenfork_list *list,
                                           uint32_t index)
{
    const struct xenfork__list_entry *e = at(list, index);

    return e && e->answers.fault[0] ? e->answers.fault : NULL;
}
