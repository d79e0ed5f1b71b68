"""Starts the real server for a test: the console script, on a free port, with its own data folder.

`RunningServer` writes the settings, waits until the server answers, reads the server's log and ends the server.
The fixture `greenroom_server` uses this class. A test may stop a server early and start another server on the same
folder. With `quick`, tests.prepared starts the server.
"""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.limits import WAIT_S
from tests.prepared import GREENROOM, Forked, prepared

ROOT = Path(__file__).resolve().parents[1]
CONSOLE_SCRIPT = [GREENROOM, "serve", "--config"]
STORE_S = 20.0
"""The time in s after which the store counts as unavailable, for servers beside other tests on a busy machine."""


def toml(settings: dict[str, dict[str, Any]]) -> str:
    """Return the settings as the text of a config.toml. Their values are written as JSON, which TOML reads in the same
    way.
    """
    lines = []
    for section, values in settings.items():
        lines += [f"[{section}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""]
    return "\n".join(lines)


class RunningServer:
    """A server process, and the requests that a test makes to it."""

    def __init__(
        self,
        folder: Path,
        settings: dict[str, dict[str, Any]],
        command: list[str] | None = None,
        options: tuple[str, ...] = (),
        stderr: int | None = None,
        quick: bool = False,
    ) -> None:
        """Start the server; `wait` returns when it answers. `folder`: the folder for its settings, data and log.

        `command`: None for the console script. `options`: added to it. `stderr`: a descriptor for standard
        error; then there is no log to read. `quick`: start it by tests.prepared.
        """
        self.folder = folder
        self.data = folder / settings.get("data", {}).get("folder", "data")
        self.config = folder / "config.toml"
        self.config.write_text(toml(settings), "utf-8")
        self._output = folder / "stdout.log"
        self._log = folder / "stderr.log"
        started = [*(command or CONSOLE_SCRIPT), str(self.config), *options]
        self.process: subprocess.Popen[bytes] | Forked
        with self._output.open("ab") as out, self._log.open("ab") as err, open(os.devnull) as nothing:
            self._log_start = err.tell()
            errors = err.fileno() if stderr is None else stderr
            if quick:
                self.process = prepared().start(started, (nothing.fileno(), out.fileno(), errors))
            else:
                self.process = subprocess.Popen(
                    started, stdin=nothing, stdout=out, stderr=errors, cwd=ROOT, start_new_session=True
                )
        self.url = ""

    @property
    def log(self) -> str:
        """Return everything that this process and its workers have written to standard error."""
        return self._log.read_bytes()[self._log_start :].decode("utf-8", "replace")

    @property
    def output(self) -> str:
        """Return everything that the server has written to standard output."""
        return self._output.read_text("utf-8")

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return the events in the log, if the server logs in JSON. A line that is not complete yet is left out."""
        complete = self.log.rpartition("\n")[0]
        return [json.loads(line) for line in complete.splitlines() if line.startswith("{")]

    @property
    def pids(self) -> list[int]:
        """Return the process ids of the workers that the master process has now.

        The store's process is also a child of the master; its id is left out. So is the id of a process that ends
        meanwhile.
        """
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = []
        for pid in children:
            with suppress(OSError):
                if "valkey" not in Path(f"/proc/{pid}/comm").read_text():
                    found.append(int(pid))
        return found

    def wait(self) -> "RunningServer":
        """Return this object when /healthz answers 200. Raises AssertionError with the log if that takes longer
        than WAIT_S.
        """
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            listening = [event for event in self.events if event["event"] == "server.listening"]
            if listening:
                self.url = listening[0]["url"]
                if self.status("/healthz") == 200:
                    return self
            time.sleep(0.02)
        raise AssertionError(f"the server does not answer:\n{self.log[-4000:]}")

    def until_said(self, text: str) -> str:
        """Return standard output when it contains `text`. Raises AssertionError with the log if that takes
        longer than WAIT_S.
        """
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if text in self.output:
                return self.output
            time.sleep(0.02)
        raise AssertionError(f"the server does not say {text!r}:\n{self.log[-4000:]}")

    def get(self, path: str, timeout_s: float = WAIT_S) -> dict[str, Any]:
        """Return the JSON of the answer to a GET of `path`. Raises OSError if the server does not answer within
        `timeout_s`.
        """
        with urllib.request.urlopen(self.url + path, timeout=timeout_s) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def status(self, path: str) -> int:
        """Return the status of the answer to a GET of `path`; 0 if the server does not answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=WAIT_S) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def stop(self) -> int:
        """Stop the server and return its exit code. Kill it if it does not stop in time."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            return self.process.wait(WAIT_S)
