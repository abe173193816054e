"""A Faultline of a test's own: fresh database, free port, tokens. Standard library only."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / os.environ.get("FAULTLINE_PROFILE", "debug") / "faultline"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, seconds=60):
    """Asks until there is an answer; the moment matters to no assertion."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not happen within {seconds} s")


class Faultline:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = pathlib.Path(self.folder.name) / "faultline.db"
        self.env = os.environ | {
            "FAULTLINE_DATABASE_URL": f"sqlite:{self.database}",
            "FAULTLINE_LISTEN": f"127.0.0.1:{self.port}",
            "FAULTLINE_BASE_URL": self.url,
            "FAULTLINE_LOG": "warn",
        }
        self.process = None
        self.ingest = self.command("token", "add", "senders", "--scope", "ingest")
        self.api = self.command("token", "add", "tests", "--scope", "api", "--role", "responder")

    def command(self, *args, input=None):
        return subprocess.run([BINARY, *args], env=self.env, cwd=ROOT, check=True, capture_output=True, text=True, input=input).stdout.strip()

    def start(self, log=None):
        self.process = subprocess.Popen([BINARY, "serve"], env=self.env, cwd=ROOT, stderr=log)
        wait_for("the start", self.is_ready)
        return self

    def is_ready(self):
        try:
            return urllib.request.urlopen(f"{self.url}/readyz", timeout=2).status == 200
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def close(self):
        self.stop()
        self.folder.cleanup()

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.api}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def send(self, path, body, timeout=10):
        """The status and the answer; None where the connection broke."""
        headers = {"Authorization": f"Bearer {self.ingest}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except OSError:
            return None
