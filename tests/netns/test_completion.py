"""test_completion.py - what bash, zsh and fish complete with the scripts that vrrpctl prints.

Each shell loads what `make install` would install, from where it would look for it, and is asked.
"""

import json
import os
import shutil
import subprocess

import pytest

from daemons import conf, instance
import lab as labs
from terminal import Terminal

CHECK = {"kind": "script", "command": ["/bin/true"], "interval": "10s"}


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    """The share/ folder of an installation, and the programs in a folder of PATH."""
    root = tmp_path_factory.mktemp("prefix")
    build = labs.build_dir()
    places = {"bash": "share/bash-completion/completions/vrrpctl", "zsh": "share/zsh/site-functions/_vrrpctl",
              "fish": "share/fish/vendor_completions.d/vrrpctl.fish"}
    for shell, path in places.items():
        os.makedirs(root / os.path.dirname(path))
        shutil.copy(os.path.join(build, "completions", f"vrrpctl.{shell}"), root / path)
    os.symlink("vrrpctl", root / "share/bash-completion/completions/vrrpd")
    os.symlink("vrrpctl.fish", root / "share/fish/vendor_completions.d/vrrpd.fish")
    os.makedirs(root / "bin")
    for program in ("vrrpctl", "vrrpd"):
        os.symlink(os.path.abspath(os.path.join(build, program)), root / "bin" / program)
    return root


def environment(share, **more):
    return {**os.environ, "PATH": f"{share}/bin:{os.environ['PATH']}", "XDG_DATA_DIRS": f"{share}/share",
            "HOME": str(share), "LC_ALL": "C.UTF-8", **more}


def bash(share, line):
    """The words that bash offers at the end of the line, by way of the package bash-completion."""
    script = """
source /usr/share/bash-completion/bash_completion
line=$1
COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
read -r -a COMP_WORDS <<<"${line//=/ = }"
[[ $line == *' ' || $line == *= ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$line COMP_POINT=${#line}
_completion_loader "${COMP_WORDS[0]}"
spec=$(complete -p "${COMP_WORDS[0]}")
spec=${spec#*-F }
"${spec%% *}" "${COMP_WORDS[0]}" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
    env = environment(share, BASH_COMPLETION_USER_DIR=f"{share}/share/bash-completion")
    done = subprocess.run(["bash", "-c", script, "bash", line], env=env, capture_output=True, text=True, check=True,
                          timeout=20)
    assert done.stderr == ""
    return done.stdout.split()


def fish(share, line):
    done = subprocess.run(["fish", "--private", "-c", "complete -C $argv[1]", line], env=environment(share),
                          capture_output=True, text=True, check=True, timeout=20)
    assert done.stderr == ""
    return [x.partition("\t")[0] for x in done.stdout.splitlines()]


class Zsh:
    """zsh completes nothing without a terminal: keys go in, and what it lists stands below the line."""

    def __init__(self, share, terminal):
        self.terminal = terminal
        terminal.line(f"export PATH={share}/bin:$PATH LC_ALL=C.UTF-8 HOME={share}; exec zsh -f -i")
        terminal.line(f"PS1='zsh> '; fpath=({share}/share/zsh/site-functions $fpath); autoload -U compinit; "
                      "compinit -u -D; setopt no_auto_menu no_list_ambiguous no_beep; LISTMAX=0; clear; echo loaded")
        labs.wait_until(lambda: terminal.lines()[0] == "loaded", 20, "zsh has loaded its completions")

    def offers(self, line, *words):
        """Wait until all of these words are offered (or one is filled in) for the line; the screen as words."""
        terminal = self.terminal
        terminal.type("C-u", "C-l")
        labs.wait_until(lambda: terminal.text().strip() == "zsh>", 10, "an empty line")
        terminal._ask("send-keys", "-l", line)
        terminal.type("Tab")
        if not words:
            terminal.type("#")  # comes after whatever Tab has done

        def shown():
            assert words or "#" in terminal.text()
            seen = terminal.text().split()
            assert all(w in seen for w in words), "\n".join(x for x in terminal.lines() if x)
            return seen

        return labs.wait_until(shown, 10, f"zsh offers {words} for: {line}")


def verbs():
    done = subprocess.run([os.path.join(labs.build_dir(), "vrrpctl"), "help", "-j"], capture_output=True, text=True,
                          check=True)
    return [v["name"] for v in json.loads(done.stdout)["verbs"]]


@pytest.fixture(scope="module")
def daemon():
    """A daemon with two instances and two checks; names are asked over its socket, from anywhere."""
    with labs.Lab() as lab:
        text = conf(instance("pg", track=({"check": "haproxy"},)),
                    instance("pg-two.x", "10.77.1.101/24", vrid=52, track=({"check": "haproxy"}, {"check": "redis"})),
                    checks={"haproxy": CHECK, "redis": CHECK})
        one = lab.host("a").vrrpd(text)
        for name in ("pg", "pg-two.x"):
            one.wait_state(name, "active")
        yield one


# (line, what is offered, all of it); {dir} is the run folder of a daemon
LINES = (
    ("vrrpctl dr", ["drain"]),
    ("vrrpctl st", ["status"]),
    ("vrrpctl --run-dir {dir} drain ", ["pg", "pg-two.x"]),
    ("vrrpctl --run-dir={dir} drain ", ["pg", "pg-two.x"]),
    ("vrrpctl --socket {dir}/vrrpd.sock drain --for 10m ", ["pg", "pg-two.x"]),
    ("vrrpctl --run-dir {dir} check ", ["haproxy", "redis"]),
    ("vrrpctl --run-dir {dir} priority pg r", ["reset"]),
    ("vrrpctl --run-dir {dir}-none drain ", []),
    ("vrrpctl drain -", ["-j", "--all", "--for", "--wait"]),
    ("vrrpctl events -", ["-n", "-f", "-j"]),
    ("vrrpctl drain --for ", ["30s", "10m", "1h"]),
    ("vrrpctl completion ", ["bash", "zsh", "fish"]),
    ("vrrpctl help tak", ["takeover"]),
    ("vrrpd --log-level ", ["error", "warning", "info", "debug"]),
    ("vrrpd --pr", ["--print"]),
)


@pytest.mark.parametrize("ask", (bash, fish), ids=("bash", "fish"))
def test_offers(share, daemon, ask):
    assert sorted(ask(share, "vrrpctl ")) == sorted(verbs())
    for line, wanted in LINES:
        line = line.format(dir=daemon.run_dir)
        assert sorted(ask(share, line)) == sorted(wanted), line


def test_zsh_offers(share, daemon, tmp_path):
    with Terminal(str(tmp_path), 160, 50) as terminal:
        zsh = Zsh(share, terminal)
        zsh.offers("vrrpctl ", *verbs())
        for line, wanted in LINES:
            line = line.format(dir=daemon.run_dir)
            seen = zsh.offers(line, *wanted)
            assert wanted or not {"pg", "pg-two.x"} & set(seen), line


def test_installed_where_shells_look(tmp_path):
    root = os.path.dirname(labs.build_dir())
    done = subprocess.run(["make", "-s", "-C", root, f"BUILD={os.path.basename(labs.build_dir())}", "-n", "install",
                           f"DESTDIR={tmp_path}", "PREFIX=/usr"], capture_output=True, text=True, check=True)
    for path in ("bash-completion/completions/vrrpctl", "zsh/site-functions/_vrrpctl",
                 "fish/vendor_completions.d/vrrpctl.fish"):
        assert f"{tmp_path}/usr/share/{path}\n" in done.stdout
