"""Runs calls on mediasoup, by a small Node server around its API (`servers/mediasoup`).

Each party connects before the second press of Start Session. Its transport, its producers (what it sends) and
its consumers (what it receives) are made then; the consumers are paused. The press resumes the consumers.
Mediasoup has no faster way to begin a call.
"""

import json
import os
import select
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

from media.protocols.codecs import OPUS, VP8
from tests.benchmarks.others.calls import Party
from tests.benchmarks.others.setup import MissingServerError, Program
from tests.benchmarks.others.stacks import SERVERS
from tests.benchmarks.packets import ANSWER_S, STOP_S, Load
from web.server.subprocesses import end

WORKER = "MEDIASOUP_WORKER_BIN"


class Mediasoup:
    """A running mediasoup. `pids`: the process ids of Node and of the worker, which carries the packets."""

    clip, host = None, "127.0.0.1"

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._commands, self._answers = _open(process.stdin), _open(process.stdout)
        self.pids = [process.pid, int(self._read()["worker"])]

    def prepare(self, load: Load, parties: Sequence[Party], name: str) -> Callable[[], None]:
        """Connect the `parties` of the call `name`, without media. Return a function that lets media pass.

        `load`: sends and reads for the parties.
        """
        for party in parties:
            joined = self._ask(
                what="join",
                call=name,
                types={"opus": OPUS.payload_type, "vp8": VP8.payload_type},
                fingerprint=party.identity.fingerprint.value,
                ssrcs={"audio": party.audio_ssrc, "video": party.video_ssrc},
            )
            party.remote_ufrag, party.remote_password = joined["ufrag"], joined["password"]
            party.remote = (joined["host"], joined["port"])
        load.connect(parties)
        self._ask(what="link", call=name)
        return lambda: self._ask(what="open", call=name) and None

    def _ask(self, **command: Any) -> Any:
        self._commands.write(json.dumps(command).encode() + b"\n")
        self._commands.flush()
        answer = self._read()
        if "error" in answer:
            raise MissingServerError(f"mediasoup says: {answer['error']}")
        return answer

    def _read(self) -> Any:
        ready, _, _ = select.select([self._answers], [], [], ANSWER_S)
        line = self._answers.readline() if ready else b""
        if not line:
            raise MissingServerError("mediasoup does not answer")
        return json.loads(line)


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe


@contextmanager
def running(program: Program, worker: str, modules: str) -> Iterator[Mediasoup]:
    """Start Node (`program`) with the API in the folder `modules` and the worker built at `worker`; yield the server.

    Raises MissingServerError if it does not start.
    """
    process = subprocess.Popen(
        [*program.command, str(SERVERS / "mediasoup" / "server.cjs"), modules],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, WORKER: worker},
        start_new_session=True,
    )
    try:
        yield Mediasoup(process)
    finally:
        end(process, STOP_S)
        for pipe in (process.stdin, process.stdout):
            _open(pipe).close()
