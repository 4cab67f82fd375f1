"""browser.py - a headless Chromium on a host of the lab, driven over the DevTools protocol.

Used by the netns tests of the status page. It talks through two pipes, so it needs no port and no other library. Every
request and everything on the console is kept: what a page asked for and complained of can be judged.
"""

import base64
import json
import os
import select
import shutil
import sys
import tempfile
import time

import daemons
import lab as labs

# The browser reads commands from descriptor 3 and writes answers to 4.
WRAP = "import os, sys; r, w = map(int, sys.argv[1:3]); r = os.dup(r) if r == 4 else r; os.dup2(w, 9); os.dup2(r, 3); os.dup2(9, 4); " \
    "os.execvp(sys.argv[3], sys.argv[3:])"
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --remote-debugging-pipe --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --disable-default-apps --disable-extensions "
    "--disable-breakpad --disable-crash-reporter --log-level=3 --hide-scrollbars --mute-audio --no-proxy-server"
).split()


def program():
    """Chromium as distributions call it, or None."""
    for name in ("chromium", "chromium-browser"):
        path = shutil.which(name)
        if path:
            with open(path, "rb") as f:
                if b"/snap/" not in f.read(4096):  # Ubuntu's is a script that calls a snap
                    return path
    return None


def available():
    """False where the distribution has no Chromium that runs in a network namespace: Ubuntu."""
    with open("/etc/os-release", encoding="utf-8") as f:
        return program() is not None or "ID=ubuntu\n" not in f.read()


class Browser(daemons.Process):
    """The browser; page() opens a tab. Ends with the lab, and takes its profile with it."""

    def __init__(self, host):
        if program() is None:
            raise RuntimeError("no chromium here; type: tests/tools/install_deps.sh test")
        home = tempfile.mkdtemp(prefix="browser-", dir=host.dir)
        ours, theirs = os.pipe(), os.pipe()  # answers to us, commands to it
        env = {"HOME": home, "XDG_CONFIG_HOME": home, "XDG_CACHE_HOME": home, "TMPDIR": home, "TZ": "UTC"}
        super().__init__(
            host,
            "chromium",
            [sys.executable, "-c", WRAP, str(theirs[0]), str(ours[1]), program(), *OPTIONS, f"--user-data-dir={home}"],
            "chromium.log",
            env=env,
            pass_fds=(theirs[0], ours[1]),
        )
        os.close(theirs[0])
        os.close(ours[1])
        self._in, self._out = ours[0], theirs[1]
        self._text, self._number = b"", 0
        self.pages = {}  # by session
        host.lab.on_close(self.close)

    def close(self):
        self.kill()
        for fd in (self._in, self._out):
            os.close(fd)

    def _message(self, deadline):
        """The next message, or None when none comes in time."""
        while b"\0" not in self._text:
            if not select.select([self._in], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self._in, 1 << 20)
            if not data:
                raise AssertionError("the browser has ended\n" + self.log_text()[-4000:])
            self._text += data
        one, _, self._text = self._text.partition(b"\0")
        return json.loads(one)

    def _take(self, message):
        page = self.pages.get(message.get("sessionId"))
        if page is not None and "method" in message:
            page.take(message["method"], message["params"])

    def call(self, method, session=None, timeout=20, **params):
        """One command; its result."""
        self._number += 1
        ask = {"id": self._number, "method": method, "params": params}
        if session:
            ask["sessionId"] = session
        os.write(self._out, json.dumps(ask).encode() + b"\0")
        deadline = time.monotonic() + timeout
        while True:
            message = self._message(deadline)
            if message is None:
                raise labs.LabTimeout(f"the browser did not answer {method} within {timeout} s")
            if message.get("id") == self._number:
                if "error" in message:
                    raise AssertionError(f"{method}: {message['error']}")
                return message["result"]
            self._take(message)

    def page(self, url, *size, **options):
        return Page(self, url, *size, **options)


class Page:
    """A tab. `requests` are the addresses it asked for, `console` what it complained of."""

    def __init__(self, browser, url, width=1280, height=900, dark=False, script=True):
        self.browser, self.url = browser, url
        self.requests, self.console = [], []
        self._target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = browser.call("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        browser.pages[self._session] = self
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(domain + ".enable")
        self.look(width, height, dark)
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=url)

    def call(self, method, **params):
        return self.browser.call(method, self._session, **params)

    def take(self, method, params):
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("warning", "error"):
            self.console.append(params["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.console.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("warning", "error", "assert"):
            self.console.append(json.dumps(params["args"])[:500])

    def look(self, width, height, dark=False):
        """The size of the window, and which colours the reader prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 640)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def js(self, expression):
        """The value of an expression."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise AssertionError(f"{expression}: {json.dumps(done['exceptionDetails'])[:800]}")
        return done["result"].get("value")

    def wait(self, expression, deadline=10, what=None):
        """Wait until an expression is true; its value."""

        def seen():
            value = self.js(expression)
            assert value, self.js("document.body && document.body.innerText.slice(0, 1500)")
            return value

        return self.browser.host.lab.wait_until(seen, deadline, what or expression)

    def text(self, selector="body"):
        """What a reader sees of an element."""
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def wait_text(self, pattern, selector="body", deadline=10):
        """Wait until a regular expression of JavaScript fits the visible text, with single spaces."""
        text = f"(document.querySelector({json.dumps(selector)})?.innerText ?? '').replace(/\\s+/g, ' ')"
        self.wait(f"new RegExp({json.dumps(pattern)}).test({text})", deadline)

    def shot(self, path, full=False):
        """A picture (PNG) of the window, or of the whole page."""
        png = self.call("Page.captureScreenshot", captureBeyondViewport=full)
        with open(path, "wb") as f:
            f.write(base64.b64decode(png["data"]))

    def close(self):
        self.browser.call("Target.closeTarget", targetId=self._target)
        del self.browser.pages[self._session]
