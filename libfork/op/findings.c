/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The findings of a check: as its caller sees them, and as one error. */
#include "op/findings.h"

#include <string.h>

#include "op/check.h"
#include "op/view.h"

XENFORK_API void xenfork_check_free(xenfork_check *check)
{
    uint32_t i;

    if (!check)
        return;
    for (i = 0; i < check->count; i++) {
        free(check->findings[i].text);
        free(check->findings[i].remedy);
    }
    for (i = 0; i < check->disk_count; i++)
        free((char *)check->disks[i].vdev);
    free(check->findings);
    free(check->disks);
    free(check);
}

/* Tell whether a code answers "can it be forked?"; the others are failures. */
static bool is_finding(int code)
{
    switch (code) {
    case XENFORK_E_INVAL:
    case XENFORK_E_HYPERVISOR:
    case XENFORK_E_PV:
    case XENFORK_E_HVM:
    case XENFORK_E_PASSTHROUGH:
    case XENFORK_E_NOSUSPEND:
    case XENFORK_E_NAMETAKEN:
    case XENFORK_E_MACTAKEN:
    case XENFORK_E_UUIDTAKEN:
    case XENFORK_E_HOSTMEM:
    case XENFORK_E_DISK:
    case XENFORK_E_DEVICE:
    case XENFORK_E_NOTRUNNING:
    case XENFORK_E_NOSPC:
    case XENFORK_E_EXISTS:
    case XENFORK_E_IO:
    case XENFORK_E_BUSY:
        return true;
    default:
        return false;
    }
}

int xenfork__finding_note(xenfork_ctx *ctx, xenfork_check *check, int rc)
{
    struct xenfork_finding *findings;
    cleanup_free char *text = NULL;
    cleanup_free char *remedy = NULL;

    if (rc == 0 || !is_finding(rc))
        return rc;
    text = strdup(ctx->error.text);
    remedy = strdup(ctx->error.remedy);
    findings = reallocarray(check->findings, check->count + 1,
                            sizeof(*findings));
    if (findings)
        check->findings = findings;
    if (!findings || !text || !remedy)
        return xenfork__nomem(ctx);
    findings[check->count++] = (struct xenfork_finding){
        .code = rc, .text = steal_ptr(text), .remedy = steal_ptr(remedy)};
    return 0;
}

static const char *words_of(const struct xenfork_finding *f, bool is_remedy)
{
    return is_remedy ? f->remedy : f->text;
}

static bool is_finding_repeated(const xenfork_check *check, uint32_t i,
                                bool is_remedy)
{
    uint32_t j;

    for (j = 0; j < i; j++)
        if (!strcmp(words_of(&check->findings[j], is_remedy),
                    words_of(&check->findings[i], is_remedy)))
            return true;
    return false;
}

/*
 * Join the texts, or the remedies, of all findings, each once; what there is no
 * room for is counted.
 */
static void join_findings(const xenfork_check *check, bool is_remedy, char *out,
                          size_t bytes)
{
    size_t used = 0, kept = bytes - sizeof("; and 4294967295 more");
    uint32_t i, left = 0;

    *out = '\0';
    for (i = 0; i < check->count; i++) {
        const char *text = words_of(&check->findings[i], is_remedy);

        if (!*text || is_finding_repeated(check, i, is_remedy))
            continue;
        if (used && used + 2 + strlen(text) > kept) {
            left++;
            continue;
        }
        snprintf(out + used, kept + 1 - used, "%s%s", used ? "; " : "", text);
        used = strlen(out);
    }
    if (left)
        snprintf(out + used, bytes - used, "; and %u more", left);
}

int xenfork__check_fail(xenfork_ctx *ctx, const xenfork_check *check)
{
    char texts[XENFORK__TEXT_BYTES - 64], remedies[XENFORK__TEXT_BYTES - 1];

    if (!check->count)
        return 0;
    join_findings(check, false, texts, sizeof(texts));
    join_findings(check, true, remedies, sizeof(remedies));
    xenfork__fail(ctx, check->findings[0].code, 0,
                  "domain %u cannot be forked: %s", ctx->domid, texts);
    return xenfork__remedy(ctx, "%s", remedies);
}

XENFORK_API uint32_t xenfork_check_finding_count(const xenfork_check *check)
{
    return check ? check->count : 0;
}

XENFORK_API const xenfork_finding *xenfork_check_finding(
    const xenfork_check *check, uint32_t index)
{
    return check && index < check->count ? &check->findings[index] : NULL;
}

XENFORK_API int xenfork_finding_code(const xenfork_finding *finding)
{
    return finding ? finding->code : 0;
}

XENFORK_API const char *xenfork_finding_text(const xenfork_finding *finding)
{
    return finding ? finding->text : NULL;
}

XENFORK_API const char *xenfork_finding_remedy(const xenfork_finding *finding)
{
    return finding ? finding->remedy : NULL;
}

XENFORK_API uint32_t xenfork_check_disk_count(const xenfork_check *check)
{
    return check ? check->disk_count : 0;
}

XENFORK_API const xenfork_disk *xenfork_check_disk(const xenfork_check *check,
                                                   uint32_t index)
{
    return check && index < check->disk_count ? &check->disks[index] : NULL;
}
