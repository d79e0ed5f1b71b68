/**
 * Turns the browser's page into a WebRTC peer, by an RTCPeerConnection with a fake camera and microphone. The
 * messages between the page and the test are defined in process.py.
 */

const BRIGHT = 40;
const REPORT_MS = 100;
const totals = { frames: 0, pictures: 0, sound: 0 };
const socket = new WebSocket(`ws://${location.host}/lines`);
const say = (message) => socket.send(JSON.stringify(message));
const screen = Object.assign(document.createElement("canvas"), { width: 32, height: 24 });
const brush = screen.getContext("2d", { willReadFrequently: true });
const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
document.body.append(video);
let connection = null;
let stream = null;
let last = { frames: 0, sound: 0 };

function isPicture() {
  brush.drawImage(video, 0, 0, screen.width, screen.height);
  const { data } = brush.getImageData(0, 0, screen.width, screen.height);
  return data.some((value, at) => at % 4 !== 3 && value > BRIGHT);
}

async function report() {
  if (!connection) {
    return;
  }
  const now = { frames: 0, sound: 0 };
  for (const found of (await connection.getStats()).values()) {
    if (found.type === "inbound-rtp") {
      now.frames += found.framesDecoded ?? 0;
      now.sound += found.totalAudioEnergy ?? 0;
    }
  }
  const frames = Math.max(0, now.frames - last.frames);
  totals.frames += frames;
  totals.pictures += isPicture() ? frames : 0;
  totals.sound += Math.max(0, now.sound - last.sound);
  last = now;
  say(totals);
}

async function answer(offer, fresh) {
  if (fresh || !connection) {
    connection?.close();
    stream ??= await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    last = { frames: 0, sound: 0 };
    const made = new RTCPeerConnection();
    connection = made;
    const received = new MediaStream();
    made.ontrack = ({ track }) => {
      received.addTrack(track);
      video.srcObject = received;
      video.play();
    };
    made.onconnectionstatechange = () => made.connectionState === "connected" && say({ connected: true });
    for (const track of stream.getTracks()) {
      made.addTrack(track, stream);
    }
  }
  await connection.setRemoteDescription({ type: "offer", sdp: offer });
  await connection.setLocalDescription();
  return connection.localDescription.sdp;
}

function switchTo(on) {
  for (const track of stream?.getTracks() ?? []) {
    track.enabled = on;
  }
}

async function take(message) {
  if (message.offer) {
    say({ answer: await answer(message.offer, message.fresh) });
    return;
  }
  switchTo(message.on === true);
  if (message.close) {
    connection?.close();
    connection = null;
  }
}

socket.onopen = () => say({ ready: true });
socket.onmessage = ({ data }) => take(JSON.parse(data)).catch((problem) => say({ problem: String(problem) }));
setInterval(() => report().catch((problem) => say({ problem: String(problem) })), REPORT_MS);
