"""fail_nth.py - this side of fail_nth.c: which failure is wanted, and where it happened.

Used by anomaly.py.
"""

import mmap
import os
import struct
import subprocess

WHATS = {"allocation": 1, "call": 2, "ack": 4, "request": 8}
ALLOCATIONS = ("malloc", "calloc", "realloc", "reallocarray", "posix_memalign", "aligned_alloc")


class Control:
    """The file that fail_nth.c shares with its processes (struct control there)."""

    HEAD = struct.Struct("=16s16sIIQIIQii32sII")
    FRAME = struct.Struct("=40s32sQ")
    FRAMES = 24
    SITES = 1 << 16

    def __init__(self, path):
        self.path = path
        size = self.HEAD.size + self.FRAMES * self.FRAME.size + self.SITES * 8
        with open(path, "wb") as f:
            f.truncate(size)
        os.chmod(path, 0o666)
        self.fd = os.open(path, os.O_RDWR)
        self.map = mmap.mmap(self.fd, size)

    def close(self):
        self.map.close()
        os.close(self.fd)

    def aim(self, program, what, n, variant=0, only=""):
        """Prepare the next failure; n 0: none, who calls is noted. `only`: the one function that counts."""
        head = self.HEAD.pack(
            program.encode(), only.encode(), WHATS[what], variant, n, 0, 0, 0, 0, 0, b"", 0, 0
        )
        self.map[: self.HEAD.size] = head
        start = self.HEAD.size + self.FRAMES * self.FRAME.size
        if n == 0:
            self.map[start:] = bytes(len(self.map) - start)

    def arm(self, on):
        struct.pack_into("=I", self.map, 48, 1 if on else 0)

    def count(self):
        return struct.unpack_from("=Q", self.map, 56)[0]

    def fired(self):
        return struct.unpack_from("=I", self.map, 52)[0] == 2

    def place(self):
        """What failed: (call, errno, pid, [(module, symbol, offset), ...]), the innermost first."""
        head = self.HEAD.unpack_from(self.map, 0)
        frames = []
        for k in range(head[11]):
            module, symbol, offset = self.FRAME.unpack_from(self.map, self.HEAD.size + k * self.FRAME.size)
            frames.append((module.rstrip(b"\0").decode(), symbol.rstrip(b"\0").decode(), offset))
        return head[10].rstrip(b"\0").decode(), head[9], head[8], frames

    def sites(self):
        """What was noted: {hash of a place: the first number that was counted there}."""
        start = self.HEAD.size + self.FRAMES * self.FRAME.size
        found = {}
        for k in range(1, min(self.count() + 1, self.SITES)):
            found.setdefault(struct.unpack_from("=Q", self.map, start + 8 * k)[0], k)
        return found


def where(place, folder):
    """A place in words: call, errno and the innermost functions, of our programs with file and line."""
    call, err, _, frames = place
    names = []
    for module, symbol, offset in frames:
        path = os.path.join(folder, module)
        if os.path.exists(path):
            done = subprocess.run(
                ["addr2line", "-f", "-s", "-e", path, hex(offset - 1)], stdout=subprocess.PIPE, text=True, check=False
            )
            function, line = (done.stdout.splitlines() + ["?", "?"])[:2]
            names.append(f"{function} ({line.split(' ')[0]})")
        else:
            names.append(symbol or module.split(".so")[0])
    names = [name for k, name in enumerate(names) if k == 0 or name != names[k - 1]]
    return f"{call} -> {os.strerror(err)}: " + " < ".join(names[:9])
