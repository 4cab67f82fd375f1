"""procstat.py - what the kernel knows of running programs: CPU time, memory, packets; all read from /proc.

Used by the benchmarks. Reading costs the measured programs nothing: no capture, no packet filter counter.
"""

import os


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def tree(pid):
    """Process ids of a program and everything below it."""
    found = [pid]
    for task in _tasks(pid):
        try:
            kids = _read(f"/proc/{pid}/task/{task}/children").split()
        except OSError:
            continue
        for kid in kids:
            found += tree(int(kid))
    return found


def _tasks(pid):
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def name(pid):
    """The program's name: the last part of its first argument (the kernel's own is cut at 15 characters)."""
    try:
        first = _read(f"/proc/{pid}/cmdline").split("\0")[0]
        return os.path.basename(first) or _read(f"/proc/{pid}/comm").strip()
    except OSError:
        return "?"


def cpu_ns(pid):
    """Time on a CPU in nanoseconds, user and system, by thread of a program and of everything below it."""
    out = {}
    for one in tree(pid):
        for task in _tasks(one):
            try:
                out[f"{name(one)}/{task}"] = int(_read(f"/proc/{one}/task/{task}/schedstat").split()[0])
            except OSError:
                continue  # ended meanwhile
    return out


def memory_kb(pid):
    """Per process of a program: [{"name", "rss_kb", "pss_kb", "locked_kb"}]."""
    out = []
    for one in tree(pid):
        try:
            rollup = _read(f"/proc/{one}/smaps_rollup")
        except OSError:
            continue
        values = {line.split(":")[0]: int(line.split()[1]) for line in rollup.splitlines()[1:] if ":" in line}
        out.append({"name": name(one), "rss_kb": values.get("Rss", 0), "pss_kb": values.get("Pss", 0),
                    "locked_kb": values.get("Locked", 0)})
    return out


def scheduling(pid):
    """Scheduling of each thread below a program: {"engine": ["FIFO 50", "OTHER"]}."""
    names = {0: "OTHER", 1: "FIFO", 2: "RR", 3: "BATCH", 5: "IDLE", 6: "DEADLINE"}
    out = {}
    for one in tree(pid):
        for task in _tasks(one):
            try:
                fields = _read(f"/proc/{one}/task/{task}/stat").rpartition(")")[2].split()
            except OSError:
                continue
            policy, priority = names.get(int(fields[38]), "?"), int(fields[37])
            out.setdefault(name(one), []).append(f"{policy} {priority}" if priority else policy)
    return out


def multicast(pid):
    """IPv4 multicast packets that the network namespace of a process has (sent, received): the adverts."""
    text = _read(f"/proc/{pid}/net/netstat")
    lines = [line.split() for line in text.splitlines() if line.startswith("IpExt:")]
    values = dict(zip(lines[0][1:], lines[1][1:]))
    return int(values["OutMcastPkts"]), int(values["InMcastPkts"])


def process_ns(pid):
    """Time on a CPU in nanoseconds of all threads of a process, and of its children that have ended and were waited for
    (these in clock ticks)."""
    threads = sum(int(_read(f"/proc/{pid}/task/{task}/schedstat").split()[0]) for task in _tasks(pid))
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    ended = int(fields[13]) + int(fields[14])  # cutime, cstime: proc(5)
    return threads + ended * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
