# shellcheck shell=bash
# Debian on this machine, and Debian releases in directories of their own.

# host_packages NAME…: install what is missing
host_packages() {
    local missing=() name
    for name in "$@"; do
        [ -e "/var/lib/dpkg/info/$name.list" ] || [ -e "/var/lib/dpkg/info/$name:amd64.list" ] ||
            missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    note "installing ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        >/dev/null
}

# The Debian archive that this machine itself uses.
mirror() {
    apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }'
}

# bootstrap RELEASE DIR VARIANT PACKAGE…: a Debian root with these packages
bootstrap() {
    local release=$1 dir=$2 variant=$3 uri
    shift 3
    uri=$(mirror)
    [ -n "$uri" ] || die "apt knows no Debian archive; run apt-get update"
    mmdebstrap --mode=root --variant="$variant" --include="$(IFS=,; echo "$*")" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --format=directory "$release" "$dir" "$uri"
}

# release_of VERSION: the Debian release that carries this Xen
release_of() {
    case $1 in
        4.17) echo bookworm ;;
        4.20 | stock) echo trixie ;;
        *) die "no such Xen: $1 (4.20, 4.17 or stock)" ;;
    esac
}
