"""Makes standard output and standard error of a server safe: writing to them never raises an error and never waits.

A text that cannot be written is dropped and counted, for instance because the disk is full or the reader does not
read. As soon as writing is possible again, the count is written first.
"""

import io
import os
import select
import socket
import stat
import sys
import threading
from collections.abc import Callable

NO_WAIT = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
ATOMIC = select.PIPE_BUF
"""When a pipe is ready, a write of at most this number of bytes does not wait (POSIX write())."""

Put = Callable[[bytes], int]


class Output(io.TextIOBase):
    """A text stream to a file descriptor, whose methods never raise and never wait.

    `lost` counts the lines that were dropped. `line_of(count)` returns the log line that reports this number.
    """

    def __init__(self, descriptor: int, line_of: Callable[[int], str] = lambda count: "") -> None:
        self.lost = 0
        self.line_of = line_of
        self._descriptor = descriptor
        self._put = _put(descriptor)
        self._rest = b""
        self._lock = threading.RLock()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """Reset this object in a new process after a fork.

        The new process has lost no lines, and no thread of it holds a lock.
        """
        self.lost, self._rest, self._lock = 0, b"", threading.RLock()

    def write(self, text: str) -> int:
        """Write the text, or drop and count it; return its length in both cases."""
        with self._lock:
            if not self._push(text.encode("utf-8", "backslashreplace")):
                self.lost += max(1, text.count("\n"))
        return len(text)

    def retry(self) -> None:
        """Write the part of the last line that is not written yet, and report lost lines, if that is possible now."""
        if self.lost or self._rest:
            with self._lock:
                self._push(b"")

    def _push(self, data: bytes) -> bool:
        """Write the rest of the previous line, then a report of lost lines, then `data`, without waiting.

        Return False if no byte of `data` can be written now; the caller then drops it.
        """
        if self._rest:
            self._rest = self._rest[self._send(self._rest) :]
            if self._rest:
                return False
        report = self.line_of(self.lost).encode() if self.lost else b""
        # The report and the line are sent in one write. With two writes, the short report might fit into a full
        # pipe again and again, but the line never would.
        sent = self._send(data := report + data)
        if data and not sent:
            return False
        # The part of the line that is not written yet is kept, and is written before anything else.
        self._rest = data[sent:]
        if report:
            self.lost = 0
        return True

    def _send(self, data: bytes) -> int:
        """Write as much of the data as is possible without waiting; return the number of bytes written."""
        sent = 0
        try:
            while sent < len(data) and (count := self._put(data[sent:])):
                sent += count
        except OSError:
            # The output is full, closed or not ready. The caller sees this by the number of bytes written.
            pass
        return sent

    def writable(self) -> bool:
        """Return True, because every text is accepted."""
        return True

    def isatty(self) -> bool:
        """Return whether the output goes to a terminal."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the number of the file descriptor to which this stream writes."""
        return self._descriptor

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding, always UTF-8."""
        return "utf-8"

    def close(self) -> None:
        """Do nothing: the descriptor lives as long as the process."""


def guard() -> None:
    """Replace `sys.stdout` and `sys.stderr` of this process, and of processes forked from it, by `Output` streams.

    A standard descriptor that is closed is opened on /dev/null first: otherwise the next file or socket would get its
    number and receive the log. Nothing is done if a stream does not write to its standard descriptor, as in tests.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(spare, True)
    os.close(spare)
    if sys.stdout is None or _number(sys.stdout) == 1:
        sys.stdout = Output(1)
    if sys.stderr is None or _number(sys.stderr) == 2:
        sys.stderr = Output(2)


def retry() -> None:
    """Write unwritten parts of lines and report lost lines, if possible now. The server calls this every second."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, Output):
            stream.retry()


def _number(stream: io.TextIOBase | object) -> int:
    try:
        return int(stream.fileno())  # type: ignore[union-attr]
    except (AttributeError, OSError, ValueError):
        return -1


def _put(descriptor: int) -> Put:
    """Return a function that writes to this descriptor without waiting, and raises OSError if that is not possible.

    O_NONBLOCK is never set on the descriptor itself, because other programs share it, such as a shell.
    """
    mode = os.fstat(descriptor).st_mode
    # systemd's journal is such a socket.
    if stat.S_ISSOCK(mode):
        peer = socket.socket(fileno=os.dup(descriptor))
        return lambda data: peer.send(data, socket.MSG_DONTWAIT)
    if stat.S_ISREG(mode) or not (stat.S_ISFIFO(mode) or os.isatty(descriptor)):
        return lambda data: os.write(descriptor, data)
    try:
        own = os.open(
            os.ttyname(descriptor) if os.isatty(descriptor) else f"/proc/self/fd/{descriptor}", NO_WAIT
        )
    # The pipe or terminal cannot be opened again: there is no /proc or no permission, or the pipe has no reader.
    except OSError:
        return lambda data: _if_ready(descriptor, data)
    return lambda data: os.write(own, data)


def _if_ready(descriptor: int, data: bytes) -> int:
    """Write to a pipe if it is ready; return the number of bytes written.

    This function waits only if another process fills the pipe at the same time.
    """
    waiting = select.poll()
    waiting.register(descriptor, select.POLLOUT)
    return os.write(descriptor, data[:ATOMIC]) if waiting.poll(0) else 0
