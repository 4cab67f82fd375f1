"""postgres.py - the distribution's PostgreSQL on a host of a lab. Used by the netns tests and the benchmarks.

It runs as the user postgres, with its files below the lab's folder; the clusters of the distribution in
/etc/postgresql are not touched. Durability is off.
"""

import glob
import os
import pwd
import shutil
import signal
import subprocess

AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


def program(name):
    """The server's programs are not in PATH on Debian."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}")) + [shutil.which(name) or name]
    return found[0]


class Postgres:
    """A server in the folder of a host, on port 5432 and a Unix socket; its superuser's password is "geheim"."""

    def __init__(self, host):
        self.host = host
        self.dir = os.path.join(host.dir, "postgres")
        self.data = os.path.join(self.dir, "data")
        self.socket = os.path.join(self.dir, ".s.PGSQL.5432")
        self.process = None
        self.number = 0
        os.mkdir(self.dir)
        password = os.path.join(self.dir, "password")
        with open(password, "w", encoding="ascii") as f:
            f.write("geheim\n")
        self._openssl()
        user = pwd.getpwnam("postgres")
        for path in (self.dir, *glob.glob(self.dir + "/*")):
            os.chown(path, user.pw_uid, user.pw_gid)
        os.chmod(os.path.join(self.dir, "key.pem"), 0o600)
        subprocess.run(
            [*AS_POSTGRES, program("initdb"), "-D", self.data, "-A", "scram-sha-256", "--pwfile", password]
            + ["-U", "postgres", "-N", "-E", "UTF8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.dir,
        )
        # Standby without a primary: in recovery until it is promoted.
        with open(os.path.join(self.data, "standby.signal"), "w", encoding="ascii"):
            pass

    def _openssl(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=db.test"]
            + ["-addext", "subjectAltName=DNS:db.test", "-keyout", "key.pem", "-out", "cert.pem"],
            check=True,
            cwd=self.dir,
            stderr=subprocess.DEVNULL,
        )

    def start(self, **settings):
        self.number += 1
        settings = {
            "fsync": "off",
            "unix_socket_directories": self.dir,
            "listen_addresses": "0.0.0.0",
            "ssl": "on",
            "ssl_cert_file": os.path.join(self.dir, "cert.pem"),
            "ssl_key_file": os.path.join(self.dir, "key.pem"),
            "shared_buffers": "1MB",
            **settings,
        }
        args = [word for k, v in settings.items() for word in ("-c", f"{k}={v}")]
        self.process = self.host.popen(
            [*AS_POSTGRES, program("postgres"), "-D", self.data, *args], f"postgres{self.number}.log"
        )

    def stop(self, signo=signal.SIGQUIT):
        self.process.signal(signo)
        self.process.popen.wait(20)

    def promote(self):
        """As pg_ctl promote does it: a file and a signal."""
        path = os.path.join(self.data, "promote")
        with open(path, "w", encoding="ascii"):
            pass
        self.process.signal(signal.SIGUSR1)


def secret(host, text):
    path = os.path.join(host.dir, f"secret.{len(text)}{text[0]}")
    with open(path, "w", encoding="ascii") as f:
        f.write(text + "\n")
    os.chmod(path, 0o600)
    return path
