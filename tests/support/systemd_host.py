"""systemd_host.py - a host of the lab with a systemd of its own, for tests of vrrpd as a service.

Used by tests/netns/test_systemd.py. The host is a Debian (or what this machine is) made by debootstrap from the
mirror that this machine's apt uses, in a folder below the build folder; every start works on an overlay of it. Its
systemd is process 1 in namespaces and a cgroup of its own (systemd_host.sh) and never sees this machine's root.
"""

import os
import re
import shutil
import signal
import subprocess
import time

import daemons
import lab as labs

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "systemd_host.sh")
UNSHARE = "unshare --fork --kill-child --pid --mount --propagation private --uts --ipc --cgroup".split()
UNIT_DIR = "/usr/lib/systemd/system"
DEBOOTSTRAP_LIMIT_S = 900

# What a container has no use for, and what must not be tried from inside.
MASKED = """systemd-sysctl.service systemd-modules-load.service systemd-random-seed.service systemd-binfmt.service
proc-sys-fs-binfmt_misc.automount systemd-remount-fs.service systemd-udevd.service systemd-timesyncd.service
systemd-pstore.service systemd-logind.service getty.target dev-hugepages.mount dev-mqueue.mount
sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount
kmod-static-nodes.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer
e2scrub_all.timer e2scrub_reap.service motd-news.timer""".split()


# ---- the root file system ----------------------------------------------------------------------------------


def codename():
    """The release this machine runs: its programs then find the same libraries."""
    with open("/etc/os-release", encoding="utf-8") as f:
        found = re.search(r"^VERSION_CODENAME=\"?(\w+)", f.read(), re.M)
    if not found:
        raise labs.LabError("/etc/os-release names no release: debootstrap needs a Debian or Ubuntu")
    return found[1]


def mirror(suite):
    """The mirror that this machine's apt takes the release from."""
    folder = "/etc/apt/sources.list.d"
    files = ["/etc/apt/sources.list"] + [os.path.join(folder, n) for n in sorted(os.listdir(folder))]
    for path in files:
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read()
        if path.endswith(".sources"):
            for part in text.split("\n\n"):
                uri = re.search(r"^URIs:\s*(\S+)", part, re.M)
                suites = re.search(r"^Suites:(.*)$", part, re.M)
                if uri and suites and suite in suites[1].split():
                    return uri[1]
        else:
            line = re.search(rf"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+{suite}\s", text, re.M)
            if line:
                return line[1]
    raise labs.LabError(f"apt's sources name no mirror for {suite}")


def packages():
    """What the new root needs besides the base: systemd, and the packages of the libraries of our programs."""
    names = {"systemd", "dbus", "iproute2"}
    for program in ("vrrpd", "vrrpd-engine", "vrrpd-agent", "vrrpctl"):
        ldd = subprocess.run(["ldd", os.path.join(labs.build_dir(), program)], stdout=subprocess.PIPE, text=True,
                             check=True).stdout
        for library in re.findall(r"^\s*(\S+) => /", ldd, re.M):
            found = subprocess.run(["dpkg-query", "-S", "*/" + library], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout
            names.add(found.split(":")[0])
    return sorted(names)


def base_root():
    """A root file system with systemd, made when it is missing; at most once per build folder and release."""
    suite = codename()
    folder = os.path.join(labs.build_dir(), "systemd-root")
    root, partial = os.path.join(folder, suite), os.path.join(folder, suite + ".partial")
    wanted = " ".join(packages())
    stamp = root + ".packages"
    if os.path.exists(stamp):
        with open(stamp, encoding="utf-8") as f:
            if f.read() == wanted:
                return root
        os.unlink(stamp)
    for old in (root, partial):
        shutil.rmtree(old, ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    # In namespaces of its own: whatever becomes of it, nothing it mounts or starts outlives it.
    cmd = "unshare --mount --propagation private --pid --fork --kill-child --mount-proc debootstrap".split()
    done = subprocess.run(
        [*cmd, "--variant=minbase", "--include=" + wanted.replace(" ", ","), suite, partial, mirror(suite)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=DEBOOTSTRAP_LIMIT_S,
    )
    if done.returncode != 0:
        raise labs.LabError("debootstrap: " + "\n".join(done.stdout.splitlines()[-15:]))
    os.rename(partial, root)
    with open(stamp, "w", encoding="utf-8") as f:
        f.write(wanted)
    return root


# ---- cgroups -----------------------------------------------------------------------------------------------


def cgroup_mount():
    """Where this machine's cgroup v2 tree is."""
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        for line in f:
            left, _, right = line.partition(" - ")
            if right.startswith("cgroup2 "):
                return left.split()[4]
    raise labs.LabError("this machine has no cgroup v2 tree mounted, which systemd needs")


def remove_cgroup(path, deadline=5):
    """Remove a cgroup and those below it as soon as nothing runs in them; False when something does."""
    end = time.monotonic() + deadline
    while os.path.isdir(path):
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def remove_stale_cgroups():
    """What labs left whose process is gone."""
    top = cgroup_mount()
    for name in os.listdir(top):
        parts = name.split("-")
        ours = parts[0] == labs.PREFIX and len(parts) > 2 and parts[1].isdigit()
        if ours and not os.path.exists(f"/proc/{parts[1]}"):
            remove_cgroup(os.path.join(top, name), 0)


# ---- the host ----------------------------------------------------------------------------------------------


class SystemdHost:
    """systemd on a host of the lab, with vrrpd installed (not enabled) and this configuration."""

    def __init__(self, host, conf_text):
        self.host = host
        self.dir = os.path.join(host.dir, "systemd")
        for name in ("upper", "work", "root"):
            os.makedirs(os.path.join(self.dir, name))
        self._install(conf_text)
        remove_stale_cgroups()
        self.cgroup = os.path.join(cgroup_mount(), host.netns)
        os.mkdir(self.cgroup)
        host.lab.on_close(lambda: remove_cgroup(self.cgroup))
        cmd = [*UNSHARE, "sh", SCRIPT, base_root(), self.dir, host.name]
        # Into the cgroup before anything else: "ip netns exec" hides the tree.
        self.process = host.popen(cmd, "systemd.log", preexec_fn=self._enter_cgroup)
        self.init = host.lab.wait_until(self._find_init, 20, f"{host.name}: systemd is process 1")
        host.lab.processes.append(self.service())
        host.lab.wait_until(self._booted, 60, f"{host.name}: systemd has started")

    def _install(self, conf_text):
        upper = os.path.join(self.dir, "upper")
        subprocess.run(
            ["make", "-s", "install", f"BUILD={labs.build_dir()}", f"DESTDIR={upper}", f"UNITDIR={UNIT_DIR}"],
            cwd=labs.ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )
        units = os.path.join(upper, "etc/systemd/system")
        os.makedirs(units)
        with open(os.path.join(upper, "etc/hostname"), "w", encoding="utf-8") as f:
            f.write(self.host.name + "\n")
        for name in MASKED:
            os.symlink("/dev/null", os.path.join(units, name))
        with open(os.path.join(upper, "etc/vrrpd/vrrpd.conf"), "w", encoding="utf-8") as f:
            f.write(conf_text)

    def _enter_cgroup(self):
        with open(os.path.join(self.cgroup, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write("0")

    def _find_init(self):
        if not self.process.alive():
            raise RuntimeError(f"{self.host.name}: systemd ended:\n{self.process.log_text()}")
        return daemons.children(self.process.pid).get("systemd")

    def _booted(self):
        state = self.run(["systemctl", "is-system-running"], check=False).stdout.strip()
        assert state in ("running", "degraded"), f"systemd is {state}\n{self.process.log_text()}"
        return True

    def run(self, cmd, check=True, timeout=60):
        """Run a command on this host; the CompletedProcess with text output."""
        cmd = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        enter = ["nsenter", "-t", str(self.init), "-m", "-u", "-i", "-n", "-p", "-C", "--"]
        done = subprocess.run(enter + cmd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.host.name}: {cmd}: exit {done.returncode}: {done.stderr.strip()}\n"
                                 + self.journal())
        return done

    def kill(self):
        """End process 1, and with it everything on this host; the process that started it reaps it."""
        if self.process.alive():
            os.kill(self.init, signal.SIGKILL)
            self.process.wait()

    def systemctl(self, *args, check=True):
        return self.run(["systemctl", *args], check=check)

    def property(self, name, unit="vrrpd.service"):
        return self.systemctl("show", "-p", name, "--value", unit).stdout.strip()

    def journal(self, unit="vrrpd"):
        done = self.run(["journalctl", "--no-pager", "-o", "short-monotonic", "-u", unit], check=False)
        return done.stdout + done.stderr

    def path(self, path):
        """A file of this host as the test reaches it."""
        return f"/proc/{self.init}/root{path}"

    def service(self):
        """The running vrrpd, for its status: a daemons.Vrrpd without a process of the test's own."""
        return Service(self)


class Service(daemons.Vrrpd):
    """vrrpd as the service of a SystemdHost."""

    def __init__(self, machine):  # pylint: disable=super-init-not-called
        self.machine = machine
        self.host = machine.host
        self.name = "vrrpd.service"
        self.log_path = "its journal"
        self.socket_path = machine.path("/run/vrrpd/vrrpd.sock")

    def kill(self):
        """It ends with its host."""
        self.machine.kill()

    def alive(self):
        return self.machine.process.alive()

    def ctl(self, *args, timeout=20):
        return self.machine.run(["vrrpctl", *args], check=False, timeout=timeout)

    def log_text(self):
        return self.machine.journal()
