"""test_connections.py - clients whose connections lead to an address that leaves: they hear of it at once."""

import select
import socket
import time

import pytest

import daemons
from pairs import VIP, VIP6, Pair
from wire import in_netns

BOUND_S = 0.5


class Clients:
    """Connections that stay open, and when each of them ended."""

    def __init__(self, lab, host, address, port, count):
        self.poll = select.epoll()
        self.open = {}
        self.ended = {}  # descriptor: (when, errno)
        for _ in range(count):
            s = in_netns(host.netns, lambda: socket.create_connection((address, port), 3))
            s.setblocking(False)
            self.poll.register(s, select.EPOLLIN)
            self.open[s.fileno()] = s
        lab.on_close(self.close)

    def wait(self, seconds):
        """Look for ends until all have ended or the time is over."""
        until = time.monotonic() + seconds
        while self.open and time.monotonic() < until:
            for fd, _ in self.poll.poll(max(0.0, until - time.monotonic())):
                try:
                    data = self.open[fd].recv(4096)
                    if data:
                        continue
                    self.ended[fd] = (time.monotonic(), 0)
                except OSError as e:
                    self.ended[fd] = (time.monotonic(), e.errno)
                self.poll.unregister(fd)
                self.open.pop(fd).close()
        return self

    def resets(self):
        import errno  # pylint: disable=import-outside-toplevel

        return sum(1 for _, err in self.ended.values() if err == errno.ECONNRESET)

    def close(self):
        for s in self.open.values():
            s.close()


def haproxies(pair, bind):
    """A proxy on both hosts whose connections stay open for a minute."""
    for host in (pair.a, pair.b):
        text = daemons.PROXY_CONF.replace("timeout client 5s", "timeout client 60s").replace("bind :::{port} v4v6", bind)
        host.haproxy(text.format(port=80, web=daemons.WEB_PORT, socket="{socket}"))


def connect(lab, pair, address, count):
    # Ready when it answers.
    def answers():
        try:
            in_netns(pair.c.netns, lambda: socket.create_connection((address, 80), 1)).close()
            return True
        except OSError as e:
            raise AssertionError(str(e)) from e

    lab.wait_until(answers, 10, "the proxy answers at the address")
    return Clients(lab, pair.c, address, 80, count)


@pytest.mark.parametrize(
    "kind, bind, count",
    [
        ("IPv4", "bind 0.0.0.0:80", 100),
        ("v4-mapped", "bind :::80 v4v6", 20),
        ("IPv6", "bind :::80 v6only", 20),
    ],
)
def test_connections_are_reset(lab, kind, bind, count):
    v6 = kind == "IPv6"
    pair = Pair(lab, v6=v6)
    haproxies(pair, bind)
    clients = connect(lab, pair, VIP6 if v6 else VIP, count)
    others = Clients(lab, pair.c, pair.a.ip6() if v6 else pair.a.ip4(), 80, 3)
    begin = time.monotonic()
    assert pair.d("a").ctl("drain", "pg").returncode == 0
    clients.wait(5)
    assert not clients.open, f"{len(clients.open)} of {count} connections hang"
    slowest = max(when for when, _ in clients.ended.values()) - begin
    print(f"{kind}: {clients.resets()} of {count} connections reset, the last after {slowest * 1000:.1f} ms")
    assert clients.resets() == count and slowest < BOUND_S
    lab.wait_until(lambda: pair.d("a").counters()["connections_reset"] >= count, 3, "they are counted")
    # Connections to other addresses of the host live on.
    assert len(others.wait(0.2).open) == 3
    # Whoever comes again finds the successor.
    assert Clients(lab, pair.c, VIP6 if v6 else VIP, 80, 1).open


def test_nothing_is_reset_when_not_wanted(lab):
    pair = Pair(lab, reset_connections=False)
    haproxies(pair, "bind 0.0.0.0:80")
    clients = connect(lab, pair, VIP, 10)
    assert pair.d("a").ctl("drain", "pg", "--wait").returncode == 0
    clients.wait(1)
    assert len(clients.open) == 10 and not clients.ended
    assert pair.d("a").counters()["connections_reset"] == 0


def test_connections_of_a_stopped_host_are_reset(lab):
    """At a stop, too, and when another host preempts."""
    pair = Pair(lab)
    haproxies(pair, "bind 0.0.0.0:80")
    clients = connect(lab, pair, VIP, 10)
    assert pair.d("a").stop() == 0
    assert clients.wait(2).resets() == 10
    again = connect(lab, pair, VIP, 10)
    pair.start("a")
    pair.d("a").wait_state("pg", "active")
    assert again.wait(2).resets() == 10
