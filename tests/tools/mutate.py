#!/usr/bin/env python3
"""Change the core in small wrong ways, one at a time: the tests must notice each ("make mutate").

    mutate.py [--list tests/tools/mutations.txt] [--jobs 2] [--verbose] [NAME...]

Every mutation of the list is applied to a copy of the tree, built, and judged by the cases and the unit tests of
vrrpd/proto and vrrpd/elect; the first that fails has killed it. A mutation that does not compile, that does not find its
line exactly once, or that all tests pass counts as a failure of this run. Ends with "N passed, N failed".

The form of the list: a block per mutation, blocks apart by an empty line, "#" for comments.

    name: what is wrong now
    vrrpd/proto/vrrp_timers.c
    - the line as it is (leading blanks aside)
    + the line instead
"""
import argparse
import concurrent.futures
import pathlib
import queue
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
UNITS = ["test_vrrp_timers", "test_vrrp_checksum", "test_vrrp_packet", "test_vrrp_packet_checks",
         "test_vrrp_packet_differ", "test_elect", "test_addr", "test_role"]
BUILD_LIMIT_S = 300
RUN_LIMIT_S = 60  # a mutation may loop for ever


class Mutation:
    """One block of the list."""

    def __init__(self, lines):
        self.name, _, self.what = (s.strip() for s in lines[0].partition(":"))
        self.file = lines[1].strip()
        self.old = [s[1:].strip() for s in lines[2:] if s.startswith("-")]
        self.new = [s[1:].strip() for s in lines[2:] if s.startswith("+")]
        if not self.name or not self.what or not self.old:
            raise ValueError(f"no mutation: {lines[0]}")

    def apply(self, text):
        """The text with the lines replaced; they must stand there exactly once, one after the other."""
        lines = text.split("\n")
        bare = [s.strip() for s in lines]
        at = [i for i in range(len(lines)) if bare[i : i + len(self.old)] == self.old]
        if len(at) != 1:
            raise ValueError(f"{self.name}: its lines stand in {self.file} {len(at)} times, not once")
        return "\n".join(lines[: at[0]] + self.new + lines[at[0] + len(self.old) :])


def read_list(path):
    """All mutations of a file."""
    block, out = [], []
    for line in path.read_text(encoding="utf-8").split("\n") + [""]:
        if line.startswith("#"):
            continue
        if line.strip():
            block.append(line)
        elif block:
            out.append(Mutation(block))
            block = []
    names = [m.name for m in out]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise ValueError(f"names used twice: {', '.join(sorted(twice))}")
    return out


class Tree:
    """A copy of what the core and its tests are made of, with a build folder of its own."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.dir.mkdir()
        for part in ("Makefile", "vrrpd", "netlink", "tests"):
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, self.dir / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, self.dir / part)

    def make(self, *targets):
        """Build; the exit status and what the compiler said."""
        done = subprocess.run(["make", "-s", "BUILD=build", "CFLAGS=-O1", *[f"build/tests/{t}" for t in targets]],
                              cwd=self.dir, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=BUILD_LIMIT_S, check=False)
        return done.returncode, done.stdout

    def passes(self, *command):
        """Does it end well and in time?"""
        try:
            done = subprocess.run([f"build/tests/{command[0]}", *command[1:]], cwd=self.dir, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=RUN_LIMIT_S)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def killer(self):
        """Which test fails in this tree: its name, or None. A tree that does not build raises."""
        status, said = self.make("case_run")
        if status != 0:
            raise ValueError(f"it does not compile:\n{said}")
        if not self.passes("case_run", "tests/cases"):
            return "cases"
        for unit in UNITS:
            status, said = self.make(unit)
            if status != 0:
                raise ValueError(f"it does not compile:\n{said}")
            if not self.passes(unit):
                return unit
        return None


def judge(mutation, trees):
    """(killed, sentence) of one mutation, in one of the trees."""
    tree = trees.get()
    path = tree.dir / mutation.file
    original = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutation.apply(original), encoding="utf-8")
        by = tree.killer()
        return by is not None, f"{'killed by ' + by if by else 'SURVIVED'}: {mutation.name}: {mutation.what}"
    except (ValueError, subprocess.TimeoutExpired) as e:
        return False, f"UNUSABLE: {mutation.name}: {e}"
    finally:
        path.write_text(original, encoding="utf-8")
        trees.put(tree)


def main():
    """Judge all, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--list", type=pathlib.Path, default=ROOT / "tests/tools/mutations.txt")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="also those that were killed")
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    mutations = [m for m in read_list(args.list) if not args.names or m.name in args.names]
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="vrrpd-mutate-") as folder:
        trees = queue.Queue()
        for n in range(args.jobs):
            tree = Tree(pathlib.Path(folder) / str(n))
            by = tree.killer()
            if by is not None:
                sys.exit(f"the tree as it is does not pass {by}: nothing can be judged")
            trees.put(tree)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for killed, sentence in pool.map(lambda m: judge(m, trees), mutations):
                passed += killed
                failed += not killed
                if args.verbose or not killed:
                    print(sentence, flush=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
