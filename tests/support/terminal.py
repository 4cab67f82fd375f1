"""terminal.py - a terminal to look at: tmux without a person in front of it.

    with Terminal(folder, 80, 24, run=host.command) as t:
        t.type("vrrpctl watch", "Enter")
        lab.wait_until(lambda: "active" in t.text(), 5, "...")
"""

import os
import subprocess


class Terminal:
    """A shell (bash without its settings) in a window of its own tmux server, which ends with it.

    `run` turns a command into one that runs elsewhere, in a network namespace for example.
    """

    def __init__(self, folder, columns=80, rows=24, run=lambda cmd: cmd):
        self._socket = os.path.join(folder, "tmux.sock")
        env = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        env.update(TERM="xterm-256color", PS1="prompt> ", LC_ALL="C.UTF-8")
        subprocess.run(
            run([*self._tmux(), "new-session", "-d", "-x", str(columns), "-y", str(rows),
                 "bash --norc --noprofile -i"]),
            env=env, check=True, timeout=20,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        subprocess.run([*self._tmux(), "kill-server"], check=False, timeout=20)

    def _tmux(self):
        return ["tmux", "-S", self._socket, "-f", "/dev/null"]

    def _ask(self, *args):
        done = subprocess.run([*self._tmux(), *args], capture_output=True, text=True, check=True, timeout=20)
        return done.stdout

    def type(self, *keys):
        """Text, or names of keys as tmux knows them: Enter, C-c."""
        self._ask("send-keys", *keys)

    def line(self, text):
        """A line for the shell."""
        self._ask("send-keys", "-l", text)
        self.type("Enter")

    def resize(self, columns, rows):
        self._ask("resize-window", "-x", str(columns), "-y", str(rows))

    def lines(self, colours=False):
        """What the screen shows, a string per row."""
        return self._ask("capture-pane", "-p", *(["-e"] if colours else [])).split("\n")[:-1]

    def text(self):
        return "\n".join(self.lines())

    def _mode(self, name):
        return self._ask("display-message", "-p", f"#{{{name}}}").strip() == "1"

    def is_screen(self):
        """Has a program taken the screen: the alternate one, without a cursor?"""
        return self._mode("alternate_on") and not self._mode("cursor_flag")

    def is_given_back(self):
        return not self._mode("alternate_on") and self._mode("cursor_flag") and self._mode("wrap_flag")
