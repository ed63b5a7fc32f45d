"""Runs the real binary: one installation of Muster and one Braze sandbox, each a process of its own.

Nothing here sleeps for luck. `until` asks the API again and again until a condition holds, and fails with what it saw
last. Ports are free ones of this machine; data lives in a directory of the test.
"""

import base64
import contextlib
import gzip
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("MUSTER_BIN", REPOSITORY / ".build/debug/muster"))
CLIENTS = REPOSITORY / ".venv-tests" / "clients"
SPACE = "spa_muster"
#: Debug builds on a busy machine of two cores are slow; a condition that holds sooner costs nothing.
PATIENCE = float(os.environ.get("MUSTER_TEST_PATIENCE", "60"))


class Refused(Exception):
    """An answer with an error status."""

    def __init__(self, status, body):
        super().__init__(f"HTTP {status}: {body[:2000]!r}")
        self.status = status
        self.body = body

    def json(self):
        return json.loads(self.body)


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def request(base, method, path, body=None, headers=None, timeout=30):
    """One request; the decoded JSON answer, or the text when it is none. Raises Refused, or OSError without a server."""
    address = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=timeout)
    headers = dict(headers or {})
    if body is not None and not isinstance(body, (bytes, str)):
        body = json.dumps(body).encode()
    if method != "GET":
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    if answer.status >= 400:
        raise Refused(answer.status, text.decode("utf-8", "replace"))
    if "json" in (answer.getheader("Content-Type") or ""):
        return json.loads(text) if text else None
    return text.decode("utf-8", "replace")


def chosen_seed():
    """The seed of a test's random moments: MUSTER_SEED, or another one each time. It is printed, to repeat a run."""
    seed = int(os.environ.get("MUSTER_SEED", random.randrange(1 << 30)))
    print(f"MUSTER_SEED={seed}")
    return seed


def until(what, condition, timeout=None, pause=0.05):
    """Asks `condition` until it returns something true, and returns that. It may raise Refused while things come up."""
    timeout = PATIENCE if timeout is None else timeout
    deadline = time.monotonic() + timeout
    seen = None
    while True:
        try:
            seen = condition()
            if seen:
                return seen
        except (Refused, OSError) as error:
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for {what}; last seen: {seen!r}")
        time.sleep(pause)


class Process:
    """A process of the binary under test, with its output in a file that failures print."""

    def __init__(self, name, directory, port):
        self.name = name
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.output = self.directory.parent / f"{self.directory.name}.log"
        self.process = None

    def arguments(self):
        raise NotImplementedError

    def is_ready(self):
        raise NotImplementedError

    def start(self):
        assert self.process is None, f"{self.name} runs already"
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [str(BINARY), *self.arguments()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.directory.parent)
        self.await_ready()
        return self

    def await_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(
                    f"{self.name} ended with {self.process.returncode} at its start:\n{self.closing_lines()}")
            return self.is_ready()

        try:
            until(f"{self.name} to answer", ready)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.closing_lines()}") from None

    def start_and_kill(self, after):
        """Starts and kills it `after` seconds later, wherever it may be by then."""
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                [str(BINARY), *self.arguments()], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.directory.parent)
        time.sleep(after)
        self.kill()

    def kill(self):
        """SIGKILL: no goodbye, as in a power cut of this process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self):
        """SIGTERM, and a clean end within ten seconds."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within 30 s of SIGTERM:\n{self.closing_lines()}") from None
        self.process = None
        assert code == 0, f"{self.name} ended with {code} on SIGTERM:\n{self.closing_lines()}"

    def restart(self):
        self.stop()
        return self.start()

    def closing_lines(self, count=40):
        with contextlib.suppress(OSError):
            return "\n".join(self.output.read_text(errors="replace").splitlines()[-count:])
        return "(no output)"

    def get(self, path):
        return request(self.url, "GET", path)

    def post(self, path, body=None, **options):
        return request(self.url, "POST", path, {} if body is None else body, **options)

    def put(self, path, body):
        return request(self.url, "PUT", path, body)

    def patch(self, path, body):
        return request(self.url, "PATCH", path, body)

    def delete(self, path):
        return request(self.url, "DELETE", path)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, error, trace):
        if self.process is None:
            return
        if kind is None:
            self.stop()
        else:
            print(f"── the last lines of {self.name}:\n{self.closing_lines()}")
            self.kill()


class Duplicator:
    """A proxy that gives every POST to the server twice, as a network that lost the first answer would."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.doubled = 0
        self.broken = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._closing = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection):
        with connection, connection.makefile("rb") as reader:
            while True:
                first = reader.readline()
                if not first:
                    return
                method, path, _ = first.decode("latin-1").split(" ", 2)
                headers = http.client.parse_headers(reader)
                body = reader.read(int(headers.get("Content-Length") or 0))
                try:
                    answers = [self._forward(method, path, headers, body) for _ in range(2)]
                except (OSError, http.client.HTTPException):
                    with self._lock:
                        self.broken += 1
                    return  # closes the connection: the client sees a network error and tries again
                with self._lock:
                    self.doubled += 1
                status, content_type, text = answers[1]
                connection.sendall(
                    f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(text)}\r\n\r\n".encode()
                    + text)

    def _forward(self, method, path, headers, body):
        forwarded = http.client.HTTPConnection("127.0.0.1", self.target_port, timeout=30)
        try:
            kept = {name: value for name, value in headers.items() if name.lower() not in ("host", "connection")}
            forwarded.request(method, path, body, kept)
            answer = forwarded.getresponse()
            return answer.status, answer.getheader("Content-Type") or "application/json", answer.read()
        finally:
            forwarded.close()

    def close(self):
        self._closing = True
        self._listener.close()


def basic(key):
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def gzipped(value):
    return gzip.compress(json.dumps(value).encode())
