/* Runs in the pages before their own scripts. It keeps each RTCPeerConnection, because only its getStats has
some
   of the figures. It also measures the picture and sound that a person would see and hear. */
window.__peers = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) {
    super(...args);
    window.__peers.push(this);
  }
};

/* The microphone's sound is sent as it is. Echo and noise are not removed from it, because that would need
   half of the CPU of a call's sound, and no journey tests whether they are removed. */
const openDevices = navigator.mediaDevices?.getUserMedia.bind(navigator.mediaDevices);
if (openDevices)
  navigator.mediaDevices.getUserMedia = (how) => {
    const asItIs = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return openDevices(how?.audio ? { ...how, audio: { ...how.audio, ...asItIs } } : how);
  };

window.__received = async () => {
  const seen = { frames: 0, energy: 0, freezes: 0, videoBytes: 0, audioBytes: 0 };
  for (const peer of window.__peers) {
    if (peer.connectionState === "closed") continue;
    for (const stat of (await peer.getStats()).values()) {
      if (stat.type !== "inbound-rtp") continue;
      if (stat.kind === "video") {
        seen.frames += stat.framesDecoded || 0;
        seen.freezes += stat.freezeCount || 0;
        seen.videoBytes += stat.bytesReceived || 0;
      } else {
        seen.energy += stat.totalAudioEnergy || 0;
        seen.audioBytes += stat.bytesReceived || 0;
      }
    }
  }
  return seen;
};

/* Returns two figures of the other party's picture, both 0 without a picture. `light`: its mean brightness
   (0 to 255). `moved`: how much it changes in 400 ms, summed over all pixels of a small copy. */
window.__picture = async () => {
  const pause = () => new Promise((done) => setTimeout(done, 400));
  const video = [...document.querySelectorAll("video")].find((v) => !v.muted && v.videoWidth);
  if (!video) {
    await pause();
    return { light: 0, moved: 0 };
  }
  const context = new OffscreenCanvas(32, 24).getContext("2d", { willReadFrequently: true });
  const grab = () => {
    context.drawImage(video, 0, 0, 32, 24);
    return context.getImageData(0, 0, 32, 24).data.slice();
  };
  const first = grab();
  await pause();
  const second = grab();
  let light = 0;
  let moved = 0;
  for (let i = 0; i < second.length; i += 4) {
    light += (second[i] + second[i + 1] + second[i + 2]) / 3;
    moved += Math.abs(second[i + 1] - first[i + 1]);
  }
  return { light: (light * 4) / second.length, moved };
};
