"""packets.py - for the netns tests: VRRP packets made with scapy, and ready ones of RFC-conforming
senders."""

import struct

from scapy.layers.inet import IP, checksum
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vrrp import VRRP, VRRPv3

GROUP4, GROUP6 = "224.0.0.18", "ff02::12"
GROUP_MACS = {GROUP4: "01:00:5e:00:00:12", GROUP6: "33:33:00:00:00:12"}
SENDER_MAC = "02:00:00:00:01:fe"


def auth_words(password):
    """A version 2 password as the two words of authentication data."""
    return struct.unpack("!II", password.encode().ljust(8, b"\0"))


def advert(
    src,
    addresses,
    dst=None,
    vrid=51,
    priority=150,
    interval=None,
    version=3,
    form="rfc9568",
    ttl=255,
    password=None,
    dst_mac=None,
    tail=b"",
    cut=None,
    ip=None,
    **fields
):
    """One advert as an Ethernet frame.

    interval: centiseconds (default 100), version 2: seconds (default 1). form: "rfc9568", "rfc5798" or a
    number, the checksum itself. tail: octets appended to the message inside the IP length; cut: keep only so
    many octets of the message. ip: further fields of the IP header. fields: scapy's names (version, type,
    ipcount, res, authtype).
    """
    v6 = ":" in src
    dst = dst or (GROUP6 if v6 else GROUP4)
    head = (
        IPv6(src=src, dst=dst, hlim=ttl, tc=0xC0, nh=112)
        if v6
        else IP(src=src, dst=dst, ttl=ttl, tos=0xC0, proto=112, id=1)
    )
    if version == 2:
        auth1, auth2 = auth_words(password or "")
        base = {
            "vrid": vrid,
            "priority": priority,
            "adv": 1 if interval is None else interval,
            "authtype": 1 if password else 0,
            "auth1": auth1,
            "auth2": auth2,
            "addrlist": list(addresses),
        }
        base.update(fields)
        message = bytes(VRRP(**base))
    else:
        base = {"vrid": vrid, "priority": priority, "adv": 100 if interval is None else interval}
        base.update(fields)
        layer = VRRPv3(**base)
        layer.add_underlayer(head)
        layer.addrlist = list(addresses)
        message = bytes(layer)  # scapy's own sum has a pseudo-header, in IPv4 too
    if isinstance(form, int):
        message = message[:6] + struct.pack("!H", form) + message[8:]
    elif form == "rfc9568" and not v6 and version != 2:
        bare = message[:6] + b"\0\0" + message[8:]
        message = message[:6] + struct.pack("!H", checksum(bare)) + message[8:]
    message = (message if cut is None else message[:cut]) + tail
    for key, value in (ip or {}).items():
        setattr(head, key, value)
    mac = dst_mac or GROUP_MACS.get(dst, "ff:ff:ff:ff:ff:ff")
    return bytes(Ether(src=SENDER_MAC, dst=mac) / head / message)


def _octets(text):
    return bytes.fromhex(text.replace("\n", "").replace(" ", ""))


_ETH = "0100 5e00 0012 0000 5e00 0133 0800 "
_IP = "45c0 0020 0000 0000 ff70 1891 c000 020a e000 0012 "

# Whole frames: VRID 51, address 192.0.2.1, source 192.0.2.10 (VRRPv3 unless named otherwise).
VECTORS = {
    "V01": _octets(_ETH + _IP + "3133 6401 0064 a865 c000 0201"),
    "V02": _octets(_ETH + _IP + "3133 6401 0064 05cc c000 0201"),
    "V05": _octets(_ETH + _IP + "3133 6401 f064 b864 c000 0201"),
    "V06": _octets(
        """3333 0000 0012 0000 5e00 0233 86dd
        6c00 0000 0028 70ff fe80 0000 0000 0000 0000 0000 0000 000a ff02 0000 0000 0000 0000 0000 0000 0012
        3133 c802 0064 dbf1 fe80 0000 0000 0000 0000 0000 0000 0001 2001 0db8 0000 0000 0000 0000 0000 0001"""
    ),
    "V08": _octets(
        _ETH + "45c0 0028 0000 0000 ff70 1889 c000 020a e000 0012"
        "2133 6401 0001 b8c8 c000 0201 0000 0000 0000 0000"
    ),
    "V10": _octets(
        _ETH + "45c0 0028 0000 0000 ff70 1889 c000 020a e000 0012"
        "2133 9601 0101 2366 c000 0201 3131 3131 0000 0000"
    ),
    "V14": _octets(_ETH + _IP + "3133 0c01 00ca 0000 c000 0201"),
    "V15": _octets(
        _ETH + "45c0 003c 0000 0000 ff70 1875 c000 020a e000 0012 3133 6401 0064 a865 c000 0201"
        "0101 0000 6a00 0000 8000 0000 bc5a 817e 324d 59ed 3339 ccba 1cec 0a30"
    ),
    "P01": _octets(_ETH + _IP + "3133 6401 0064 a865 c000 0201" + "0000" * 7),
    "N01": _octets(_ETH + "45c0 0020 0000 0000 fe70 1991 c000 020a e000 0012 3133 6401 0064 a865 c000 0201"),
    "N02": _octets(_ETH + _IP + "4133 6401 0064 9865 c000 0201"),
    "N03": _octets(_ETH + _IP + "3233 6401 0064 a765 c000 0201"),
    "N04": _octets(_ETH + _IP + "3133 6401 0064 a864 c000 0201"),
    "N05": _octets(_ETH + _IP + "3133 6402 0064 a864 c000 0201"),
    "N06": _octets(_ETH + "45c0 001c 0000 0000 ff70 1895 c000 020a e000 0012 3133 6400 0064 6a68"),
    "N07": _octets(_ETH + _IP + "3133 6401 0000 a8c9 c000 0201"),
    "N08": _octets(
        _ETH + "45c0 0022 0000 0000 ff70 188f c000 020a e000 0012 3133 6401 0064 a865 c000 0201 0000"
    ),
}


def vrrp_of(frame):
    """The VRRP layer of a captured frame as scapy sees it (VRRP or VRRPv3), with its IP layer: (ip, vrrp)."""
    ether = Ether(frame.data)
    ip = ether.getlayer(IPv6) if ether.haslayer(IPv6) else ether.getlayer(IP)
    return ip, ip.getlayer(VRRPv3) if ip.haslayer(VRRPv3) else ip.getlayer(VRRP)


def priority_of(frame):
    """Priority of an advert, taken from its octets."""
    d = frame.data
    start = 14 + (40 if frame.ethertype == 0x86DD else (d[14] & 15) * 4)
    return d[start + 2]


def vrid_of(frame):
    d = frame.data
    start = 14 + (40 if frame.ethertype == 0x86DD else (d[14] & 15) * 4)
    return d[start + 1]


def form_of(frame):
    """Checksum form of a version 3 advert over IPv4: "rfc9568", "rfc5798" or "wrong"."""
    d = frame.data
    start = 14 + (d[14] & 15) * 4
    message = d[start : 14 + struct.unpack_from("!H", d, 16)[0]]
    if checksum(message) == 0:
        return "rfc9568"
    pseudo = d[26:34] + struct.pack("!HH", 112, len(message))
    return "rfc5798" if checksum(pseudo + message) == 0 else "wrong"
