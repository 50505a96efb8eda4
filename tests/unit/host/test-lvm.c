/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host/lvm-pool.c: pools in which LVM makes no snapshot. */
#include "config.h"

#include "host/lvm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "host/run.h"

static xenfork_ctx ctx;
static const char *state, *threshold;
static char profile[32];

/* As lvs and lvmconfig of LVM 2.03 write it. */
int xenfork__sys_run(xenfork_ctx *c, int code, const char *const argv[],
                     char **output_out)
{
    const char *text = "  pool \n";

    (void)c;
    (void)code;
    if (!strcmp(argv[0], "lvmconfig")) {
        text = threshold;
        snprintf(profile, sizeof(profile), "%s", argv[4] ? argv[5] : "");
    } else if (strcmp(argv[3], "pool_lv") != 0) {
        text = state;
    }
    *output_out = strdup(text);
    return *output_out ? 0 : XENFORK_E_NOMEM;
}

/* A pool that needs a repair, or may not be written, has space. */
static int code_of(const char *refusal)
{
    return strstr("repair read-only", refusal) ? XENFORK_E_DISK
                                               : XENFORK_E_NOSPC;
}

static void look(const char *at, const char *limit, const char *refusal)
{
    int rc;

    state = at;
    threshold = limit;
    rc = xenfork__lv_check_pool(&ctx, "vg0", "vg0/src");
    if (!refusal) {
        assert_int_equal(rc, 0);
        return;
    }
    assert_int_equal(rc, code_of(refusal));
    if (!strstr(ctx.error.text, refusal))
        print_error("%s\n", ctx.error.text);
    assert_non_null(strstr(ctx.error.text, refusal));
    assert_non_null(strstr(ctx.error.text, "vg0/pool"));
    assert_true(ctx.error.remedy[0]);
}

#define OFF "thin_pool_autoextend_threshold=100\n"
#define ON  "thin_pool_autoextend_threshold=70\n"

static void test_data(void **s)
{
    (void)s;
    look("  12.50|11.23|8388608||||writeable\n", OFF, NULL);
    look("  99.99|11.23|8388608||||writeable\n", OFF, NULL);
    look("  100.00|11.23|8388608||||writeable\n", OFF, "data of");
    look("  70.00|11.23|8388608||||writeable\n", ON, NULL);
    look("  70.01|11.23|8388608||||writeable\n", ON, "above 70.00 %");
}

/* A quarter has to be free, or 4 MiB where that is less. */
static void test_metadata(void **s)
{
    (void)s;
    look("  12.50|74.00|4194304||||writeable\n", OFF, NULL);
    look("  12.50|75.00|4194304||||writeable\n", OFF, "above 75.00 %");
    look("  12.50|90.00|67108864||||writeable\n", OFF, NULL);
    look("  12.50|93.75|67108864||||writeable\n", OFF, "metadata");
    look("  12.50|72.00|67108864||||writeable\n", ON, "above 70.00 %");
}

static void test_health(void **s)
{
    (void)s;
    look("  12.50|1.00|4194304|metadata_read_only|||writeable\n", OFF,
         "repair");
    look("  12.50|1.00|4194304||check needed||writeable\n", OFF, "repair");
    look("  12.50|1.00|4194304||||read-only\n", OFF, "read-only");
    look("  100.00|1.00|4194304|out_of_data|||writeable\n", OFF, "full");
}

/* A pool may have a profile of its own. */
static void test_profile(void **s)
{
    (void)s;
    look("  12.50|11.23|8388608||||writeable\n", OFF, NULL);
    assert_string_equal(profile, "");
    look("  80.00|11.23|8388608|||tight|writeable\n", ON, "above 70.00 %");
    assert_string_equal(profile, "tight");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data), cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_health), cmocka_unit_test(test_profile)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
