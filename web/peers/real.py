"""Real media: an aiortc peer that encodes and decodes VP8 and Opus, from a generated picture and tone or from a file.

Knows `media.synthetic` and how a file becomes tracks that are black and silent until `start`. aiortc cannot renegotiate
a connection that the other side restarts, so it joins anew instead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaPlayer
from av import AudioFrame, VideoFrame
from av.error import FFmpegError

from media.synthetic import Switched, SyntheticParty
from web.peers.arrivals import PlanError
from web.peers.media import Flow

BLACK = 16


class Gated(Switched):
    """A file's track that is black or silent until `enabled`, as a disabled one in a browser is."""

    def __init__(self, source: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = source.kind
        self._source = source

    async def recv(self) -> VideoFrame | AudioFrame:
        """The next frame, at its time. Raises MediaStreamError at the end."""
        frame = await self._source.recv()
        if not self.enabled and isinstance(frame, VideoFrame):
            return _black(frame)
        if not self.enabled and isinstance(frame, AudioFrame):
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
        assert isinstance(frame, VideoFrame | AudioFrame)
        return frame

    def stop(self) -> None:
        """The file is closed with its last track."""
        super().stop()
        self._source.stop()


def tracks(file: Path) -> tuple[Gated | None, Gated | None]:
    """The file's picture and sound, played again and again. Raises PlanError where it is no film."""
    try:
        player = MediaPlayer(str(file), loop=True)
    except (OSError, FFmpegError):
        raise PlanError(f"expected a file with picture or sound; found {file}") from None
    return (
        Gated(player.video) if player.video is not None else None,
        Gated(player.audio) if player.audio is not None else None,
    )


class RealMedia(SyntheticParty):
    """See the module, and `web.peers.media.Media`."""

    def __init__(self, changed: Callable[[], None], file: Path | None = None) -> None:
        picture, sound = tracks(file) if file is not None else (None, None)
        super().__init__(picture, sound)
        self.flow = Flow()
        self._tell = changed
        self._answered = False

    async def take_offer(self, offer: str, *, fresh: bool) -> str | None:
        """See Media."""
        if self._answered and not fresh:
            return None
        self._answered = True
        return await self.answer(offer)

    def _saw(self, frame: VideoFrame) -> None:
        super()._saw(frame)
        self.flow.frames, self.flow.pictures = self.frames_decoded, self.pictures_decoded
        if self.flow.came(time.monotonic()):
            self._tell()

    def _heard(self, frame: AudioFrame) -> None:
        super()._heard(frame)
        self.flow.sound = self.audio_energy


def _black(frame: VideoFrame) -> VideoFrame:
    black = VideoFrame(frame.width, frame.height, "yuv420p")
    for plane, level in zip(black.planes, (BLACK, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    black.pts, black.time_base = frame.pts, frame.time_base
    return black
