# SPDX-License-Identifier: LGPL-2.1-or-later
# For 40-network: awk -v kind=KIND -f network-files.awk PLAN FILE
# PLAN has lines "mac OLD NEW [CARD]", "address OLD/PREFIX NEW/PREFIX", with "-" (there
# is none) or "dhcp" as the new one, and "gateway OLD NEW".  Print FILE as it is
# to be; status 3: it has an address of the source's still.

function host(cidr) { sub("/.*", "", cidr); return cidr }
function prefix(cidr) { return cidr ~ "/" ? substr(cidr, index(cidr, "/") + 1) : "" }

# 24: 255.255.255.0
function mask(bits,    text, i, k, part) {
    for (i = 0; i < 4; i++) {
        part = 0
        for (k = 0; k < 8; k++)
            part = 2 * part + (8 * i + k < bits + 0)
        text = text (i ? "." : "") part
    }
    return text
}

# As it was written before.
function netmask(text, bits, is_six) {
    return text ~ /[.]/ && !is_six ? mask(bits) : bits
}

# Where TOKEN stands by itself, in lower case; 0: nowhere.  AROUND: characters
# that would make it part of another.
function find(line, token, around,    at, from, before, after) {
    line = tolower(line)
    token = tolower(token)
    from = 1
    while ((at = index(substr(line, from), token)) > 0) {
        at += from - 1
        before = at > 1 ? substr(line, at - 1, 1) : ""
        after = substr(line, at + length(token), 1)
        if ((before == "" || before !~ around) && (after == "" || after !~ around))
            return at
        from = at + 1
    }
    return 0
}

function replace(line, token, new, around,    at, head) {
    head = ""
    while ((at = find(line, token, around)) > 0) {
        head = head substr(line, 1, at - 1) new
        line = substr(line, at + length(token))
    }
    return head line
}

function is_comment(line) { return line ~ /^[ \t]*[#;]/ }

# The part of the file that line I belongs to: a stanza, a section, all of it.
function part_begin(i) {
    if (kind == "interfaces")
        while (i > 1 && line[i] !~ /^[ \t]*(iface|auto|allow-|mapping|source|no-)/) i--
    else if (kind == "keyfile" || kind == "networkd")
        while (i > 1 && line[i] !~ /^[ \t]*\[/) i--
    else if (kind == "dhcpcd")
        while (i > 1 && line[i] !~ /^[ \t]*(interface|profile|ssid)/) i--
    else
        i = 1
    return i
}

function part_end(i) {
    i++
    if (kind == "interfaces")
        while (i <= n && line[i] !~ /^[ \t]*(iface|auto|allow-|mapping|source|no-)/) i++
    else if (kind == "keyfile" || kind == "networkd")
        while (i <= n && line[i] !~ /^[ \t]*\[/) i++
    else if (kind == "dhcpcd")
        while (i <= n && line[i] !~ /^[ \t]*(interface|profile|ssid)/) i++
    else
        i = n + 1
    return i
}

# The prefix stands apart from the address that was in line I.
function set_prefix(i, bits, is_six,    k, end, number) {
    end = part_end(part_begin(i))
    number = ""
    if (kind == "ifcfg" && match(line[i], /^[ \t]*IPADDR[0-9_]*/)) {
        number = substr(line[i], RSTART, RLENGTH)
        sub(/^[ \t]*IPADDR/, "", number)
    }
    for (k = part_begin(i); k < end; k++) {
        if (kind == "interfaces" && line[k] ~ /^[ \t]*netmask[ \t]/)
            sub(/netmask[ \t].*/, "netmask " netmask(line[k], bits, is_six), line[k])
        if (kind == "interfaces" && line[k] ~ /^[ \t]*(broadcast|network)[ \t]/)
            line[k] = gone
        if (kind != "ifcfg")
            continue
        if (index(line[k], "PREFIX" number "=") == 1)
            line[k] = "PREFIX" number "=" bits
        else if (index(line[k], "PREFIXLEN" number "=") == 1)
            line[k] = "PREFIXLEN" number "=" bits
        else if (index(line[k], "NETMASK" number "=") == 1)
            line[k] = "NETMASK" number "=" mask(bits)
        else if (line[k] ~ /^(BROADCAST|NETWORK)[0-9_]*=/)
            line[k] = gone
    }
}

# An item of a netplan list.
function drop_item(i, token, bits, is_dhcp,    at, indent, k) {
    if (line[i] ~ /^[ ]*-[ ]/) {
        line[i] = gone
        for (k = i - 1; k > 0 && line[k] == gone; k--) ;
        if (line[k] ~ /addresses:[ ]*$/) {
            for (at = i + 1; at <= n && line[at] == gone; at++) ;
            if (at > n || line[at] !~ /^[ ]*-[ ]/)
                sub(/addresses:[ ]*$/, "addresses: []", line[k])
        }
        i = k
    } else {
        at = token
        gsub(/[.]/, "[.]", at)
        sub("[\"']?" at "/" bits "[\"']?[ ]*,?[ ]*", "", line[i])
        sub(/,[ ]*\]/, "]", line[i])
    }
    if (!is_dhcp)
        return
    for (k = 1; k <= n; k++)
        if (line[k] ~ /^[ ]*dhcp4:/) {
            sub(/dhcp4:.*/, "dhcp4: true", line[k])
            return
        }
    indent = line[i]
    sub(/[^ ].*/, "", indent)
    line[i] = line[i] "\n" indent "dhcp4: true"
}

# Nobody is to set the address that is in line I.
function drop(i, token, bits, is_dhcp,    k, begin, end, six) {
    begin = part_begin(i)
    end = part_end(begin)
    six = index(token, ":") > 0
    if (kind == "interfaces" && line[i] ~ /^[ \t]*address[ \t]/) {
        for (k = begin; k < end; k++)
            if (line[k] ~ /^[ \t]*(address|netmask|gateway|broadcast|network|pointopoint)[ \t]/)
                line[k] = gone
        sub(/static[ \t]*$/, is_dhcp ? "dhcp" : "manual", line[begin])
    } else if (kind == "networkd" && line[i] ~ /^[ \t]*Address[ \t]*=/) {
        line[i] = is_dhcp && line[begin] ~ /^\[Network\]/ ? "DHCP=yes" : gone
        for (k = 1; k <= n; k++)
            if (line[k] ~ /^[ \t]*Gateway[ \t]*=/ && (line[k] ~ /:/) == six)
                line[k] = gone
    } else if (kind == "ifcfg" && line[i] ~ /^IPADDR/) {
        for (k = 1; k <= n; k++) {
            if (line[k] ~ /^(IPADDR|PREFIX|PREFIXLEN|NETMASK|GATEWAY|BROADCAST|NETWORK)[0-9_]*=/)
                line[k] = gone
            sub(/^BOOTPROTO=.*/, "BOOTPROTO=" (is_dhcp ? "dhcp" : "none"), line[k])
        }
    } else if (kind == "keyfile" && line[i] ~ /^address(es)?[0-9]*=/) {
        for (k = begin; k < end; k++) {
            if (line[k] ~ /^(address(es)?[0-9]*|gateway)=/)
                line[k] = gone
            sub(/^method=.*/, "method=" (is_dhcp ? "auto" : "disabled"), line[k])
        }
    } else if (kind == "dhcpcd" && line[i] ~ /^[ \t]*static[ \t]+ip6?_address=/) {
        for (k = begin; k < end; k++)
            if (line[k] ~ /^[ \t]*static[ \t]+(ip6?_address|routers)=/)
                line[k] = gone
    } else if (kind == "netplan") {
        drop_item(i, token, bits, is_dhcp)
    }
}

# A card's permanent address is that of its source until the clone boots: the
# kernel has read it once (register_netdevice()).  A file that goes by it must
# find the card before and after.
function keep_found(i, token, card,    k) {
    if (card == "" || !find(line[i], token, in_mac))
        return
    if (kind == "networkd" && line[i] ~ /^[ \t]*PermanentMACAddress[ \t]*=/) {
        permanent = " " token
    } else if (kind == "keyfile" && line[i] ~ /^mac-address=/) {
        line[i] = gone
        for (k = 1; k <= n; k++)
            if (line[k] ~ /^interface-name=/)
                return
        for (k = 1; k <= n; k++)
            if (line[k] == "[connection]")
                line[k] = line[k] "\ninterface-name=" card
    } else if (kind == "ifcfg" && line[i] ~ /^HWADDR=/) {
        line[i] = gone
        for (k = 1; k <= n; k++)
            if (line[k] ~ /^DEVICE=/)
                return
        line[i] = "DEVICE=" card
    }
}

FNR == NR {
    what[++plans] = $1
    old[plans] = $2
    new[plans] = $3
    card[plans] = $4
    next
}
{ line[++n] = $0 }

END {
    gone = "\001"
    in_mac = "[0-9a-f]"
    in_address = "[0-9a-z.:_-]"
    for (p = 1; p <= plans; p++) {
        for (i = 1; i <= n; i++) {
            if (line[i] == gone)
                continue
            if (what[p] == "mac") {
                permanent = ""
                # It was done before.
                if (card[p] != "" && line[i] ~ /^[ \t]*PermanentMACAddress[ \t]*=/ &&
                    find(line[i], new[p], in_mac))
                    continue
                keep_found(i, old[p], card[p])
                line[i] = replace(line[i], old[p], new[p], in_mac) permanent
                dashed = old[p]
                gsub(":", "-", dashed)
                with = new[p]
                gsub(":", "-", with)
                line[i] = replace(line[i], dashed, with, in_mac)
            } else if (what[p] == "gateway") {
                if (tolower(line[i]) ~ /gateway|routers|via|gw|default|address[0-9]+=/)
                    line[i] = replace(line[i], old[p], new[p], in_address)
            } else if (is_comment(line[i])) {
                continue
            } else if (find(line[i], host(old[p]), in_address)) {
                if (new[p] == "-" || new[p] == "dhcp") {
                    drop(i, host(old[p]), prefix(old[p]), new[p] == "dhcp")
                    continue
                }
                line[i] = replace(line[i], old[p], new[p], in_address)
                if (find(line[i], host(old[p]), in_address)) {
                    line[i] = replace(line[i], host(old[p]), host(new[p]), in_address)
                    if (prefix(old[p]) != prefix(new[p]))
                        set_prefix(i, prefix(new[p]), index(new[p], ":"))
                }
            }
        }
    }
    status = 0
    for (i = 1; i <= n; i++) {
        if (line[i] == gone)
            continue
        print line[i]
        for (p = 1; p <= plans; p++)
            if (what[p] == "address" && new[p] != old[p] && !is_comment(line[i]) &&
                find(line[i], host(old[p]), in_address) &&
                host(new[p]) != host(old[p]))
                status = 3
    }
    exit status
}
