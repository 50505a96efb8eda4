/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's record of a domain in the form that yajl writes (until 4.20) and in
 * that of json-c (from 4.21), with "/" as "\/".  A JSON parser stands in for
 * libxl's, which needs a Xen below it.
 */
#include "config.h"

#include "xen/hotplug.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <yajl/yajl_tree.h>

#define HELPER XENFORK_LIBEXEC_DIR "/xenfork-hotplug"

static xenfork_ctx ctx;
static const char *record;

int __wrap_libxl_userdata_retrieve(libxl_ctx *xl, uint32_t domid,
                                   const char *id, uint8_t **data_out,
                                   int *bytes_out);
int __wrap_libxl_userdata_retrieve(libxl_ctx *xl, uint32_t domid,
                                   const char *id, uint8_t **data_out,
                                   int *bytes_out)
{
    (void)xl;
    (void)domid;
    assert_string_equal(id, "libxl-json");
    *data_out = (uint8_t *)strdup(record);
    *bytes_out = (int)strlen(record) + 1;
    return *data_out ? 0 : ERROR_NOMEM;
}

static void parse_script(yajl_val device, char **script_out)
{
    static const char *path[] = {"script", NULL};
    const char *script = YAJL_GET_STRING(
        yajl_tree_get(device, path, yajl_t_string));

    *script_out = script ? strdup(script) : NULL;
}

static yajl_val devices(yajl_val root, const char *kind)
{
    const char *path[] = {kind, NULL};

    return yajl_tree_get(root, path, yajl_t_array);
}

/* One disk and one NIC, which libxl's own dispose() frees. */
int __wrap_libxl_domain_config_from_json(libxl_ctx *xl,
                                         libxl_domain_config *config,
                                         const char *text);
int __wrap_libxl_domain_config_from_json(libxl_ctx *xl,
                                         libxl_domain_config *config,
                                         const char *text)
{
    yajl_val root = yajl_tree_parse(text, NULL, 0);

    (void)xl;
    if (!root)
        return ERROR_FAIL;
    config->disks = calloc(1, sizeof(*config->disks));
    config->nics = calloc(1, sizeof(*config->nics));
    assert_non_null(config->disks);
    assert_non_null(config->nics);
    config->num_disks = config->num_nics = 1;
    parse_script(devices(root, "disks")->u.array.values[0],
                 &config->disks->script);
    parse_script(devices(root, "nics")->u.array.values[0],
                 &config->nics->script);
    yajl_tree_free(root);
    return 0;
}

/* Write "/" as "\/". */
static char *as_json_c(const char *text)
{
    char *copy = calloc(2, strlen(text) + 1), *to = copy;

    assert_non_null(copy);
    for (; *text; *to++ = *text++)
        if (*text == '/')
            *to++ = '\\';
    return copy;
}

/* A record with a disk and a NIC of these scripts, in both forms. */
static void check_both(const char *disk, const char *nic, int expected)
{
    cleanup_free char *plain = NULL;
    cleanup_free char *escaped = NULL;

    assert_true(asprintf(&plain,
                         "{\"disks\":[{\"pdev_path\":\"/srv/c.img\","
                         "\"vdev\":\"xvda\",\"script\":\"%s\"}],"
                         "\"nics\":[{\"devid\":0,\"script\":\"%s\"}]}",
                         disk, nic) > 0);
    escaped = as_json_c(plain);
    assert_non_null(strstr(escaped, "\\/srv\\/c.img"));
    record = plain;
    assert_int_equal(xenfork__hotplug_check(&ctx, 7), expected);
    record = escaped;
    assert_int_equal(xenfork__hotplug_check(&ctx, 7), expected);
}

static void test_helper_in_a_record(void **state)
{
    (void)state;
    check_both("/etc/xen/scripts/block", "/etc/xen/scripts/vif-bridge", 0);
    check_both(HELPER, "/etc/xen/scripts/vif-bridge", XENFORK_E_XEN);
    check_both("/etc/xen/scripts/block", HELPER, XENFORK_E_XEN);
    check_both("/etc/xen/scripts/block", HELPER "-hold", XENFORK_E_XEN);
}

static void test_malformed(void **state)
{
    (void)state;
    record = "{\"disks\":[{\"script\":";
    assert_int_equal(xenfork__hotplug_check(&ctx, 7), XENFORK_E_XEN);
}

static int setup(void **state)
{
    static struct xenfork__xen xen;

    (void)state;
    ctx.xen = &xen;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_helper_in_a_record),
        cmocka_unit_test(test_malformed),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
