/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-pool DOMID: use up the memory that Xen has for a domain's page tables,
 * as its guest may: map a page far away, again and again.  Xen keeps the tables
 * of where it was before.  Say how many that were.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

#define FIRST 0x400000U /* 16 GiB */
#define STEP  512U      /* what one table maps */
#define MOST  100000U
#define FRAME 8U /* of the grant table: Linux does not use so many */

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint32_t domid = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
    uint32_t n = 0;

    if (!xch || !domid)
        return 1;
    while (n < MOST &&
           !xc_domain_add_to_physmap(xch, domid, XENMAPSPACE_grant_table, FRAME,
                                     FIRST + (xen_pfn_t)n * STEP))
        n++;
    printf("%u tables, then: %s\n", n, strerror(errno));
    xc_interface_close(xch);
    return n < 2 || n == MOST || errno != ENOMEM;
}
