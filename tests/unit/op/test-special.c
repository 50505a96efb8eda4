/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * HVM domains of 3.5, 4, 5 and 64 GiB: their memory lies on both sides of the
 * hole for devices, and QEMU's own beyond it.
 */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "op/special.h"
#include "op/walk.h"

#define BATCH 1024U
#define SPANS 12U

/* Pages that are there, from first to end. */
struct span {
    uint64_t first, end;
};

/* The last is all zero. */
struct layout {
    uint64_t ram_mib, hole_kib;
    struct span ram[SPANS], special[SPANS];
};

/*
 * As meminit_hvm() (xg_dom_x86.c) populates RAM, without VGA's window; then
 * hvmloader's and libxc's pages below 4 GiB, the frame buffer of 16 MiB where
 * PCI has put it (0xf0000000), and option ROMs where QEMU puts them, behind
 * all RAM and the frame buffer's first place: 4.17, QEMU 7.2.
 */
#define BELOW                                                   \
    {0xf0000, 0xf1000}, {0xfc000, 0xfc00b}, {0xfeff2, 0xfeff8}, \
    {                                                           \
        0xfeff8, 0xff000                                        \
    }
static const struct layout layouts[] = {
    {3584, 0, {{0, 0xa0}, {0xc0, 0xe0000}}, {{0xe1000, 0xe1050}, BELOW}},
    {4096,
     0,
     {{0, 0xa0}, {0xc0, 0xf0000}, {0x100000, 0x110000}},
     {BELOW, {0x111000, 0x111050}}},
    {5120,
     0,
     {{0, 0xa0}, {0xc0, 0xf0000}, {0x100000, 0x150000}},
     {BELOW, {0x151000, 0x151050}}},
    {65536,
     0,
     {{0, 0xa0}, {0xc0, 0xf0000}, {0x100000, 0x1010000}},
     {BELOW, {0x1011000, 0x1011050}}},
    /* mmio_hole=1024: RAM ends at 3 GiB. */
    {5120,
     1024 << 10,
     {{0, 0xa0}, {0xc0, 0xc0000}, {0x100000, 0x180000}},
     {{0xc0000, 0xc1000},
      {0xfc000, 0xfc00b},
      {0xfeff2, 0xff000},
      {0x181000, 0x181050}}},
    /* More than 4 GiB cannot be: as usual. */
    {4096,
     5120 << 10,
     {{0, 0xa0}, {0xc0, 0xf0000}, {0x100000, 0x110000}},
     {BELOW}},
};

static bool lies_in(const struct span *spans, uint64_t gfn)
{
    size_t i;

    for (i = 0; i < SPANS && spans[i].end; i++)
        if (gfn >= spans[i].first && gfn < spans[i].end)
            return true;
    return false;
}

static uint64_t count_in(const struct span *spans)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < SPANS; i++)
        n += spans[i].end - spans[i].first;
    return n;
}

static uint64_t end_of(const struct layout *l)
{
    uint64_t end = 0;
    size_t i;

    for (i = 0; i < SPANS; i++) {
        end = l->ram[i].end > end ? l->ram[i].end : end;
        end = l->special[i].end > end ? l->special[i].end : end;
    }
    return end;
}

/* Walk over all of it, and put what is found into a list. */
static void walk_over(const struct layout *l, struct xenfork__pages *pages)
{
    struct xenfork__walk walk = {
        .end = end_of(l), .counted = count_in(l->ram) + count_in(l->special)};
    bool present[BATCH];
    uint32_t i, n;

    pages->end = (walk.end / 64 + 1) * 64;
    pages->known = calloc(pages->end / 64, sizeof(*pages->known));
    assert_non_null(pages->known);
    while ((n = xenfork__walk_next(&walk, BATCH))) {
        for (i = 0; i < n; i++) {
            uint64_t gfn = walk.gfn + i;

            present[i] = lies_in(l->ram, gfn) || lies_in(l->special, gfn);
            if (present[i])
                pages->known[gfn / 64] |= UINT64_C(1) << gfn % 64;
        }
        xenfork__walk_note(&walk, present, n);
    }
    assert_false(xenfork__walk_is_short(&walk));
    assert_int_equal(walk.seen, walk.counted);
}

/* Every page is found, and QEMU's are told from RAM. */
static void test_layouts(void **state)
{
    size_t k;

    (void)state;
    for (k = 0; k < ARRAY_SIZE(layouts); k++) {
        const struct layout *l = &layouts[k];
        struct xenfork__pages pages = {0};
        uint64_t low = 0, high = 0, *gfns = NULL;
        uint32_t i, count = 0;

        walk_over(l, &pages);
        xenfork__ram_layout(l->ram_mib << 8, l->hole_kib, &low, &high);
        assert_int_equal(
            xenfork__pages_special(NULL, &pages, low, high, &gfns, &count), 0);
        assert_int_equal(count, count_in(l->special));
        for (i = 0; i < count; i++) {
            assert_true(lies_in(l->special, gfns[i]));
            assert_true(!i || gfns[i] > gfns[i - 1]);
        }
        free(gfns);
        xenfork__pages_free(&pages);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
