/**
 * Runs werift, a WebRTC peer without an encoder. While it is switched on, it sends back the media that it
 * receives, so that the other party sees its own picture. Its messages are defined in process.py. The first
 * argument is the folder of werift's package.
 */
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { RTCPeerConnection, RTCRtpCodecParameters, MediaStreamTrack } = createRequire(import.meta.url)(
  process.argv[2],
);
/** A packet of silence has at most this number of bytes. */
const SILENCE = 20;
/** The energy that each packet of sound adds to the total. */
const ENERGY = 0.001;
const REPORT_MS = 100;
/** The packet type and the format of an RTCP packet that requests a keyframe (RFC 4585 §6.3.1). */
const [FEEDBACK, PICTURE_LOSS] = [206, 1];
const totals = { frames: 0, pictures: 0, sound: 0 };
const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const feedback = (...lines) =>
  lines.map((line) => {
    const [type, parameter] = line.split(" ");
    return { type, parameter };
  });
const codecs = {
  audio: [new RTCRtpCodecParameters({ mimeType: "audio/opus", clockRate: 48000, channels: 2 })],
  video: [
    new RTCRtpCodecParameters({
      mimeType: "video/VP8",
      clockRate: 90000,
      rtcpFeedback: feedback("nack", "nack pli", "ccm fir", "transport-cc"),
    }),
  ],
};
let connection = null;
let on = false;

function connect() {
  const made = new RTCPeerConnection({ codecs, iceServers: [], bundlePolicy: "max-bundle" });
  const out = {};
  for (const kind of ["audio", "video"]) {
    out[kind] = new MediaStreamTrack({ kind });
    made.addTransceiver(out[kind], { direction: "sendrecv" });
  }
  made.connectionStateChange.subscribe((state) => {
    if (state === "connected") {
      say({ connected: true });
    }
  });
  made.onTrack.subscribe((track) => {
    const receiver = made.getTransceivers().find(({ kind }) => kind === track.kind).receiver;
    track.onReceiveRtp.subscribe((rtp) => {
      if (track.kind === "audio") {
        totals.sound += rtp.payload.length > SILENCE ? ENERGY : 0;
      } else {
        totals.frames += rtp.header.marker ? 1 : 0;
        totals.pictures = totals.frames;
      }
      if (on) {
        out[track.kind].writeRtp(rtp);
      }
    });
    // werift passes a request for a keyframe to `receiver` instead of to the sender of the video, because the
    // request comes from an SSRC of the server from which `receiver` also gets video.
    receiver.onRtcp.subscribe(({ type, feedback }) => {
      if (type === FEEDBACK && feedback.count === PICTURE_LOSS) {
        receiver.sendRtcpPLI(track.ssrc);
      }
    });
  });
  return made;
}

async function answer(offer, fresh) {
  if (!fresh) {
    // werift would answer an ICE restart, but send no ICE checks afterwards.
    return null;
  }
  await connection?.close();
  connection = connect();
  await connection.setRemoteDescription({ type: "offer", sdp: offer });
  await connection.setLocalDescription(await connection.createAnswer());
  return connection.localDescription.sdp;
}

say({ ready: true });
setInterval(() => say(totals), REPORT_MS).unref();
for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.offer) {
    say({ answer: await answer(message.offer, message.fresh) });
  } else if ("on" in message) {
    on = message.on;
  } else {
    on = false;
    await connection?.close();
    connection = null;
  }
}
process.exit(0);
