// Runs in the pages of a measured call, after tests/journeys/measure.js. 20 times a second, it records how
// much of the other side's picture has arrived.
window.__arrived = []; // [time in ms, frames decoded so far, height of the picture in lines]
window.__peer = () => window.__peers.findLast((peer) => peer.connectionState !== "closed");

setInterval(async () => {
  const receiver = window
    .__peer()
    ?.getReceivers()
    .find(({ track }) => track.kind === "video");
  if (!receiver) return;
  for (const stat of (await receiver.getStats()).values()) {
    if (stat.type === "inbound-rtp")
      window.__arrived.push([Date.now(), stat.framesDecoded ?? 0, stat.frameHeight ?? 0]);
  }
}, 50);

window.__counts = async () => {
  const counts = { at_ms: Date.now(), frames: 0, freezes: 0, lines: 0, concealed: 0, samples: 0 };
  for (const stat of ((await window.__peer()?.getStats()) ?? new Map()).values()) {
    if (stat.type !== "inbound-rtp") continue;
    if (stat.kind === "video") {
      counts.frames += stat.framesDecoded ?? 0;
      counts.freezes += stat.freezeCount ?? 0;
      counts.lines = Math.max(counts.lines, stat.frameHeight ?? 0);
    } else {
      counts.concealed += (stat.concealedSamples ?? 0) - (stat.silentConcealedSamples ?? 0);
      counts.samples += stat.totalSamplesReceived ?? 0;
    }
  }
  return counts;
};

// For a call without a server, the test passes each description and candidate on to the other page.
window.__direct = async () => {
  const peer = new RTCPeerConnection();
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30, max: 30 } };
  const media = await navigator.mediaDevices.getUserMedia({ audio: true, video });
  for (const track of media.getTracks()) peer.addTrack(track, media);
  const seen = document.createElement("video");
  seen.autoplay = true;
  peer.ontrack = ({ streams }) => {
    seen.srcObject = streams[0];
  };
  document.body.append(seen);
};
window.__say = async (kind, heard) => {
  const peer = window.__peer();
  if (heard) await peer.setRemoteDescription(heard);
  if (kind) {
    await peer.setLocalDescription();
    while (peer.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 10));
  }
  return peer.localDescription.sdp;
};
