"""Defines real media: an aiortc peer that encodes and decodes VP8 and Opus.

The picture and the sound are generated, or come from a file. If the server restarts the connection, aiortc
cannot renegotiate it. So the person then joins the call's media again, with a new connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from aiortc import MediaStreamError, MediaStreamTrack
from aiortc.contrib.media import MediaPlayer
from av import AudioFrame, VideoFrame
from av.error import FFmpegError

from media.peers.aiortc_peer import Switched, SyntheticParty
from web.peers.errors import PlanError
from web.peers.media.flow import Flow

BLACK = 16


class Gated(Switched):
    """The picture or sound of a file, played again and again; black or silent until `enabled`, like a disabled track.

    The file is opened again for each repetition: aiortc's own loop restarts at time 0, which encoders refuse, and
    reads ahead without a limit.
    """

    def __init__(self, file: Path, kind: str) -> None:
        """Open the media file. Raises PlanError if it has no track of this `kind` (audio or video)."""
        super().__init__()
        self.kind = kind
        self._file = file
        self._source = self._opened()
        # The timestamp of the first frame since the file was opened again, in the units of the file's timestamps.
        self._began = 0
        self._next = 0
        self._last = -1

    def _opened(self) -> MediaStreamTrack:
        try:
            player = MediaPlayer(str(self._file))
        except (OSError, FFmpegError):
            raise PlanError(f"expected a file with picture or sound; found {self._file}") from None
        track: MediaStreamTrack | None = player.video if self.kind == "video" else player.audio
        if track is None:
            raise PlanError(f"expected a file with {self.kind}; found {self._file}")
        return track

    async def recv(self) -> VideoFrame | AudioFrame:
        """Return the next frame at the time when it is due.

        Raises MediaStreamError after `stop`, or if the file has no frame.
        """
        try:
            frame = await self._source.recv()
        except MediaStreamError:
            if self.readyState != "live" or self._next == self._began:
                # The track was stopped, or the file has no frame at all, so a repetition is not possible.
                raise
            self._began, self._source = self._next, self._opened()
            frame = await self._source.recv()
        assert isinstance(frame, VideoFrame | AudioFrame)
        at = max(self._began + (frame.pts or 0), self._last + 1)
        self._next, self._last = at + max(1, at - self._last), at
        frame.pts = at
        if not self.enabled and isinstance(frame, VideoFrame):
            return _black(frame)
        if not self.enabled and isinstance(frame, AudioFrame):
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
        return frame

    def stop(self) -> None:
        """Stop the track and close the file."""
        super().stop()
        self._source.stop()


def tracks(file: Path) -> tuple[Gated | None, Gated | None]:
    """Return the file's picture and its sound; None for the part that the file lacks. Raises PlanError if it has
    neither.
    """
    found: list[Gated | None] = []
    problem: PlanError | None = None
    for kind in ("video", "audio"):
        try:
            found.append(Gated(file, kind))
        except PlanError as none:
            problem = none
            found.append(None)
    if found == [None, None] and problem is not None:
        raise PlanError(f"expected a file with picture or sound; found {file}")
    return found[0], found[1]


class RealMedia(SyntheticParty):
    """The media of one person, encoded and decoded by aiortc; it has the methods of `web.peers.media.flow.Media`."""

    def __init__(
        self, changed: Callable[[], None], file: Path | None = None, flow: Flow | None = None
    ) -> None:
        picture, sound = tracks(file) if file is not None else (None, None)
        super().__init__(picture, sound)
        self.flow = flow or Flow()
        self._notify = changed
        self._answered = False

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """Return the SDP answer to an offer; None if the caller must join the call's media again.

        `fresh`: True if the offer is for a new connection.
        """
        if self._answered and not fresh:
            return None
        self._answered = True
        return await self.answer(offer)

    def _count_picture(self, frame: VideoFrame) -> None:
        before = self.pictures_decoded
        super()._count_picture(frame)
        self.flow.frames += 1
        self.flow.pictures += self.pictures_decoded - before
        if self.flow.add(time.monotonic()):
            self._notify()

    def _count_sound(self, frame: AudioFrame) -> None:
        before = self.audio_energy
        super()._count_sound(frame)
        self.flow.sound += self.audio_energy - before


def _black(frame: VideoFrame) -> VideoFrame:
    black = VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, level in zip(black.planes, (BLACK, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    black.pts, black.time_base = frame.pts, frame.time_base
    return black
