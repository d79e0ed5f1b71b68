// A page of its own signalling around media.js: what the tests of the relay look at.
import { MediaSession } from "/media.js";

const query = new URLSearchParams(location.search);
const now = () => performance.timeOrigin + performance.now();
const canvas = new OffscreenCanvas(16, 16);
const pen = canvas.getContext("2d", { willReadFrequently: true });
const remote = document.getElementById("remote");

/** Every decoded remote frame: [when it was presented, its brightest value 0-255]. */
const frames = [];
const states = [];
const seen = { loaded: now() };

function watch() {
  remote.requestVideoFrameCallback(() => {
    const at = now();
    pen.drawImage(remote, 0, 0, 16, 16);
    frames.push([at, Math.max(...pen.getImageData(0, 0, 16, 16).data.filter((_, index) => index % 4 !== 3))]);
    watch();
  });
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
media.addEventListener("trackended", ({ detail }) => states.push(`ended ${detail}`));
media.addEventListener("trackrestored", ({ detail }) => states.push(`restored ${detail}`));

remote.srcObject = media.remote;
document.getElementById("preview").srcObject = media.preview;
watch();

socket.onmessage = ({ data }) => media.accept(JSON.parse(data)).catch((error) => states.push(`refused ${error}`));

function press() {
  seen.pressed = now();
  media.start();
  send({ t: "press" });
  return seen.pressed;
}

const ask = (wanted) => media.prepare(wanted);
const prepared = query.has("bare") ? Promise.resolve({}) : ask({ audio: true, video: true });
if (query.has("started")) prepared.then(() => media.start());

window.call = { media, frames, states, seen, press, ask, prepared, now, start: () => media.start() };
