#!/usr/bin/env python3
"""Prove the checkers: plant a bug into a copy of the real source, and see the simulator find it by the rule it breaks.

    planted.py --build build [NAME...]

Each plant is one edit of one file of vrrpd/: the edited copy is compiled beside the build and linked in front of the archives.
PLANTS go into the simulator, WORLDS into the small worlds.
The tree is not touched, and the product's code knows nothing of tests. Ends with "N passed, N failed".
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CFLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-DVRRPD_VERSION=\"planted\"", "-Ivrrpd", "-I.", "-pthread", "-fPIE", "-O2", "-w", "-fno-common"]
SEEDS = 300  # from the one where it is found

# name: (file, what is there, what is planted, the rule that must be broken, from which seed on to look, which kinds of fault exist)
PLANTS = {
    "no yield to a better Active": (
        "vrrpd/proto/vrrp_fsm.c", "\treturn adv->priority > f->priority ||\n", "\treturn f->priority == 0 ||\n",
        "two-holders"),
    "equal priorities both stay": (
        "vrrpd/proto/vrrp_fsm.c", "ip_addr_cmp(&adv->src, &f->source) > 0", "ip_addr_cmp(&adv->src, &f->source) == 0", "two-holders", 190),
    "ten times the down interval": (
        "vrrpd/proto/vrrp_timers.c", "return (usec_t)down_adverts * adver_int_cs * USEC_PER_CS +",
        "return (usec_t)10 * down_adverts * adver_int_cs * USEC_PER_CS +", "late-take-over", 2100),
    "a Backup that heard somebody never takes over": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->acquiring = true;\n\tf->deadline = MONO_NEVER;",
        "\tif (f->state == ROLE_STATE_BACKUP && f->heard_priority != 0) {\n\t\tf->deadline = mono_add(f->deadline, 600000000);\n"
        "\t\treturn;\n\t}\n\tf->acquiring = true;\n\tf->deadline = MONO_NEVER;", "no-holder", 1470, "kill,link"),
    "a timer that is never set anew": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->deadline = next_advert(f, f->deadline, now);\n\temit_advert(f, out);",
        "\temit_advert(f, out);", "busy-loop"),
    "a timer that nobody waits for": (
        "vrrpd/engine/engine_exec.c", "\tengine_campaign(e, i);\n\te->next_wake = mono_min(e->next_wake, elect_deadline(&i->elect));",
        "\tengine_campaign(e, i);", "deadline"),
    "the advert before the addresses": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->epoch++;\n\trole_actions_add(out, ROLE_ACTION_ACQUIRE)->epoch = f->epoch;",
        "\tf->epoch++;\n\trole_actions_add(out, ROLE_ACTION_ACQUIRE)->epoch = f->epoch;\n\temit_advert(f, out);",
        "advert-without-address"),
    "addresses, and never active": (
        "vrrpd/elect/elect.c", "\tif (ev->err == 0) {\n\t\tstep_mode(e, ev, now, out);\n\t\treturn;",
        "\tif (ev->err == 0) {\n\t\tif (e->transitions > 1)\n\t\t\treturn;\n\t\tstep_mode(e, ev, now, out);\n\t\treturn;",
        "state-and-kernel", 100),
    "a release that forgets one address": (
        "vrrpd/engine/engine_addresses.c", "\tfor (uint32_t pos = 0; pos < i->n_addresses;) {\n\t\tk->n_ops = 0;\n\t\tcollect(k, i, &pos, want_ours);",
        "\tfor (uint32_t pos = 1; pos < i->n_addresses;) {\n\t\tk->n_ops = 0;\n\t\tcollect(k, i, &pos, want_ours);",
        "two-holders"),
    "no make before break": (
        "vrrpd/proto/vrrp_fsm.c", "bool hold = !ev->silent && !ev->at_once && !slept(f, now);", "bool hold = false;", "hand-over-gap", 20),
    "nobody defends the addresses": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->defended = now;\n\tf->contested = true;\n\trole_actions_add(out, ROLE_ACTION_ANNOUNCE);", "",
        "client-misled", 1, "partition,claim"),
    "priority 0 at random": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->deadline = next_advert(f, f->deadline, now);\n\temit_advert(f, out);",
        "\tf->deadline = next_advert(f, f->deadline, now);\n\tif (now.us % 64 == 0)\n\t\trole_actions_add(out, ROLE_ACTION_ADVERT)"
        "->priority = 0;\n\telse\n\t\temit_advert(f, out);", "left-without-cause"),
    "a lease held a third too long": (
        "vrrpd/elect/elect_follow.c", "\treturn l->lease_until;\n}", "\treturn mono_add(l->lease_until, l->lease_until.us == 0 ? 0 : 3000000);\n}",
        "two-with-a-lease", 1, "store-cut,store-lost"),
    "the lease goes before the addresses": (
        "vrrpd/engine/engine_leader.c",
        "wanted = elect_campaigns(&i->elect) || (i->campaigns && (elect_holds(&i->elect) || i->releasing));",
        "wanted = elect_campaigns(&i->elect) && !elect_leaving(&i->elect);", "two-with-a-lease", 320, "drain,stop,store-mute"),
    "addresses without an end": (
        "vrrpd/engine/engine_addresses.c", "\tif (g->address_lifetime_s == 0)\n", "\tif (g->address_lifetime_s != 0)\n",
        "outlived", 1, "pause,kill"),
    "lifetimes that know of no lease": (
        "vrrpd/engine/engine_addresses.c", "\tuint64_t until = i->keep_until_us, lasts", "\tuint64_t until = UINT64_MAX, lasts",
        "two-with-a-lease", 2800, "store-cut,pause"),
    "an advert that is not counted": (
        "vrrpd/engine/engine_tx.c", "\ti->counters.adverts_sent++;\n", "\ti->counters.adverts_sent += now.us % 64 != 0;\n", "counters"),
    "a packet that is not counted": (
        "vrrpd/engine/engine_rx.c", "\tc->adverts_received++;\n", "\tc->adverts_received += adv->priority != 0;\n", "counters"),
    "a good packet is discarded": (
        "vrrpd/engine/engine_rx.c", "\tif (drop != VRRP_DROP_NONE) {\n\t\tif (i != NULL)",
        "\tif (now.us % 64 == 0)\n\t\tdrop = VRRP_DROP_TTL;\n\tif (drop != VRRP_DROP_NONE) {\n\t\tif (i != NULL)", "discarded"),
    "preempt is ignored": (
        "vrrpd/proto/vrrp_fsm.c", "\tif (!f->conf->preempt && !f->takeover)\n\t\treturn true;", "\treturn true;", "not-the-best"),
    "an unfit host goes on": (
        "vrrpd/elect/elect_fit.c", "\tif (t->has_weight || counts_as_up(t, (uint8_t)state))\n",
        "\tif (t->has_weight || state != ELECT_TRACK_PENDING)\n", "unfit-holder", 340, "check"),
    "an invariant of its own": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->leaving = false;\n\tf->leave_until = MONO_NEVER;", "\tf->leaving = false;", "assertion"),
    "who is told of another leader goes on": (
        "vrrpd/elect/elect_follow.c", "\t\treturn MONO_ZERO;\n\t}\n\tswitch", "\t\tbreak;\n\t}\n\tswitch", "two-holders", 1, "leader"),
    "a stop that leaves addresses behind": (
        "vrrpd/engine/engine_run.c", "if (e->gen->instances[n].releasing || elect_holds", "if (elect_holds", "left-behind", 1, "stop,slow-kernel"),
    # What the simulator found in the real code, undone.
    "found: checks that are known, not told": (
        "vrrpd/engine/engine_reload.c", "\t\ttell_checks(e, i, now);\n", "", "not-the-best", 1, "reload"),
    "found: another name takes the addresses away": (
        "vrrpd/engine/engine_addresses.c", "\t\tif (i->held[n].held && held_elsewhere(k,", "\t\tif (0 && held_elsewhere(k,", "hand-over-gap", 1, "reload"),
    "found: an advert without a socket": (
        "vrrpd/elect/elect.c", " && e->conf->mode == ELECT_MODE_VRRP)\n\t\trole_actions_add(out, ROLE_ACTION_ADVERT)",
        ")\n\t\trole_actions_add(out, ROLE_ACTION_ADVERT)", "crash", 1, "reload"),
    "found: an engine that ends before its elections begin": (
        "vrrpd/engine/engine_memory.c", "i->elect.started ? elect_held_until(&i->elect) : i->resume_until", "elect_held_until(&i->elect)",
        "hand-over-gap", 1, "crash,leader"),
    "found: an engine that knows nothing releases": (
        "vrrpd/elect/elect_follow.c", "if (l->fact == ELECT_FACT_NOTHING)\n\t\t\treturn l->lease_until;",
        "if (l->fact == ELECT_FACT_NOTHING)\n\t\t\treturn MONO_ZERO;", "hand-over-gap", 1, "crash"),
    "found: an owner that is deaf": (
        "vrrpd/engine/engine_rx.c", "if (drop == VRRP_DROP_OWNER && ", "if (0 && ", "two-holders", 390),
    "found: an owner that corrects nobody": (
        "vrrpd/proto/vrrp_fsm.c", "\t\tadvert_in_owner(f, adv, now, out);\n", "", "client-misled", 1300, "partition"),
    "found: what could not be renewed is forgotten": (
        "vrrpd/engine/engine_addresses.c", "\t\th->held = h->held && renewed;\n", "\t\th->held = false;\n", "two-holders", 1350, "crash,fail-kernel"),
}


# name: (file, what is there, what is planted, the rule of sim_worlds.c that must be broken)
WORLDS = {
    "worlds: the advert before the addresses": (*PLANTS["the advert before the addresses"][:3], "an advert without the addresses"),
    "worlds: the announcement before the addresses": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->epoch++;\n", "\tf->epoch++;\n\trole_actions_add(out, ROLE_ACTION_ANNOUNCE);\n",
        "an announcement without the addresses"),
    "worlds: who defends lets go": (
        "vrrpd/proto/vrrp_fsm.c", "\tf->contested = true;\n\trole_actions_add(out, ROLE_ACTION_ANNOUNCE);",
        "\tf->contested = true;\n\trole_actions_add(out, ROLE_ACTION_ANNOUNCE);\n\trole_actions_add(out, ROLE_ACTION_RELEASE);",
        "active without the addresses"),
    "worlds: a leave without a release": (
        "vrrpd/proto/vrrp_fsm.c", "\tend_leaving(f);\n\trole_actions_add(out, ROLE_ACTION_RELEASE);", "\tend_leaving(f);",
        "addresses, and the state says none"),
    "worlds: a timer that is never set anew": (*PLANTS["a timer that is never set anew"][:3], "a timer that was served is still due"),
    "worlds: a Backup that heard somebody never takes over": (
        *PLANTS["a Backup that heard somebody never takes over"][:3], "nobody holds the addresses at rest"),
    "worlds: no yield to a better Active": (*PLANTS["no yield to a better Active"][:3], "two hold the addresses at rest"),
    "worlds: preempt is ignored": (*PLANTS["preempt is ignored"][:3], "the holder is not the best one at rest"),
}


def build(plant, build_dir, out, worlds):
    """Link the program with the plant in it. None, or what went wrong."""
    path, old, new = plant[:3]
    text = (ROOT / path).read_text()
    if text.count(old) < 1:
        return f"{path} has no such place any more: {old!r}"
    source = out / pathlib.Path(path).name
    source.write_text(text.replace(old, new, 1))
    obj = source.with_suffix(".o")
    subprocess.run(["cc", *CFLAGS, "-I" + str(ROOT / pathlib.Path(path).parent), "-c", "-o", obj, source], cwd=ROOT, check=True)
    own = [s for s in sorted((build_dir / "obj/tests/sim").glob("sim_*.o")) if (s.name == "sim_worlds.o") == worlds]
    libs = [build_dir / f"lib{n}.a" for n in ("engine", "ipc", "elect", "proto", "netlink", "base")]
    subprocess.run(["cc", "-pie", "-pthread", "-o", out / "planted", *own, obj, "-Wl,--start-group", *libs, "-Wl,--end-group"],
                   cwd=ROOT, check=True)
    return None


def check(name, plant, build_dir, seeds):
    """None, or what went wrong."""
    worlds, rule = name in WORLDS, plant[3]
    first, kinds = plant[4] if len(plant) > 4 else 1, plant[5] if len(plant) > 5 else None
    with tempfile.TemporaryDirectory() as tmp:
        wrong = build(plant, build_dir, pathlib.Path(tmp), worlds)
        if wrong:
            return wrong
        options = ["--seeds", str(seeds), "--first", str(first), "--jobs", "1", "--rule", rule]
        options += ["--kinds", kinds] if kinds else []
        done = subprocess.run([pathlib.Path(tmp) / "planted"] + (["--acts", "2", "--losses", "2"] if worlds else options),
                              stdout=subprocess.PIPE, text=True, timeout=900, check=False)
    if worlds:
        found = re.search(r"^BROKEN at (depth \d+): (.*)$", done.stdout, re.M)
    else:
        found = re.search(r"^(seed \d+): ([a-z-]+) at [0-9.]+ s: .*$", done.stdout, re.M)
    if not found or found[2] != rule:
        return f"{rule} was not broken" + ("" if worlds else f" in {seeds} seeds from {first}") + f"\n{done.stdout[-400:]}"
    print(f"  {name}: {found[0]}", flush=True)
    return None


def unproved():
    """Rules that no plant is for."""
    text = "".join(f.read_text() for f in sorted((ROOT / "tests/sim").glob("sim_*.c")))
    rules = set(re.findall(r'sim_violation\("([a-z-]+)"', text)) | set(re.findall(r'\brule\("([^"]+)"', text))
    rules |= set(re.findall(r'sim_violation\([^"(]+ \? "([a-z-]+)" : "[a-z-]+"', text))
    return {r for r in rules if not r.startswith("simulator")} - {p[3] for p in (PLANTS | WORLDS).values()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    build_dir = pathlib.Path(args.build).resolve()
    plants = {n: p for n, p in (PLANTS | WORLDS).items() if not args.names or any(a in n for a in args.names)}
    failed = 0
    if not args.names:
        print("--- no plant is for: " + ", ".join(sorted(unproved())) if unproved() else "each rule has a plant")
        failed += bool(unproved())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, wrong in zip(plants, pool.map(lambda n: check(n, plants[n], build_dir, args.seeds), plants)):
            if wrong:
                failed += 1
                print(f"--- {name}: {wrong}")
    print(f"{len(plants) + (not args.names) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
