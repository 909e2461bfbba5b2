# SPDX-License-Identifier: Apache-2.0
"""Puts this process and its children into a network that has nothing but loopback, and counts who
tried to leave it."""
import ctypes
import fcntl
import os
import socket
import struct

NEW_USER, NEW_NET, NEW_MOUNTS = 0x10000000, 0x40000000, 0x00020000
PRIVATE_RECURSIVE = 0x44000
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1


def unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def stay_who_we_are(user, group):
    for name, text in [("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                       ("gid_map", f"{group} {group} 1")]:
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def enter():
    """None, or why it could not be done."""
    try:
        if os.geteuid() == 0:
            unshare(NEW_NET | NEW_MOUNTS)
            ctypes.CDLL(None).mount(None, b"/", None, PRIVATE_RECURSIVE, None)
        else:
            who = os.getuid(), os.getgid()
            unshare(NEW_USER | NEW_NET)
            stay_who_we_are(*who)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            name = struct.pack("16sH14x", b"lo", 0)
            flags = struct.unpack("16sH14x", fcntl.ioctl(any_socket, GET_FLAGS, name))[1]
            fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", flags | UP))
    except OSError as problem:
        return str(problem)
    return None


def counters(path):
    """{"Ip.OutNoRoutes": n, …} of /proc/net/snmp."""
    with open(path, encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {f"{names[0][:-1]}.{name}": int(value) for names, values in zip(rows[::2], rows[1::2])
            for name, value in zip(names[1:], values[1:])}


def attempts():
    """Packets that somebody wanted to send elsewhere, and the interfaces besides loopback."""
    with open("/proc/net/dev", encoding="ascii") as file:
        interfaces = {line.split(":")[0].strip() for line in file if ":" in line} - {"lo"}
    with open("/proc/net/snmp6", encoding="ascii") as file:
        six = {line.split()[0]: int(line.split()[1]) for line in file}
    return counters("/proc/net/snmp")["Ip.OutNoRoutes"] + six.get("Ip6OutNoRoutes", 0), interfaces
