# shellcheck shell=bash
# clients RELEASE: real DHCP clients and a server, for tests/agent/clients.t. Apart from the build root, on which Xen hangs.

. "$TESTBED/lib/debian.sh"

CLIENT_PACKAGES=(iproute2 procps isc-dhcp-client dhcpcd-base udhcpc dnsmasq-base)

key_clients() {
    printf '%s\n' "$1" "${CLIENT_PACKAGES[@]}"
}

make_clients() {
    bootstrap "$2" "$1" minbase "${CLIENT_PACKAGES[@]}"
}
