#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Run in dom0 by ./demo: demo.sh [--colour]. Every statement is checked; the last line is
# "@demo " and everything that was seen, as JSON. Status 1 when a statement was not true.
set -u
. "$(dirname "$0")/lib/lib.sh"

CLONES=(source-1 source-2 source-3)
ADDRESS=10.0.0.2 RATE=10
RECORDS_MIB=5 # Xen keeps 128 bytes for each page that was shared, until it is written: 4 MiB for this guest
SETTLE_SECONDS=180 # where several emulators share a machine, all is many times slower

bold='' good='' bad='' dim='' plain=''
if [ "${1-}" = --colour ]; then
    bold=$'\e[1m' good=$'\e[32m' bad=$'\e[1;31m' dim=$'\e[2m' plain=$'\e[0m'
fi

work=$(mktemp -d)
facts=$work/facts failures=()
echo '{"emulated": true, "clones": []}' >"$facts"

# Reporting.

heading() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
quote() { printf '%s  %s%s\n' "$dim" "$*" "$plain"; }

# shows TEXT COMMAND [ARG…]: a statement, true when the command succeeds
shows() {
    if "${@:2}" >/dev/null 2>&1; then
        printf '  %sok%s   %s\n' "$good" "$plain" "$1"
    else
        printf '  %sNOT TRUE%s   %s\n' "$bad" "$plain" "$1"
        failures+=("$1")
    fi
}

# note FILTER [ARG…]: put it into the facts
note() {
    jq -c "${@:2}" "$1" "$facts" >"$facts.new" && mv "$facts.new" "$facts"
}

fact() { jq -r "$1" "$facts"; }
facts_say() { jq -e "$1" "$facts"; }

finish() {
    note '. + {ok: ($failures == []), failures: $failures}' --argjson failures "$(
        for failure in ${failures[@]+"${failures[@]}"}; do jq -n --arg text "$failure" '$text'; done | jq -sc .)"
    printf '@demo %s\n' "$(cat "$facts")"
    [ ${#failures[@]} -eq 0 ] || exit 1
    exit 0
}

# give_up TEXT [FILE]: nothing more can be shown
give_up() {
    shows "$1" false
    [ $# -lt 2 ] || tail -n 5 "$2"
    finish
}

# must TEXT COMMAND [ARG…]: what all that follows depends on
must() {
    "${@:2}" >"$work/out" 2>&1 || give_up "$1" "$work/out"
}

# Measurements.

now() { printf '%s\n' "$EPOCHREALTIME"; }
since() { jq -n --argjson began "$1" --argjson now "$(now)" '$now - $began'; }
free_mib() { xl info | awk '$1 == "free_memory" { print $3 }'; }
answers() { ASK_SECONDS=$SETTLE_SECONDS ask "$1" view | jq -e .token; }
disk_of() { xl fork-list --json | jq -r --arg name "$1" '.[] | select(.name == $name).disks[0].path'; }
is_free_again() { [ "$(free_mib)" -ge "$1" ]; }
all_hydrated() { xl fork-list --json | jq -e 'all(.[] | select(.kind == "clone"); .hydrated_percent == 100)'; }

# settle: until every clone needs its image no more
settle() {
    local end=$((SECONDS + SETTLE_SECONDS))
    until all_hydrated >/dev/null; do
        [ "$SECONDS" -lt "$end" ] || give_up 'every clone comes to need its image no more'
        sleep 1
    done
}

# marks_on DISK: what its guest has written last is there already: it told so after the write
marks_on() { LC_ALL=C grep -a -o 'by:source[-0-9]*;' "$1" | sort -u; }

# timed NAME DOMAIN COMMAND [ARG…]: how long the command takes, and until the domain's program answers
timed() {
    local start seconds
    start=$(now)
    must "${*:3}" timeout 120 "${@:3}"
    seconds=$(since "$start")
    must "$2 answers after ${*:3}" answers "$2"
    note '.times_s[$name] = {command: $seconds, answers: $answers}' --arg name "$1" \
        --argjson seconds "$seconds" --argjson answers "$(since "$start")"
}

# view_of DOM: what the guest says of itself
view_of() {
    local view
    view=$(ask "$1" view) || give_up "$1 answers"
    printf '%s\n' "$view"
}

# fork_once NAME: one fork while the source serves
fork_once() {
    local start
    start=$(now)
    xl fork --json source "$1" >"$work/fork" 2>"$work/fork.log" || give_up "xl fork source $1" "$work/fork.log"
    note '.clones += [{name: $name, domid: $fork[0].clones[0].domid, image: $fork[0].image.name,
            nics: $fork[0].clones[0].nics, began: $began, ended: $ended,
            stun_ms: ($fork[0].timings_ns.stun / 1e6 | round)}]' --arg name "$1" \
        --argjson began "$start" --argjson ended "$(now)" --slurpfile fork "$work/fork"
    quote "xl fork source $1     $(fact '.clones[-1] | "\((.ended - .began) * 10 | round / 10) s, of which the source stood still for \(.stun_ms) ms"')"
}

# The tale.

note '.xen = $xen | .source.memory_mib = 128' --arg xen "$(xl info | awk '$1 == "xen_version" { print $3 }')"
must 'the source runs' wait_tick source 4 "$SETTLE_SECONDS"
note '.source += $view | .source += {name: "source", disk: "/data/source.img"}' --argjson view "$(view_of source)"
note '.host_free_mib.before = $free' --argjson free "$(free_mib)"

heading "A Linux guest runs on Xen $(fact .xen) and answers $RATE echo requests a second. Fork it 3 times:"
"$LIVE/echo-load" "$ADDRESS" --rate "$RATE" --seconds 900 >"$work/load" &
load=$!
sleep 2
for clone in "${CLONES[@]}"; do
    fork_once "$clone"
    # One after the other: hydration takes all of dom0's only CPU, and libxl gives a disk script 10 s.
    settle
done
sleep 1
kill -TERM "$load"
wait "$load" || give_up 'the echo load ran'

note '.echo = ($load[0] | del(.requests)) | .clones as $clones
    # A lost request is excused when its fork was under way, and all that this fork lost lie within its stun.
    | .echo.lost_outside_of_stun = ([.echo.lost_at[] as $at | $at
        | select([$clones[] | select(.began <= $at and $at <= .ended)] == [])] | length)
        + ([$clones[] | . as $clone | [$load[0].lost_at[] | select($clone.began <= . and . <= $clone.ended)]
            | select(length > 0 and (max - min) * 1000 > $clone.stun_ms + 1000 / $rate) | length] | add // 0)' \
    --slurpfile load "$work/load" --argjson rate "$RATE"
shows "$(fact '.echo | "\(.received) of \(.sent) echo requests were answered" +
    if .lost == 0 then ", none was lost" else ", \(.lost) lost during the stun" end +
    "; the longest silence: \(.longest_gap_ms) ms"')" facts_say '.echo | .received > 0 and .lost_outside_of_stun == 0'
shows 'its TCP connection lived through all three forks' facts_say '.echo.tcp.ok'

heading 'Same memory, but each a machine of its own (as seen from inside):'
for clone in "${CLONES[@]}"; do
    must "$clone answers" answers "$clone"
    must "$clone writes to its disk" ask "$clone" mark "by:$clone;"
    note '(.clones[] | select(.name == $name)) += ($view | {token, mac, domid_inside: .domid, tick} + {disk: $disk})' \
        --arg name "$clone" --argjson view "$(view_of "$clone")" --arg disk "$(disk_of "$clone")"
done
must 'the source writes to its disk' ask source mark 'by:source;'
fact '(["DOMAIN", "ID", "MEMORY TOKEN", "MAC", "DISK"] | @tsv),
    ((.source, .clones[]) | [.name, .domid, (.token | .[:16] + "…"), .mac,
        (.disk | sub(".*/(?<a>[^/]{12})[^/]*(?<b>[^/]{8})$"; "\(.a)…\(.b)") | sub(".*/"; ""))] | @tsv)' |
    column -t -s $'\t' | sed 's/^/  /'
shows 'every clone has the random token that the source drew at its boot' \
    facts_say '.source.token as $token | ($token | length) == 32 and all(.clones[]; .token == $token)'
shows 'every domid and every MAC is there once' \
    facts_say '[.source, .clones[]] | (map(.domid) | unique | length) == 4 and (map(.mac) | unique | length) == 4
        and all(.[]; .domid == (.domid_inside // .domid)) and ([.[1:][] | .nics[0].mac == .mac] | all)'
for name in source "${CLONES[@]}"; do
    note '.written[$name] = ($marks | split("\n") - [""])' --arg name "$name" \
        --arg marks "$(marks_on "$(fact "[.source, .clones[]][] | select(.name == \"$name\").disk")")"
done
shows 'each writes to a disk of its own, and finds there nothing that another wrote' \
    facts_say '.written | length == 4 and ([to_entries[] | .value == ["by:\(.key);"]] | all)'
for name in source "${CLONES[@]}"; do must "$name runs on" ticks_on "$name"; done

heading '$ xl fork-list'
xl fork-list >"$work/list"
sed 's/^/  /' "$work/list"
note '.fork_list = $list[0]' --slurpfile list <(xl fork-list --json)
note '.host_free_mib.with_clones = $free' --argjson free "$(free_mib)"
must 'xl fork-destroy' timeout 120 xl fork-destroy "${CLONES[@]}"
wait_until "$SETTLE_SECONDS" is_free_again "$(($(fact .host_free_mib.before) - RECORDS_MIB))"
note '.host_free_mib.after = $free' --argjson free "$(free_mib)"

heading 'Host memory:'
fact '.host_free_mib as $free | ([.fork_list[].private_kib] | add / 1024 | round) as $own
    | "  \($free.before) MiB free before, \($free.with_clones) MiB with 3 clones of 128 MiB, \($free.after) MiB after xl fork-destroy",
    "  Clones and images have \($own) MiB of their own; the rest of the difference is reserved for what",
    "  they, and the source, may yet write (--reserve)."'
shows 'three clones took less than three full copies would' \
    facts_say '.host_free_mib | .before - .with_clones < 3 * 128'
shows "all of it came back, but for Xen's records of pages that the source has not yet written again" \
    facts_say ".host_free_mib | .after >= .before - $RECORDS_MIB"

heading 'A fork beside other ways to get this guest, one after the other in this boot:'
timed fork timed xl fork source timed
settle
must 'xl fork-destroy' timeout 120 xl fork-destroy timed
start=$(now)
must 'xl save' timeout 120 xl save source /data/save
note '.times_s.save.command = $seconds' --argjson seconds "$(since "$start")"
timed restore source xl restore /data/save
must 'the restored guest is the same' [ "$(view_of source | jq -r .token)" = "$(fact .source.token)" ]
must 'xl destroy' xl destroy source
timed create source xl create -q /etc/xen/source.cfg
fact 'def s: . * 10 | round | "\(. / 10 | floor).\(. % 10) s";
    .times_s as $t | (["", "COMMAND", "IT ANSWERS AFTER", "MEANWHILE"] | @tsv),
    (["xl fork", ($t.fork.command | s), ($t.fork.answers | s), "the source runs on, less its stun"] | @tsv),
    (["xl restore", ($t.restore.command | s), ($t.restore.answers | s),
        "the source is gone; xl save took \($t.save.command | s) before"] | @tsv),
    (["xl create", ($t.create.command | s), ($t.create.answers | s), "a new machine boots, and remembers nothing"] | @tsv)' |
    column -t -s $'\t' | sed 's/^/  /'
finish
