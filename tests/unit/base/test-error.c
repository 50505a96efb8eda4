/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error.c, context.c: names, the last error, what the logger gets. */
#include "config.h"

#include "base/internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fake-xen.h"
#include "../lib/scene.h"

static void test_code_names(void **state)
{
    static const struct {
        int code;
        const char *name;
    } codes[] = {
        {0, "OK"},
#define CODE(name) {XENFORK_E_##name, #name}
        CODE(NOMEM),       CODE(INVAL),      CODE(PERM),       CODE(NOTFOUND),
        CODE(XEN),         CODE(HYPERVISOR), CODE(PV),         CODE(HVM),
        CODE(PASSTHROUGH), CODE(NOSUSPEND),  CODE(TIMEOUT),    CODE(NAMETAKEN),
        CODE(MACTAKEN),    CODE(UUIDTAKEN),  CODE(HOSTMEM),    CODE(INUSE),
        CODE(DISK),        CODE(DEVICE),     CODE(NOTRUNNING), CODE(BUSY),
        CODE(CANCELLED),   CODE(STATE),      CODE(NOTOURS),    CODE(RESIDUE),
        CODE(NOTFROZEN),   CODE(NOTADAPTED), CODE(NOSPC),      CODE(EXISTS),
        CODE(IO),
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        assert_int_equal(codes[i].code, -(int)i); /* released: for ever */
        assert_string_equal(xenfork_code_name(codes[i].code), codes[i].name);
    }
    assert_string_equal(xenfork_code_name(1), "UNKNOWN");
    assert_string_equal(xenfork_code_name(-(int)i), "UNKNOWN");
    assert_string_equal(xenfork_code_name(INT32_MIN), "UNKNOWN");
}

/* A guest's text does not move the cursor of a terminal. */
static void test_clean(void **state)
{
    static const struct {
        const char *said, *shown;
    } texts[] = {
        {"suspend", "suspend"},
        {"\033[2J\033]0;x\007", "?[2J?]0;x?"},
        {"a\nb\tc\rd\177", "a b c?d?"},
        {"b\303\274cher \342\202\254 \360\237\230\200",
         "b\303\274cher \342\202\254 \360\237\230\200"},
        /* CSI in one byte, and as a character; what is cut off. */
        {"\2332J \302\2332J \303", "?2J ?"
                                   "?2J ?"},
    };
    xenfork_ctx ctx = {.logger = NULL};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        xenfork__fail(&ctx, XENFORK_E_BUSY, 0, "%s", texts[i].said);
        assert_string_equal(ctx.error.text, texts[i].shown);
        xenfork__miss(&ctx, XENFORK_E_BUSY, "%s", texts[i].said);
        assert_string_equal(ctx.error.text, texts[i].shown);
        xenfork__remedy(&ctx, "%s", texts[i].said);
        assert_string_equal(ctx.error.remedy, texts[i].shown);
    }
}

static void test_stage_names(void **state)
{
    static const char *const names[] = {
        "none",    "check", "reserve", "prepare", "suspend",
        "capture", "disks", "share",   "resume",  "seal",
        "create",  "fork",  "attach",  "unpause", "hydrate",
        "stun",    "total", "ready",   "detach",  "pauses",
    };
    int i;

    (void)state;
    for (i = 0; i < XENFORK_STAGES; i++)
        assert_string_equal(xenfork_stage_name(i), names[i]);
    assert_string_equal(xenfork_stage_name(XENFORK_STAGES), "unknown");
    assert_string_equal(xenfork_stage_name(-1), "unknown");
    assert_string_equal(xenfork_count_name(XENFORK_COUNT_PAGES_SHARED),
                        "pages_shared");
    assert_string_equal(xenfork_count_name(XENFORK_COUNT_PAGES_LAST),
                        "pages_last");
    assert_string_equal(xenfork_count_name(XENFORK_COUNT_XENSTORE_OPS),
                        "xenstore_ops");
    assert_string_equal(xenfork_count_name(XENFORK_COUNT_XENSTORE_WAITS),
                        "xenstore_waits");
    assert_string_equal(xenfork_count_name(XENFORK_COUNTS), "unknown");
    assert_string_equal(xenfork_count_name(-1), "unknown");
}

struct counting_logger {
    xentoollog_logger vtable;
    uint32_t errors;
    int errnoval;
    char text[128];
};

static void take_message(xentoollog_logger *logger, xentoollog_level level,
                         int errnoval, const char *context, const char *fmt,
                         va_list ap) __attribute__((format(printf, 5, 0)));

static void take_message(xentoollog_logger *logger, xentoollog_level level,
                         int errnoval, const char *context, const char *fmt,
                         va_list ap)
{
    struct counting_logger *l = (struct counting_logger *)logger;

    assert_string_equal(context, "xenfork");
    if (level != XTL_ERROR)
        return;
    l->errors++;
    l->errnoval = errnoval;
    vsnprintf(l->text, sizeof(l->text), fmt, ap);
}

static void no_progress(xentoollog_logger *logger, const char *context,
                        const char *doing_what, int percent, unsigned long done,
                        unsigned long total)
{
    (void)logger;
    (void)context;
    (void)doing_what;
    (void)percent;
    (void)done;
    (void)total;
}

static void no_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

static void test_made_once(void **state)
{
    struct counting_logger l = {
        .vtable = {take_message, no_progress, no_destroy}};
    xenfork_ctx *ctx;

    (void)state;
    fake_setup();
    assert_int_equal(xenfork_open(&ctx, &l.vtable, 0), 0);
    ctx->domid = 7;
    ctx->stage = XENFORK_STAGE_SHARE;
    assert_int_equal(
        xenfork__fail(ctx, XENFORK_E_XEN, ENOENT, "cannot %s", "this"),
        XENFORK_E_XEN);
    assert_int_equal(l.errors, 1);
    assert_int_equal(l.errnoval, ENOENT);
    assert_string_equal(l.text, "cannot this");
    assert_int_equal(xenfork_error_code(ctx), XENFORK_E_XEN);
    assert_int_equal(xenfork_error_stage(ctx), XENFORK_STAGE_SHARE);
    assert_int_equal(xenfork_error_errno(ctx), ENOENT);
    assert_int_equal(xenfork_error_domid(ctx), 7);
    assert_non_null(strstr(xenfork_error_text(ctx), "cannot this"));
    assert_string_equal(xenfork_error_remedy(ctx), "");
    assert_int_equal(xenfork__remedy(ctx, "do %d", 1), XENFORK_E_XEN);
    assert_string_equal(xenfork_error_remedy(ctx), "do 1");
    /* 0 would print ": Success". */
    assert_int_equal(xenfork__fail(ctx, XENFORK_E_PV, 0, "no"), XENFORK_E_PV);
    assert_int_equal(l.errnoval, -1);
    assert_string_equal(xenfork_error_text(ctx), "no");
    assert_string_equal(xenfork_error_remedy(ctx), "");
    /* Expected outcomes are not logged. */
    assert_int_equal(xenfork__miss(ctx, XENFORK_E_NOTFOUND, "none"),
                     XENFORK_E_NOTFOUND);
    assert_int_equal(l.errors, 2);
    assert_string_equal(xenfork_error_text(ctx), "none");
    xenfork_close(ctx);
    xenfork_close(NULL);
    fake_teardown();
}

/* errno says more than that a disk, or a record, failed. */
static void test_refined(void **state)
{
    static const struct {
        int code, errnoval, is;
    } cases[] = {
        {XENFORK_E_DISK, ENOSPC, XENFORK_E_NOSPC},
        {XENFORK_E_DISK, EDQUOT, XENFORK_E_NOSPC},
        {XENFORK_E_DISK, EEXIST, XENFORK_E_EXISTS},
        {XENFORK_E_DISK, EIO, XENFORK_E_IO},
        {XENFORK_E_DISK, EACCES, XENFORK_E_DISK},
        {XENFORK_E_DISK, 0, XENFORK_E_DISK},
        {XENFORK_E_STATE, ENOSPC, XENFORK_E_NOSPC},
        {XENFORK_E_STATE, EIO, XENFORK_E_STATE},
        {XENFORK_E_XEN, ENOSPC, XENFORK_E_XEN},
    };
    xenfork_ctx ctx = {.guard_fd = -1};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(
            xenfork__fail(&ctx, cases[i].code, cases[i].errnoval, "cannot"),
            cases[i].is);
        assert_int_equal(xenfork_error_code(&ctx), cases[i].is);
    }
}

static void test_long_text(void **state)
{
    char longest[2000];
    xenfork_ctx *ctx;

    (void)state;
    fake_setup();
    ctx = scene_open();
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    xenfork__fail(ctx, XENFORK_E_XEN, EIO, "%s", longest);
    assert_int_equal(strlen(xenfork_error_text(ctx)), XENFORK__TEXT_BYTES - 1);
    xenfork_close(ctx);
    fake_teardown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_code_names),  cmocka_unit_test(test_clean),
        cmocka_unit_test(test_stage_names), cmocka_unit_test(test_made_once),
        cmocka_unit_test(test_refined),     cmocka_unit_test(test_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
