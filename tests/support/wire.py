"""wire.py - sockets inside network namespaces: capture of frames, injection of frames, pcap files.

Used by lab.py and the netns tests. A socket stays in the namespace in which it was opened, so a thread that
enters the namespace opens it and hands it back. Knows Ethernet, and of what is above it only how to tell it
apart.
"""

import ctypes
import os
import socket
import struct
import threading
import time

ETH_P_ALL = 3
CLONE_NEWNET = 0x40000000
SO_TIMESTAMPNS = 35  # linux/socket.h; not in Python's socket module
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23  # linux/if_packet.h

_libc = ctypes.CDLL(None, use_errno=True)


def in_netns(name, fn):
    """Call fn() in a thread that has entered the named namespace; returns its result or raises its error."""
    box = {}

    def body():
        try:
            with open(f"/run/netns/{name}", "rb") as ns:
                if _libc.setns(ns.fileno(), CLONE_NEWNET) != 0:
                    err = ctypes.get_errno()
                    raise OSError(err, f"setns {name}: {os.strerror(err)}")
            box["result"] = fn()
        except BaseException as e:  # pylint: disable=broad-except
            box["error"] = e

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if "error" in box:
        raise box["error"]
    return box["result"]


class Frame:
    """One captured frame: bytes, the kernel's time stamp (wall clock, nanoseconds) and its direction."""

    __slots__ = ("data", "ns", "outgoing")

    def __init__(self, data, ns, outgoing):
        self.data = data
        self.ns = ns
        self.outgoing = outgoing

    @property
    def ethertype(self):
        return struct.unpack_from("!H", self.data, 12)[0] if len(self.data) >= 14 else 0


def is_vrrp(frame):
    """True for IPv4 protocol 112 and IPv6 next header 112."""
    d = frame.data
    return (frame.ethertype == 0x0800 and len(d) > 23 and d[23] == 112) or (
        frame.ethertype == 0x86DD and len(d) > 20 and d[20] == 112
    )


def is_arp(frame):
    return frame.ethertype == 0x0806


def is_na(frame):
    """True for an ICMPv6 neighbour advertisement without extension headers."""
    d = frame.data
    return frame.ethertype == 0x86DD and len(d) > 54 and d[20] == 58 and d[54] == 136


def any_of(*tests):
    return lambda frame: any(t(frame) for t in tests)


class Capture:
    """Frames seen on an interface of a host, kept while `keep(frame)` is true.

    Both directions, or only what comes in: then a flood that leaves this host cannot crowd it out.
    """

    def __init__(self, netns, ifname="eth0", keep=is_vrrp, incoming=False):
        self._keep = keep
        self._frames = []
        self._lock = threading.Lock()
        self._stop = False
        self._sock = in_netns(netns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        if incoming:
            self._sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._sock.settimeout(0.1)
        in_netns(netns, lambda: self._sock.bind((ifname, ETH_P_ALL)))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop:
            try:
                data, control, _, address = self._sock.recvmsg(65535, 64)
            except socket.timeout:
                continue
            except OSError as e:  # interface taken down or away: wait for it to return, until stopped
                if self._stop or e.errno not in (100, 19):
                    return
                time.sleep(0.01)
                continue
            ns = time.time_ns()
            for level, kind, value in control:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(value) >= 16:
                    sec, nsec = struct.unpack("qq", value[:16])
                    ns = sec * 1_000_000_000 + nsec
            frame = Frame(data, ns, address[2] == PACKET_OUTGOING)
            if self._keep(frame):
                with self._lock:
                    self._frames.append(frame)

    def frames(self):
        """What has been captured so far, oldest first."""
        with self._lock:
            return list(self._frames)

    def clear(self):
        with self._lock:
            self._frames.clear()

    def stop(self):
        """End the capture; frames() stays readable. Safe to call twice."""
        self._stop = True
        self._thread.join(2)
        self._sock.close()
        return self.frames()

    def save(self, path):
        """Write what was captured as a pcap file (nanoseconds, Ethernet)."""
        write_pcap(path, self.frames())
        return path


class Injector:
    """Sends ready-made frames out of an interface of a host."""

    def __init__(self, netns, ifname="eth0"):
        self._sock = in_netns(netns, lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        in_netns(netns, lambda: self._sock.bind((ifname, 0)))

    def send(self, frame):
        self._sock.send(bytes(frame))

    def close(self):
        self._sock.close()


def write_pcap(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1))
        for f in frames:
            out.write(
                struct.pack("<IIII", f.ns // 1_000_000_000, f.ns % 1_000_000_000, len(f.data), len(f.data))
            )
            out.write(f.data)
