# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# HVM domains and their QEMU.

# hvm_config NAME DISK VCPUS [CONFIG-LINE…]: prints it
hvm_config() {
    cat <<END
name = "$1"
type = "hvm"
memory = 160
videoram = 16
vga = "stdvga"
vnc = 1
serial = "pty"
vcpus = $3
cpus = "1"
tsc_mode = "native"
disk = [ "format=raw,vdev=xvda,access=rw,target=$2" ]
END
    [ $# -le 3 ] || printf '%s\n' "${@:4}"
}

# says_k DOM: its boot sector does, on Xen's console
says_k() { xl dmesg | grep -q "^(d$(domid_of "$1")) k"; }

# boot_sector FILE: it says "k" on Xen's console, and waits for test-boot
boot_sector() {
    python3 - "$1" <<'END'
import sys
code = bytes.fromhex("fa31c08ed88ed0bc007cfb" "b06be6e9b00ae6e9" "66813e0080464f524b75f5" "ea10800000")
with open(sys.argv[1], "r+b") as file:
    file.write(code.ljust(510, b"\0") + b"\x55\xaa")
END
}

# as_qcow2 NAME: the disk of its configuration becomes /data/NAME.qcow2, by qdisk
as_qcow2() {
    qemu-img convert -O qcow2 "/data/$1.img" "/data/$1.qcow2" || bail_out "no /data/$1.qcow2"
    rm -f "/data/$1.img"
    echo "disk = [ \"format=qcow2,vdev=xvda,access=rw,backendtype=qdisk,target=/data/$1.qcow2\" ]" >>"/data/$1.cfg"
}

# boot_hvm NAME KERNEL INITRD CMDLINE [CONFIG-LINE…]: with $VCPUS (1) and $RAM MiB (144) beside the video's, and the disk
# /data/NAME.img, or with $QCOW2 /data/NAME.qcow2
boot_hvm() {
    boot_sector "/data/$1.img"
    hvm_config "$1" "/data/$1.img" "${VCPUS:-1}" "${@:5}" >"/data/$1.cfg"
    [ -z "${QCOW2-}" ] || as_qcow2 "$1"
    timeout 180 xl create -q "/data/$1.cfg" || bail_out "no HVM domain $1"
    wait_until 240 says_k "$1" || bail_out "the BIOS of $1 does not boot"
    /usr/libexec/xenfork/test-boot "$(domid_of "$1")" $((${RAM:-144} << 10)) "$2" "$3" "$4" || bail_out "cannot load Linux into $1"
}

# start_hvm NAME [CONFIG-LINE…]: a guest like `source` with PV drivers on its device model
start_hvm() {
    cp --reflink=auto /usr/share/xenfork-guest/disk.img "/data/$1.img"
    boot_hvm "$1" /usr/share/xenfork-guest/vmlinux /usr/share/xenfork-guest/initrd \
        'console=ttyS0 quiet panic=1 mitigations=off pci=noearly' "${@:2}"
    wait_tick "$1" 4 400 || bail_out "Linux does not come up in $1"
}

# node DOM PATH: of its xenstore
node() { xenstore-read "/local/domain/$(domid_of "$1")/$2"; }

# qmp DOM COMMAND [ARGUMENTS]: its QEMU's answer, in JSON
qmp() {
    python3 - "/var/run/xen/qmp-libxenstat-$(domid_of "$1")" "$2" "${3:-{\}}" <<'END'
import json, socket, sys
qmp = socket.socket(socket.AF_UNIX)
qmp.settimeout(60)
qmp.connect(sys.argv[1])
lines = qmp.makefile("rw")
for command in {"execute": "qmp_capabilities"}, {"execute": sys.argv[2], "arguments": json.loads(sys.argv[3])}:
    lines.write(json.dumps(command) + "\n")
    lines.flush()
    answer = {}
    while "return" not in answer:
        answer = json.loads(lines.readline())
        if "error" in answer:
            sys.exit(answer["error"]["desc"])
print(json.dumps(answer["return"]))
END
}

# press DOM KEY: by its QEMU
press() { qmp "$1" send-key "{\"keys\": [{\"type\": \"qcode\", \"data\": \"$2\"}]}"; }

# shell DOM COMMAND: the output of a shell that listens to its serial port
shell() {
    python3 - "$(node "$1" serial/0/tty)" "$2" <<'END'
import os, re, select, sys, termios, time
tty = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
mode = termios.tcgetattr(tty)
mode[:4] = 0, 0, mode[2], 0
termios.tcsetattr(tty, termios.TCSANOW, mode)
mark = f"mark{time.monotonic_ns()}"
os.write(tty, f"echo {mark}\n{sys.argv[2]}\nstatus=$?; echo; echo {mark}=$status\n".encode())
end, text, match = time.monotonic() + 60, "", None
while not match:
    if not select.select([tty], [], [], max(0, end - time.monotonic()))[0]:
        sys.exit(f"no answer to {sys.argv[2]}: {text!r}")
    text += os.read(tty, 4096).decode(errors="replace").replace("\r", "")
    match = re.search(rf"^{mark}\n(.*)\n{mark}=(\d+)$", text, re.M | re.S)
print(match[1].rstrip("\n"))
sys.exit(int(match[2]))
END
}
