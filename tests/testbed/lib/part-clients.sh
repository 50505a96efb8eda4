# shellcheck shell=bash
# clients RELEASE: real DHCP clients and managers of networks, for tests/agent/clients.t and managers.t. Apart from the build root, on which Xen hangs.

. "$TESTBED/lib/debian.sh"

CLIENT_PACKAGES=(iproute2 procps isc-dhcp-client dhcpcd-base udhcpc dnsmasq-base systemd dbus network-manager ifupdown
    netplan.io)

key_clients() {
    printf '%s\n' "$1" "${CLIENT_PACKAGES[@]}"
}

make_clients() {
    bootstrap "$2" "$1" minbase "${CLIENT_PACKAGES[@]}"
}
