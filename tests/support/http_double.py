"""http_double.py - an HTTP server inside a host of the lab whose every octet the test decides.

Used where no real server can be had, or none misbehaves on command.
"""

import socket
import threading
import urllib.parse

import wire


class Request:
    """One request: method, path without the query, query (the last value of each), headers (lower case), client."""

    def __init__(self, head, client):
        lines = head.decode("latin-1").split("\r\n")
        self.method, target, _ = lines[0].split(" ")
        self.path, _, query = target.partition("?")
        self.path = urllib.parse.unquote(self.path)
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        self.client = client


def reply(status, body=b"", **headers):
    """The octets of a whole answer; header names with _ for -."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class HttpDouble:
    """answer(request) returns octets, or an iterable of them to be sent one after the other, or None: no answer ever."""

    def __init__(self, host, port, answer):
        self.host, self.port, self.answer = host, port, answer
        self.url = f"http://{host.ip4()}:{port}"
        self.asked = []  # requests, as they came
        self._open = []
        self._listener = None
        host.lab.on_close(self.close)
        self.start()

    def start(self):
        def listen():
            return socket.create_server(("", self.port), backlog=64)

        self._listener = wire.in_netns(self.host.netns, listen)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def close(self):
        """As if its process were killed: connections are reset or closed, new ones refused."""
        listener, self._listener = self._listener, None
        for one in [listener] * (listener is not None) + self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        self._open.clear()

    def _accept(self, listener):
        while True:
            try:
                conn, address = listener.accept()
            except OSError:
                return
            self._open.append(conn)
            threading.Thread(target=self._serve, args=(conn, address[0]), daemon=True).start()

    def _serve(self, conn, client):
        try:
            while self._one(conn, client):
                pass
        except (OSError, ValueError):
            pass
        finally:
            if conn in self._open:
                self._open.remove(conn)
            conn.close()

    def _one(self, conn, client):
        head = b""
        while b"\r\n\r\n" not in head:
            data = conn.recv(65536)
            if not data:
                return False
            head += data
        request = Request(head.partition(b"\r\n\r\n")[0], client)
        self.asked.append(request)
        answer = self.answer(request)
        if answer is None:
            while conn.recv(65536):
                pass
            return False
        if isinstance(answer, bytes):
            conn.sendall(answer)
            return True
        for piece in answer:
            conn.sendall(piece)
        return False
