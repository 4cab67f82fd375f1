"""lab.py - a small network on this machine: hosts in network namespaces on a switch, and what runs on them.

Used by the netns tests, the demo and the benchmarks; needs root, iproute2 and Python's standard library.
Nothing of it touches the machine's own network: every interface lives in a namespace whose name holds our
process id, and all of it goes when the Lab is closed, on errors and on Ctrl-C too. What a killed run left
behind goes at the next start.

    with Lab() as lab:
        a, b = lab.host("a"), lab.host("b")          # eth0: 10.77.1.1, fd77:1::1, fe80::ff:1
        d = a.vrrpd(conf)
        d.wait_state("pg", "active", 5)
        lab.wait_until(lambda: a.holds("10.77.1.100"), 5, "a holds the address")

The daemons (vrrpd, keepalived, haproxy) are in daemons.py, frames and sockets in wire.py.
"""

import atexit
import fcntl
import json
import os
import random
import re
import shutil
import signal
import subprocess
import tempfile
import time

import daemons
import wire

PREFIX = "vlab"
CRASH = re.compile(r"Sanitizer|runtime error:|assertion failed|ended by signal (4|6|7|8|11) ")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPEN = []  # labs of this process that are not closed
BEFORE_CLOSE = []  # called with a lab that is about to be closed, while everything still runs
BEFORE_STOP = []  # called with a vrrpd that is about to be asked to end


def build_dir():
    """Folder of the programs under test: VRRPD_BUILD (absolute, or relative to the project), else build."""
    return os.path.join(ROOT, os.environ.get("VRRPD_BUILD", "build"))


class LabTimeout(AssertionError):
    """A condition did not come true in time; the text says which, and carries the logs."""


class LabError(RuntimeError):
    """The network could not be made or changed."""


def wait_until(fn, deadline, what, context=None):
    """Call fn() until it returns something true (which is returned), at most `deadline` seconds long.

    An AssertionError of fn counts as "not yet" and shows in the failure text, which ends with context().
    """
    end = time.monotonic() + deadline
    pause = 0.002
    while True:
        last = None
        try:
            last = fn()
            if last:
                return last
        except AssertionError as e:
            last = e
        if time.monotonic() >= end:
            text = f"after {deadline:g} s still not: {what}\nlast seen: {last!r}"
            raise LabTimeout(text + ("\n" + context() if context else ""))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def _ip(*args, check=True, batch=None):
    """Run ip(8), with `batch` as commands on its standard input; returns its output."""
    cmd = ["ip", *args] + (["-batch", "-"] if batch else [])
    done = subprocess.run(
        cmd,
        input="\n".join(batch) + "\n" if batch else None,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(cmd)}: {done.stderr.strip()}" + (f" in {batch}" if batch else ""))
    return done.stdout


def _process_start(pid):
    """Start time of a process in ticks since boot, or None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _kill_namespace(name):
    """End every process in a namespace, then remove it."""
    for _ in range(100):
        pids = [int(p) for p in _ip("netns", "pids", name, check=False).split()]
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
    _ip("netns", "del", name, check=False)


def _on_term(*_):
    raise SystemExit(143)


def netns_names(prefix=PREFIX):
    """Names of the namespaces that labs made."""
    try:
        return sorted(n for n in os.listdir("/run/netns") if n.startswith(prefix + "-"))
    except FileNotFoundError:
        return []


def remove_stale():
    """Remove namespaces and folders of labs whose process is gone (killed before it could clean up)."""
    tmp = tempfile.gettempdir()
    with open(os.path.join(tmp, PREFIX + ".lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one at a time: half removed by another they are hard to find
        _remove_stale(tmp)


def _remove_stale(tmp):
    folders = [n for n in os.listdir(tmp) if n.startswith(PREFIX + "-")]
    for name in netns_names() + folders:
        parts = name.split("-")
        if len(parts) < 3 or not parts[1].isdigit() or not parts[2].isdigit():
            continue
        if str(_process_start(int(parts[1]))) == parts[2]:
            continue
        if name in folders:
            shutil.rmtree(os.path.join(tmp, name), ignore_errors=True)
        else:
            _kill_namespace(name)


class Host:
    """A network namespace with a network card per LAN, each with IPv4, IPv6 and a link-local address."""

    def __init__(self, lab, name, lans):
        self.lab = lab
        self.name = name
        self.netns = f"{lab.prefix}-{name}"
        self.number = len(lab.hosts) + 1
        self.lans = lans
        self.dir = os.path.join(lab.dir, name)
        os.mkdir(self.dir)
        os.chmod(self.dir, 0o755)
        _ip("netns", "add", self.netns)
        # Before any interface exists: addresses are usable at once, without duplicate detection; none comes
        # unasked.
        self.sysctl(
            **{
                "net.ipv6.conf.all.accept_dad": 0,
                "net.ipv6.conf.default.accept_dad": 0,
                "net.ipv6.conf.default.dad_transmits": 0,
                "net.ipv6.conf.default.accept_ra": 0,
                "net.ipv6.conf.default.router_solicitations": 0,
            }
        )
        for i, lan in enumerate(lans):
            self.add_interface(f"eth{i}", lan)
        _ip("-n", self.netns, "link", "set", "lo", "up")

    # ---- addresses of this host ----

    def mac(self, lan=1):
        return f"02:00:00:00:{lan:02x}:{self.number:02x}"

    def ip4(self, lan=1):
        return f"10.77.{lan}.{self.number}"

    def ip6(self, lan=1):
        return f"fd77:{lan}::{self.number:x}"

    def link_local(self):
        return f"fe80::ff:{self.number:x}"

    def own_addresses(self):
        return [a for lan in self.lans for a in (self.ip4(lan), self.ip6(lan), self.link_local())]

    # ---- the network card ----

    def port(self, ifname="eth0"):
        """The switch's end of the cable of an interface."""
        return f"{self.name}-{ifname}"

    def add_interface(self, ifname="eth0", lan=1):
        """Plug a new network card into a LAN and give it this host's addresses there."""
        port = self.port(ifname)
        _ip(
            batch=[
                f"link add {port} netns {self.lab.switch} type veth "
                f"peer name {ifname} address {self.mac(lan)} netns {self.netns}"
            ]
        )
        _ip("-n", self.lab.switch, batch=[f"link set {port} master lan{lan} up"])
        _ip(
            "-n",
            self.netns,
            batch=[
                f"link set {ifname} addrgenmode none",
                f"link set {ifname} up",
                f"addr add {self.ip4(lan)}/24 dev {ifname}",
                f"addr add {self.ip6(lan)}/64 dev {ifname} nodad",
                f"addr add {self.link_local()}/64 dev {ifname} nodad",
            ],
        )

    def del_interface(self, ifname="eth0"):
        """Remove the network card (and with it the switch's end of the cable)."""
        self.ip("link", "del", ifname)

    def link_down(self, ifname="eth0"):
        """Pull the cable: the host's card loses its carrier."""
        _ip("-n", self.lab.switch, "link", "set", self.port(ifname), "down")

    def link_up(self, ifname="eth0"):
        _ip("-n", self.lab.switch, "link", "set", self.port(ifname), "up")

    def cut(self, ifname="eth0"):
        """The switch forgets the port: the host keeps its carrier but reaches nobody, as if it were lost."""
        _ip("-n", self.lab.switch, "link", "set", self.port(ifname), "nomaster")

    def mend(self, ifname="eth0", lan=1):
        """Undo cut()."""
        _ip("-n", self.lab.switch, "link", "set", self.port(ifname), "master", f"lan{lan}")

    def drop(self, match, percent=100, ifname="eth0"):
        """Discard incoming packets that match an nftables expression ("ip protocol 112"), all or a share."""
        share = "" if percent >= 100 else f"numgen random mod 100 < {percent} "
        self.run(
            ["nft", "-f", "-"],
            stdin=(
                "table netdev lab { chain in { type filter hook ingress device "
                + ifname
                + " priority 0; }; }\n"
                f"add rule netdev lab in {match} {share}drop\n"
            ),
        )

    def undrop(self):
        """Undo every drop()."""
        self.run(["nft", "delete table netdev lab"])

    def ip(self, *args, check=True):
        """Run ip(8) in this host's namespace; returns its output."""
        return _ip("-n", self.netns, *args, check=check)

    def batch(self, lines):
        """Run many ip(8) commands at once."""
        _ip("-n", self.netns, batch=list(lines))

    def sysctl(self, **values):
        """Set sysctls of this host's network."""

        def write():
            for key, value in values.items():
                with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as f:
                    f.write(str(value))

        wire.in_netns(self.netns, write)

    def addresses(self, ifname=None):
        """Every address as {"address", "prefixlen", "ifname", "flags": set of words}."""
        out = []
        for link in json.loads(
            self.ip("-j", "addr", "show", *(["dev", ifname] if ifname else []), check=False) or "[]"
        ):
            for a in link.get("addr_info", []):
                words = {k for k, v in a.items() if v is True}
                out.append(
                    {
                        "address": a.get("local"),
                        "prefixlen": a.get("prefixlen"),
                        "ifname": link["ifname"],
                        "flags": words,
                        "valid_s": a.get("valid_life_time"),
                    }
                )
        return out

    def holds(self, address):
        """True when one of this host's interfaces has the address (without prefix length)."""
        address = address.split("/")[0]
        return any(a["address"] == address for a in self.addresses())

    # ---- programs ----

    def command(self, cmd):
        return ["ip", "netns", "exec", self.netns, *cmd]

    def run(self, cmd, check=True, stdin=None, timeout=60):
        """Run a command (a list, or text for the shell) to its end; the CompletedProcess with text output."""
        cmd = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        done = subprocess.run(
            self.command(cmd),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {cmd}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def pids(self):
        """Process ids of everything that runs on this host."""
        return [int(p) for p in _ip("netns", "pids", self.netns, check=False).split()]

    def popen(self, cmd, log, **kwargs):
        """Start a command, its output in the file `log` of the host's folder; returns a daemons.Process."""
        return daemons.Process(self, os.path.basename(cmd[0]), cmd, log, **kwargs)

    def vrrpd(self, conf, **kwargs):
        return daemons.Vrrpd(self, conf, **kwargs)

    def keepalived(self, conf, **kwargs):
        return daemons.Keepalived(self, conf, **kwargs)

    def haproxy(self, conf, **kwargs):
        return daemons.Haproxy(self, conf, **kwargs)

    def probe(self, kind, address, **kwargs):
        return daemons.Probe(self, kind, address, **kwargs)

    def udp_echo(self, port=7):
        return self.popen([os.path.join(build_dir(), "tests", "udp_echo"), str(port)], "udp_echo.log")

    # ---- frames ----

    def capture(self, keep=wire.is_vrrp, ifname="eth0", incoming=False):
        """Capture frames on an interface of this host from now on; stopped with the lab."""
        capture = wire.Capture(self.netns, ifname, keep, incoming)
        self.lab.on_close(capture.stop)
        return capture

    def injector(self, ifname="eth0"):
        injector = wire.Injector(self.netns, ifname)
        self.lab.on_close(injector.close)
        return injector


class Lab:
    """All hosts and switches of one test. Use it as a context manager, or call close()."""

    def __init__(self, lans=1):
        if os.geteuid() != 0:
            raise PermissionError("the lab makes network namespaces and needs root")
        remove_stale()
        pid = os.getpid()
        self.prefix = f"{PREFIX}-{pid}-{_process_start(pid)}-{random.randrange(16 ** 4):04x}"
        self.hosts = {}
        self.processes = []
        self.shared = False  # by several tests, one after another
        self.owner = None  # the fixture of several tests that has made it
        self.fixture = None  # the same until the first test begins
        self.parts = {}  # {host: what it is in this test}, where that may be another one in the next run
        self.strangers = set()  # addresses that are in adverts besides the hosts' own
        self._closers = []
        self._closed = False
        self.dir = tempfile.mkdtemp(prefix=self.prefix + "-")
        os.chmod(self.dir, 0o755)  # the agent runs as another user and must reach its run folder
        self.switch = f"{self.prefix}-switch"
        atexit.register(self.close)
        OPEN.append(self)
        self._old_term = None
        if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
            self._old_term = signal.signal(signal.SIGTERM, _on_term)
        try:
            _ip("netns", "add", self.switch)
            for lan in range(1, lans + 1):
                _ip(
                    "-n",
                    self.switch,
                    batch=[
                        f"link add lan{lan} type bridge forward_delay 0 mcast_snooping 0 ageing_time 30000",
                        f"link set lan{lan} addrgenmode none",
                        f"link set lan{lan} up",
                    ],
                )
        except BaseException:
            self.close()
            raise

    def host(self, name, lans=(1,)):
        """A new host on the given LANs, one network card (eth0, eth1, ...) each."""
        host = Host(self, name, lans)
        self.hosts[name] = host
        return host

    def capture(self, host, keep=wire.is_vrrp, ifname="eth0"):
        return host.capture(keep, ifname)

    def holders(self, address):
        """Names of the hosts that have the address."""
        return [h.name for h in self.hosts.values() if h.holds(address)]

    def sampler(self, address, interval_us=1000, hosts=None):
        """A sampler of who holds the address, every millisecond, on the present hosts: daemons.Holders."""
        return daemons.Holders(self, address.split("/")[0], interval_us, hosts)

    def wait_until(self, fn, deadline, what):
        """wait_until() with the logs of every daemon of this lab in the failure text."""
        return wait_until(fn, deadline, what, self.logs)

    def scripts(self):
        """Folder with a copy of our check and notify scripts: an ordinary user may not reach the sources'."""
        path = os.path.join(self.dir, "scripts")
        if not os.path.exists(path):
            shutil.copytree(os.path.join(ROOT, "scripts"), path)
            os.chmod(path, 0o755)
        return path

    def on_close(self, fn):
        """Call fn when the lab closes, last registered first."""
        self._closers.append(fn)

    def logs(self, lines=60):
        """The last lines of every daemon's log."""
        parts = []
        for process in self.processes:
            tail = process.log_text().splitlines()[-lines:]
            if tail:
                parts.append(
                    f"--- {process.host.name}: {process.name} ({process.log_path})\n" + "\n".join(tail)
                )
        return "\n".join(parts)

    def complaints(self):
        """What no log may hold: sanitizer reports, failed assertions, crashes. One line each."""
        found = []
        for process in self.processes:
            for line in process.log_text().splitlines():
                if CRASH.search(line):
                    found.append(f"{process.host.name}: {process.name}: {line}")
        return found

    def speakers(self):
        """Addresses that adverts may come from."""
        return self.strangers.union(*(h.own_addresses() for h in self.hosts.values()))

    def impossible(self):
        """Changes of state in the logs of vrrpd that cannot be (reasons.py). One line each."""
        import reasons  # pylint: disable=import-outside-toplevel  # reads vrrpd's sources, which the demo may lack

        chains = {}
        for p in self.processes:
            if isinstance(p, daemons.Vrrpd) and p.log_path not in chains:
                chains[p.log_path] = reasons.Chain(p.host.name, p.host.own_addresses(), self.speakers)
                for line in p.log_text().splitlines():
                    chains[p.log_path].line(line)
        return [wrong for chain in chains.values() for wrong in chain.wrong]

    def _keep_logs(self, folder):
        """Copies for who started this program: HOST.NAME.log of each vrrpd."""
        for process in self.processes:
            if isinstance(process, daemons.Vrrpd):
                shutil.copy(process.log_path, os.path.join(folder, f"{process.host.name}.{process.name}.log"))

    def close(self):
        """End every process, remove every namespace and file. Safe to call twice; signals wait meanwhile."""
        if self._closed:
            return
        self._closed = True
        OPEN.remove(self)
        for fn in BEFORE_CLOSE:
            fn(self)
        block = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
        old_mask = signal.pthread_sigmask(signal.SIG_BLOCK, block)
        try:
            for process in reversed(self.processes):
                process.kill()
            if "VRRPD_LOGS" in os.environ:
                self._keep_logs(os.environ["VRRPD_LOGS"])
            for fn in reversed(self._closers):
                try:
                    fn()
                except Exception as e:  # pylint: disable=broad-except
                    print(f"lab: while closing: {e}")
            for name in netns_names(self.prefix):
                _kill_namespace(name)
            shutil.rmtree(self.dir, ignore_errors=True)
        finally:
            atexit.unregister(self.close)
            if self._old_term is not None:
                signal.signal(signal.SIGTERM, self._old_term)
            signal.pthread_sigmask(signal.SIG_SETMASK, old_mask)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
