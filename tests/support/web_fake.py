"""web_fake.py - a web server inside a host of the lab that answers as told and keeps what it was asked.

Used by the netns tests of the scripts.
"""

import http.server
import threading

import wire


class Web:
    """answers[path] or else answers[None] is (status, body), or a list of them to be used up to the last."""

    def __init__(self, host, port, answers=None):
        self.answers = answers or {}
        self.asked = []  # (method, path, headers, body)
        self.spied = ""  # arguments of every process of the host while it was asked
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                for pid in host.pids():
                    try:
                        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as f:
                            web.spied += f.read().replace("\0", " ") + "\n"
                    except OSError:
                        continue
                web.asked.append((self.command, self.path, self.headers, body))
                answer = web.answers.get(self.path, web.answers.get(None, (404, "")))
                if isinstance(answer, list):
                    answer = answer.pop(0) if len(answer) > 1 else answer[0]
                self.send_response(answer[0])
                self.end_headers()
                self.wfile.write(answer[1].encode())

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = wire.in_netns(host.netns, lambda: http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler))
        self.url = f"http://127.0.0.1:{port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        host.lab.on_close(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
