"""Runs a Janus server: writes its configuration, calls its HTTP interface, and makes calls by its videocall plugin.

The ICE library of Janus accepts no candidate with a loopback address, so the machine needs another address. The
packets do not leave the machine.
"""

import json
import random
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ifaddr

from tests.benchmarks.others.calls import Party
from tests.benchmarks.others.setup import MissingServerError
from tests.benchmarks.packets import Load
from tests.limits import WAIT_S
from tests.ports import free_ports
from web.server.subprocesses import end

PLUGIN = "janus.plugin.videocall"
OTHER_PLUGINS = (
    "audiobridge duktape echotest lua nosip recordplay sip streaming textroom videoroom voicemail".split()
)
TRANSPORTS = "http mqtt nanomsg pfunix rabbitmq websockets".split()
START_S, ANSWER_S = WAIT_S, WAIT_S
STOP_S = 5.0


def address() -> str:
    """Return an IPv4 address of this machine that is not loopback. Raises MissingServerError if there is none."""
    for adapter in ifaddr.get_adapters():
        for found in adapter.ips:
            if isinstance(found.ip, str) and not found.ip.startswith("127."):
                return found.ip
    raise MissingServerError(
        "Janus takes no candidate from the loopback, and this machine has no other address"
    )


@contextmanager
def running(program: str, transport: str = "http") -> Iterator[tuple[int, str]]:
    """Start Janus (`program`); yield (its process id, the URL of its interface: HTTP, or WebSocket with "websockets").

    Raises MissingServerError if it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
    (port,) = free_ports(1)
    (folder / "janus.jcfg").write_text(_general(folder, address(), transport), "utf-8")
    (folder / "janus.transport.http.jcfg").write_text(
        f'general: {{ json = "compact" base_path = "/janus" http = true port = {port} ip = "127.0.0.1" '
        "https = false }\n"
        "admin: { admin_http = false }\n",
        "utf-8",
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "compact" ws = true ws_port = {port} ws_ip = "127.0.0.1" wss = false }}\n'
        "admin: { admin_ws = false }\n",
        "utf-8",
    )
    (folder / f"{PLUGIN}.jcfg").touch()
    process = subprocess.Popen(
        [program, "-C", str(folder / "janus.jcfg"), "-F", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for(port, process)
        yield (
            process.pid,
            f"http://127.0.0.1:{port}/janus" if transport == "http" else f"ws://127.0.0.1:{port}",
        )
    finally:
        end(process, STOP_S)
        shutil.rmtree(folder, ignore_errors=True)


def _general(folder: Path, host: str, transport: str) -> str:
    plugins = ",".join(f"libjanus_{name}.so" for name in OTHER_PLUGINS)
    transports = ",".join(f"libjanus_{name}.so" for name in TRANSPORTS if name != transport)
    return (
        f'general: {{ configs_folder = "{folder}" interface = "{host}" debug_level = 1 }}\n'
        f'media: {{ ipv6 = false }}\nnat: {{ ice_enforce_list = "{host}" full_trickle = false }}\n'
        f'plugins: {{ disable = "{plugins}" }}\ntransports: {{ disable = "{transports}" }}\n'
        "events: { broadcast = false }\n"
    )


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1.0).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise MissingServerError("Janus did not start")


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=ANSWER_S) as answer:
        return json.load(answer)


def _post(url: str, **message: Any) -> Any:
    data = json.dumps({"transaction": f"{random.getrandbits(48):x}", **message}).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


class Handle:
    """One person's session with the videocall plugin, in which the person is registered by name."""

    def __init__(self, url: str, name: str) -> None:
        self._session = f"{url}/{_post(url, janus='create')['data']['id']}"
        attached = _post(self._session, janus="attach", plugin=PLUGIN)
        self._handle = f"{self._session}/{attached['data']['id']}"
        self.name = name
        self._say({"request": "register", "username": name})
        self._event("registered")

    def call(self, other: str, offer: str) -> None:
        """Call the person `other` with an SDP offer."""
        self._say({"request": "call", "username": other}, {"type": "offer", "sdp": offer})

    def incoming(self) -> str:
        """Wait for an incoming call; return its SDP offer. Raises TimeoutError if none comes."""
        return str(self._event("incomingcall")["jsep"]["sdp"])

    def pick_up(self, answer: str) -> None:
        """Accept the incoming call with the SDP `answer`."""
        self._say({"request": "accept"}, {"type": "answer", "sdp": answer})

    def accepted(self) -> str:
        """Wait until the other side accepts; return its SDP answer, as Janus has changed it. Raises
        TimeoutError if the other side does not accept.
        """
        return str(self._event("accepted", lambda event: "jsep" in event)["jsep"]["sdp"])

    def _say(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> None:
        _post(self._handle, janus="message", body=body, **({"jsep": jsep} if jsep else {}))

    def _event(self, kind: str, fits: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[str, Any]:
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            found = _get(f"{self._session}?maxev=1&rid={time.monotonic_ns()}")
            for event in found if isinstance(found, list) else [found]:
                data = event.get("plugindata", {}).get("data", {})
                if "error" in data:
                    raise MissingServerError(f"Janus says: {data['error']}")
                if data.get("result", {}).get("event") == kind and fits(event):
                    return dict(event)
        raise TimeoutError(f"Janus did not say {kind}")


class Janus:
    """Runs calls on Janus.

    One party calls before the second press of Start Session, at which the other party accepts.
    """

    clip = None

    def __init__(self, pid: int, url: str) -> None:
        self.pids, self._url, self.host = [pid], url, address()
        self._kept: list[Handle] = []

    def prepare(self, load: Load, parties: Sequence[Party], name: str) -> Callable[[], None]:
        """Make the first of the `parties` call the second party.

        Return a function by which the second party accepts.
        """
        caller, callee = (Handle(self._url, f"{name}-{key}") for key in "ab")
        self._kept += [caller, callee]
        caller.call(callee.name, parties[0].offer())
        answer = parties[1].answer_to(callee.incoming())

        def press() -> None:
            callee.pick_up(answer)
            parties[0].accept(caller.accepted())

        return press
