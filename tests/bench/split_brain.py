"""split_brain.py - two holders at once while the network is cut at random: a lease, an arbiter, and keepalived, on the same hosts.

The run itself is tests/tools/splits.py; here its sums stand beside each other.
"""

import os
import sys

import lab as labs

sys.path.insert(0, os.path.join(labs.ROOT, "tests", "tools"))

import splits  # noqa: E402

SPLITS = 60


def split_brain(bench):
    """How long two hosts held an address, of random splits, pauses and outages of the store."""
    count, seed = bench.count(SPLITS), bench.rng.randrange(10**6)
    bench.detail(f"Splits: {count} random splits, pauses and outages of the store on three hosts (seed {seed}), the same for all "
                 "three addresses at the same time; looked at every ms.")
    rows = {
        name: bench.row(f"{count} splits, pauses, outages: two holders, {name}", "s", "never", 0, judge="worst")
        for name in ("lease", "arbiter")
    }
    with bench.attempt("splits"), labs.Lab() as lab:
        run = splits.go(lab, count, seed)
        seen = {name: run.seconds_with_two(name) for name in splits.ADDRESSES}
        for name, row in rows.items():
            bench.record(row, "vrrpd", seen[name], seed=seed)
            bench.record(row, "keepalived", seen["keepalived"], seed=seed)
