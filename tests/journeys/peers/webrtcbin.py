"""A peer of process.py that uses GStreamer's webrtcbin. It runs in the system's Python, which has the bindings of
GObject.
"""

import json
import sys
import threading
import time
from typing import Any

import gi

for library in ("Gst", "GstSdp", "GstWebRTC"):
    gi.require_version(library, "1.0")

from gi.repository import Gst, GstSdp, GstWebRTC  # noqa: E402 - only after the versions are chosen

BRIGHT = 40
SAMPLING = 61
ENERGY_OF = 0.02
VIDEO = (
    "videotestsrc name=picture is-live=true pattern=black ! video/x-raw,width=320,height=240,framerate=15/1 ! queue ! "
    "{encoder} ! application/x-rtp,media=video,encoding-name={name},payload={payload_type} ! rtc. "
)
ENCODERS = {
    "VP8": "vp8enc deadline=1 cpu-used=8 target-bitrate=500000 ! rtpvp8pay picture-id-mode=15-bit",
    "H264": (
        "x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=600 ! "
        "video/x-h264,profile=constrained-baseline ! rtph264pay config-interval=-1 aggregate-mode=zero-latency"
    ),
}
SOUND = (
    "audiotestsrc name=sound is-live=true volume=0 ! audio/x-raw,rate=48000,channels=1 ! audioconvert ! "
    "audio/x-raw,channels=2 ! opusenc ! rtpopuspay ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=111 ! rtc. "
)
DECODERS = {
    "VP8": "rtpvp8depay ! vp8dec",
    "H264": "rtph264depay ! h264parse ! openh264dec",
    "OPUS": "rtpopusdepay ! opusdec",
}
RAW = {
    "video": "videoconvert ! video/x-raw,format=I420",
    "audio": "audioconvert ! audio/x-raw,format=S16LE,layout=interleaved",
}

totals = {"frames": 0, "pictures": 0, "sound": 0.0}
lock = threading.Lock()


def say(message: object) -> None:
    """Write a message as a line to standard output, which the test reads."""
    with lock:
        print(json.dumps(message), flush=True)


def on_frame(sink: Any) -> Any:
    """Count a decoded picture. `sink`: the GStreamer element that has it."""
    buffer = sink.emit("pull-sample").get_buffer()
    taken, data = buffer.map(Gst.MapFlags.READ)
    if taken:
        totals["frames"] += 1
        totals["pictures"] += max(bytes(data.data)[: 320 * 240 : SAMPLING]) > BRIGHT
        buffer.unmap(data)
        say(totals)
    return Gst.FlowReturn.OK


def on_sound(sink: Any) -> Any:
    """Add the energy of a piece of decoded sound: its mean square times its length in s."""
    buffer = sink.emit("pull-sample").get_buffer()
    taken, data = buffer.map(Gst.MapFlags.READ)
    if taken:
        samples = memoryview(bytes(data.data)).cast("h")[::SAMPLING]
        totals["sound"] += ENERGY_OF * sum((sample / 32768) ** 2 for sample in samples) / max(1, len(samples))
        buffer.unmap(data)
    return Gst.FlowReturn.OK


class Peer:
    """A peer with one pipeline, which is one connection, at a time."""

    def __init__(self, codec: str) -> None:
        self.codec = codec
        self.pipeline: Any = None
        self.on = False

    def answer(self, offer: str, fresh: bool) -> str | None:
        """Return the SDP answer to an offer.

        `fresh`: True if the offer begins a new connection. Otherwise it restarts ICE, which this webrtcbin
        does not support; then return None.
        """
        if not fresh:
            return None
        self.close()
        payload_type = next(
            line[9:].split()[0]
            for line in offer.splitlines()
            if line.startswith("a=rtpmap:") and self.codec in line
        )
        video = VIDEO.format(encoder=ENCODERS[self.codec], name=self.codec, payload_type=payload_type)
        self.pipeline = Gst.parse_launch("webrtcbin name=rtc bundle-policy=max-bundle " + video + SOUND)
        self.switch(self.on)
        rtc = self.pipeline.get_by_name("rtc")
        rtc.connect("pad-added", self.receive)
        rtc.connect("notify::connection-state", self.connection_changed)
        self.pipeline.set_state(Gst.State.PLAYING)
        _, message = GstSdp.SDPMessage.new_from_text(offer)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.OFFER, message)
        self.ask(rtc, "set-remote-description", described)
        reply = self.ask(rtc, "create-answer", None)
        # The description in `reply` is freed together with `reply`. `get_value` returns a copy that stays
        # valid.
        self.ask(rtc, "set-local-description", reply.get_value("answer"))
        while rtc.get_property("ice-gathering-state") != GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            time.sleep(0.02)
        return str(rtc.get_property("local-description").sdp.as_text())

    @staticmethod
    def ask(rtc: Any, what: str, argument: Any) -> Any:
        """Send webrtcbin the signal `what` with an argument, as one step of the negotiation; return its reply."""
        promise = Gst.Promise.new()
        rtc.emit(what, argument, promise)
        promise.wait()
        return promise.get_reply()

    def connection_changed(self, rtc: Any, _: Any) -> None:
        """Report to the test when the connection is established."""
        if rtc.get_property("connection-state") == GstWebRTC.WebRTCPeerConnectionState.CONNECTED:
            say({"connected": True})

    def receive(self, _: Any, pad: Any) -> None:
        """Decode and count the media that arrive on a new pad (an output) of webrtcbin."""
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        caps = pad.get_current_caps().get_structure(0)
        kind, name = caps.get_string("media"), caps.get_string("encoding-name").upper()
        if name not in DECODERS:
            say({"problem": f"received {name}"})
            return
        branch = Gst.parse_bin_from_description(
            f"queue ! {DECODERS[name]} ! {RAW[kind]} ! appsink name=end emit-signals=true sync=false", True
        )
        branch.get_by_name("end").connect("new-sample", on_frame if kind == "video" else on_sound)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def switch(self, on: bool) -> None:
        """Send picture and sound if `on`, otherwise black and silence."""
        self.on = on
        if self.pipeline is not None:
            self.pipeline.get_by_name("picture").set_property("pattern", "smpte" if on else "black")
            self.pipeline.get_by_name("sound").set_property("volume", 0.3 if on else 0.0)

    def close(self) -> None:
        if self.pipeline is not None:
            self.pipeline.set_state(Gst.State.NULL)
            self.pipeline = None


def main() -> None:
    """Carry out the message in each line of standard input, until it ends."""
    Gst.init(None)
    peer = Peer(sys.argv[1])
    say({"ready": True})
    for line in sys.stdin:
        message = json.loads(line)
        if "offer" in message:
            say({"answer": peer.answer(message["offer"], message["fresh"])})
        elif "on" in message:
            peer.switch(message["on"])
        else:
            peer.on = False
            peer.close()
    peer.close()


main()
