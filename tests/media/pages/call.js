// The script of a page that tests of the relay inspect. It uses media.js with signalling of its own.
import { MediaSession } from "/media.js";

const query = new URLSearchParams(location.search);
const now = () => performance.timeOrigin + performance.now();
const remote = document.getElementById("remote");

/** Every decoded remote frame: [the time of decoding, its brightest luma 0-255]. */
const frames = [];
const states = [];
const seen = { loaded: now() };

/** Records the brightness of each frame of a track when it was decoded, before it is drawn. */
async function watch(track) {
  const reader = new MediaStreamTrackProcessor({ track }).readable.getReader();
  for (;;) {
    const { done, value: frame } = await reader.read();
    if (done) return;
    const at = now();
    const bytes = new Uint8Array(frame.allocationSize());
    const [luma] = await frame.copyTo(bytes);
    let brightest = 0;
    for (let row = 0; row < frame.codedHeight; row += 16) {
      for (let column = 0; column < frame.codedWidth; column += 16) {
        brightest = Math.max(brightest, bytes[luma.offset + row * luma.stride + column]);
      }
    }
    frame.close();
    frames.push([at, brightest]);
  }
}

/** All connections that media.js has made, the newest one last. */
const connections = [];
globalThis.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...options) {
    super(...options);
    connections.push(this);
  }
};
async function received(kind) {
  const reports = [...(await connections.at(-1).getStats()).values()];
  return reports.find((report) => report.type === "inbound-rtp" && report.kind === kind);
}

const socket = new WebSocket(`ws://${location.host}/ws${location.search}`);
const send = (message) => socket.send(JSON.stringify(message));

const media = new MediaSession({
  sendAnswer: async (sdp, id) => {
    send({ t: "answer", id, sdp });
    seen.answered ??= now();
  },
});
media.addEventListener("state", ({ detail }) => {
  states.push(detail);
  seen[detail] ??= now();
});
media.addEventListener("remotetrack", ({ detail }) => detail.kind === "video" && watch(detail));
media.addEventListener("trackended", ({ detail }) => states.push(`ended ${detail}`));
media.addEventListener("trackrestored", ({ detail }) => states.push(`restored ${detail}`));

remote.srcObject = media.remote;
document.getElementById("preview").srcObject = media.preview;

socket.onmessage = ({ data }) =>
  media.accept(JSON.parse(data)).catch((error) => states.push(`refused ${error}`));

function press() {
  seen.pressed = now();
  media.start();
  send({ t: "press" });
  return seen.pressed;
}

const prepared = query.has("bare") ? Promise.resolve({}) : media.prepare({ audio: true, video: true });
if (query.has("started")) media.start();

window.call = { media, frames, states, seen, press, prepared, now, received };
