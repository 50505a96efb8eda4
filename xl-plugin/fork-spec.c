/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Make the request to the library from the options. */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "daemon-hint.h"
#include "exitcodes.h"
#include "fork-options.h"
#include "params.h"

static int set_names(xenfork_spec *spec, const struct fork_options *options)
{
    uint32_t i;

    if (!options->name)
        return 0;
    if (options->count == 1)
        return xenfork_spec_set_name(spec, 0, options->name);
    for (i = 0; i < options->count; i++) {
        char name[80];
        int rc;

        if (snprintf(name, sizeof(name), "%s-%u", options->name, i + 1) >=
            (int)sizeof(name))
            return XENFORK_E_INVAL;
        rc = xenfork_spec_set_name(spec, i, name);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int set_nic(xenfork_spec *spec, const struct nic_arg *nic)
{
    /* what all clones cannot have has been refused unless there is only one */
    uint32_t one_clone = nic->clone == XENFORK_ALL ? 0 : nic->clone;
    int rc = 0;

    if (nic->has_mac)
        rc = xenfork_spec_set_nic_mac(spec, one_clone, nic->nic, nic->mac);
    if (rc == 0 && nic->ip[0])
        rc = xenfork_spec_set_nic_ip(spec, one_clone, nic->nic, nic->ip);
    if (rc == 0 && nic->bridge[0])
        rc = xenfork_spec_set_nic_bridge(spec, nic->clone, nic->nic,
                                         nic->bridge);
    if (rc == 0 && nic->link != LINK_UNSET)
        rc = xenfork_spec_set_nic_link(spec, nic->clone, nic->nic, nic->link);
    return rc;
}

static int set_disk(xenfork_spec *spec, char *text)
{
    char *how = strchr(text, '=');
    int rc;

    *how = '\0';
    rc = xenfork_spec_set_disk(spec, text, how + 1);
    *how = '=';
    return rc;
}

static int set_reserve(xenfork_spec *spec, const struct reserve_arg *reserve)
{
    if (!reserve->is_set)
        return 0;
    if (reserve->is_percent)
        return xenfork_spec_set_reserve_percent(spec, reserve->value);
    return xenfork_spec_set_reserve_kib(spec, reserve->value);
}

/* Fill in the rest of a clone's spec; name the option that is refused. */
static int fill_guest(xenfork_spec *spec, const struct fork_options *options,
                      const char **option_out)
{
    uint32_t i;
    int rc = 0;

    if (options->has_mac_prefix) {
        *option_out = "--mac-prefix";
        rc = xenfork_spec_set_mac_prefix(spec, options->mac_prefix);
    }
    for (i = 0; rc == 0 && i < options->param_count; i++) {
        *option_out = "--param";
        rc = params_set(spec, options->params[i]);
    }
    if (rc == 0 && options->params_file) {
        *option_out = "--params-file";
        rc = params_load(spec, options->params_file, options->count)
                 ? 0
                 : XENFORK_E_INVAL;
    }
    return rc;
}

/*
 * Set what depends on the host.  Below memory_low clones would be paused as
 * soon as they are made, by the daemon.  Without it a source that finds no
 * memory waits for ever, or crashes: it needs all in reserve.
 */
int fork_set_host(xenfork_spec *spec, uint32_t source_reserve,
                  uint32_t memory_low_mib)
{
    bool is_guarded = daemon_runs();
    int rc = xenfork_spec_set_source_reserve(spec,
                                             is_guarded ? source_reserve : 100);

    if (rc < 0 || !is_guarded)
        return rc;
    return xenfork_spec_set_leave_kib(spec, memory_low_mib * UINT64_C(1024));
}

/* Set how long it may take, and how long the domain may stand still. */
static int set_times(xenfork_spec *spec, const struct fork_options *options,
                     const char **option_out)
{
    int rc = 0;

    if (rc == 0 && options->timeout_s) {
        *option_out = "--timeout";
        rc = xenfork_spec_set_timeout_ms(spec, options->timeout_s * 1000);
    }
    if (rc == 0 && options->max_stun_ms) {
        *option_out = "--max-stun";
        rc = xenfork_spec_set_max_stun_ms(spec, options->max_stun_ms);
    }
    if (rc == 0 && options->has_pace) {
        *option_out = "--pace";
        rc = xenfork_spec_set_pace(spec, options->pace);
    }
    return rc;
}

/* Fill in the spec; name the option that the library refuses. */
static int fill_spec(xenfork_spec *spec, const struct fork_options *options,
                     const char **option_out)
{
    uint32_t i;
    int rc;

    *option_out = "NAME";
    rc = set_names(spec, options);
    if (rc == 0 && options->has_uuid) {
        *option_out = "--uuid";
        rc = xenfork_spec_set_uuid(spec, 0, options->uuid);
    }
    if (rc == 0 && options->link != LINK_UNSET) {
        *option_out = "--net";
        rc = xenfork_spec_set_nic_link(spec, XENFORK_ALL, XENFORK_ALL,
                                       options->link);
    }
    for (i = 0; rc == 0 && i < options->nic_count; i++) {
        *option_out = "--nic";
        rc = set_nic(spec, &options->nics[i]);
    }
    for (i = 0; rc == 0 && i < options->disk_count; i++) {
        *option_out = "--disk";
        rc = set_disk(spec, options->disks[i]);
    }
    if (rc == 0) {
        *option_out = "--reserve";
        rc = set_reserve(spec, &options->reserve);
    }
    rc = rc ? rc
            : fork_set_host(spec, options->source_reserve,
                            options->memory_low_mib);
    if (rc == 0 && options->has_priority) {
        *option_out = "--priority";
        rc = xenfork_spec_set_priority(spec, options->priority);
    }
    if (rc == 0 && options->is_pause) {
        *option_out = "--quiesce";
        rc = xenfork_spec_set_quiesce(spec, XENFORK_QUIESCE_PAUSE);
    }
    rc = rc ? rc : set_times(spec, options, option_out);
    if (rc == 0 && options->is_paused) {
        *option_out = "--paused";
        rc = xenfork_spec_set_paused(spec, XENFORK_ALL, 1);
    }
    if (rc == 0) {
        *option_out = "--hydrate, --keep-image, --ephemeral, --max-stun";
        rc = xenfork_spec_set_flags(spec, options->flags);
    }
    return rc ? rc : fill_guest(spec, options, option_out);
}

int fork_make_spec(const struct fork_options *options, xenfork_spec **spec_out)
{
    const char *option = "--count";
    xenfork_spec *spec = NULL;
    int rc;

    rc = xenfork_spec_new(options->count, &spec);
    if (rc == 0)
        rc = fill_spec(spec, options, &option);
    if (rc == 0) {
        *spec_out = spec;
        return EXIT_DONE;
    }
    xenfork_spec_free(spec);
    if (rc == XENFORK_E_NOMEM) {
        fprintf(stderr, "xl: %s\n", strerror(ENOMEM));
        return EXIT_FAILED;
    }
    fprintf(stderr, "xl: malformed value: %s\n", option);
    return cmd_usage(&cmd_fork);
}
