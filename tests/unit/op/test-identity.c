/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing who the clones are: whatever is used already, read once. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/internal.h"
#include "../lib/fake-xen.h"
#include "../lib/fork-scene.h"
#include "op/identity.h"

static struct xenfork__config *config;

static int setup(void **state)
{
    struct fork_scene *s;

    fork_setup(state);
    s = *state;
    assert_int_equal(xenfork__xen_config_get(s->ctx, s->src, &config), 0);
    return 0;
}

static int teardown(void **state)
{
    xenfork__config_free(config);
    return fork_teardown(state);
}

/* So many; the calls that it took. */
static uint32_t choose(struct fork_scene *s, uint32_t count,
                       struct xenfork__journal **journal_out,
                       struct xenfork__identity **ids_out)
{
    xenfork_spec *spec;
    uint32_t calls;

    assert_int_equal(xenfork_spec_new(count, &spec), 0);
    assert_int_equal(xenfork__journal_begin(s->ctx, journal_out), 0);
    fake_disarm();
    assert_int_equal(xenfork__identities_choose(s->ctx, spec, "src", config,
                                                *journal_out, ids_out),
                     0);
    calls = fake_calls();
    xenfork_spec_free(spec);
    return calls;
}

/* Neither Xen is asked more, nor the journal written more, for more clones. */
static void test_many(void **state)
{
    static const uint32_t counts[] = {1, 64, 128, 256, 512, 1024};
    struct fork_scene *s = *state;
    uint32_t first = 0, i;

    for (i = 0; i < ARRAY_SIZE(counts); i++) {
        struct xenfork__identity *ids;
        struct xenfork__journal *journal;
        uint64_t start_ns = xenfork__now_ns();
        uint32_t calls = choose(s, counts[i], &journal, &ids);

        print_message(
            "# %u clones: %llu us\n", counts[i],
            (unsigned long long)((xenfork__now_ns() - start_ns) / 1000));
        first = i ? first : calls;
        assert_int_equal(calls, first);
        xenfork__identities_free(ids, counts[i]);
        assert_int_equal(xenfork__journal_commit(s->ctx, journal), 0);
    }
}

static bool is_among(const struct xenfork__identity *ids, uint32_t count,
                     const struct xenfork__identity *id)
{
    uint32_t i;

    for (i = 0; i < count; i++)
        if (!strcmp(ids[i].name, id->name) ||
            !memcmp(ids[i].nics[0].mac, id->nics[0].mac, 6) ||
            !memcmp(ids[i].uuid, id->uuid, 16))
            return true;
    return false;
}

/* Two forks at once: what one has chosen, the other does not. */
static void test_at_once(void **state)
{
    struct fork_scene *s = *state;
    struct xenfork__identity *ids[2];
    struct xenfork__journal *journals[2];
    uint32_t i;

    choose(s, 40, &journals[0], &ids[0]);
    choose(s, 40, &journals[1], &ids[1]);
    assert_string_equal(ids[0][39].name, "src-40");
    assert_string_equal(ids[1][0].name, "src-41");
    for (i = 0; i < 40; i++) {
        assert_false(is_among(ids[0], i, &ids[0][i]));
        assert_false(is_among(ids[0], 40, &ids[1][i]));
    }
    /* Nor may anybody ask for it: name, MAC or UUID. */
    assert_int_equal(xenfork_spec_set_name(s->spec, 0, "src-7"), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_NAMETAKEN);
    assert_int_equal(xenfork_spec_set_name(s->spec, 0, "free"), 0);
    assert_int_equal(
        xenfork_spec_set_nic_mac(s->spec, 0, 0, ids[1][3].nics[0].mac), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_MACTAKEN);
    assert_int_equal(xenfork_spec_set_nic_mac(
                         s->spec, 0, 0, (const uint8_t[]){2, 0, 0, 0, 0, 1}),
                     0);
    assert_int_equal(xenfork_spec_set_uuid(s->spec, 0, ids[0][39].uuid), 0);
    assert_int_equal(fork_it(s, s->src), XENFORK_E_UUIDTAKEN);
    for (i = 0; i < 2; i++) {
        xenfork__identities_free(ids[i], 40);
        assert_int_equal(xenfork__journal_commit(s->ctx, journals[i]), 0);
    }
    assert_int_equal(fork_it(s, s->src), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_many),
        TEST(test_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
