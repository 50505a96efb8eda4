#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# When clones become independent of their image: now, auto, never; what each of these costs the host.
# live: --source --timeout 300
# full: 4.17 4.20
. "$(dirname "$0")/../lib/lib.sh"

percent() { info "$1" .hydrated_percent; }
is_hydrated() { [ "$(percent "$1")" = 100 ]; }
memory() { xl fork-memory --json | json "$1"; }
reserved_of() { memory ".domains[] | select(.name == \"$1\") | .reserved_kib"; }
# refused TEXT PATTERN COMMAND…
refused() {
    local said status=0
    said=$(timeout 60 "${@:3}" 2>&1) || status=$?
    if [ "$status" = 1 ] && grep -q "$2" <<<"$said"; then ok "$1"; else fail "$1" "status $status" "$said"; fi
}
# costs HOW: of a paused clone that nobody touches: free memory and reservation
costs() {
    local free reserved
    free=$(memory '.free_kib + .reserved_kib') reserved=$(memory .reserved_kib)
    check "--hydrate=$1" timeout 60 xl fork --paused --hydrate="$1" source "$1"
    [ "$1" != now ] || check 'now: it is hydrated' wait_until 60 is_hydrated now
    diag "$1: $((free - $(memory '.free_kib + .reserved_kib'))) KiB taken, $(($(memory .reserved_kib) - reserved)) KiB reserved;" \
        "said to cost $(info "$1" .host_kib) KiB"
}

check 'the source is frozen' timeout 120 xl fork-freeze source
check 'an image' timeout 60 xl fork --paused source first
for how in now auto never; do costs "$how"; done
image=$(info auto .image)
sleep 3
is 'auto and never are not' "$(percent auto) $(percent never)" '0 0'
is 'JSON' "$(info now .hydrate) $(info auto .hydrate) $(info never .hydrate)" 'now auto never'
for how in auto never; do at_least "$how: all of its memory is reserved" "$(reserved_of $how)" 120000; done

refused 'xl destroy of the image is refused' 'fork-image-destroy' xl destroy "$image"
refused 'never: the image stays' 'never.*' xl fork-image-destroy "$image"
refused 'never: it is not detached' 'xl fork-hydrate never' xl fork-detach --wait never
is 'never: it is as it was' "$(percent never)" 0

for clone in auto never; do xl unpause "$clone"; check "$clone runs" wait_until 90 ticks_on "$clone"; done
is 'auto: as a clone that needs its image' "$(percent auto)" 0
check 'never: xl save' timeout 90 xl save never /data/never.save
check 'never: xl restore' timeout 90 xl restore /data/never.save
check 'never: it runs without its image' wait_until 90 ticks_on never

check 'another that is to need it' timeout 60 xl fork --hydrate=never source again
refused 'the image stays' 'xl fork-hydrate again' xl fork-image-destroy "$image"
check 'xl fork-hydrate' timeout 60 xl fork-hydrate again
is 'it is hydrated' "$(percent again)" 100
check 'the source is thawed' timeout 60 xl fork-thaw source
check 'the image goes' timeout 60 xl fork-image-destroy "$image"
is 'auto: it was hydrated for that' "$(percent auto)" 100
at_least 'auto: its reservation is small again' 40000 "$(reserved_of auto)"
for clone in auto again never; do check "$clone ticks without it" wait_until 90 ticks_on "$clone"; done
done_testing
