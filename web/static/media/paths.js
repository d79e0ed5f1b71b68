/* Finds the paths that the network allows for a call, by a probe offer of the server; no media is sent. It
   uses RTCPeerConnection and no device. */

const WITHIN_MS = 8_000;

/** @typedef {"udp" | "tcp" | "turn" | "none"} FoundPath */

/**
 * Return the best path on which the server answers: over UDP, over TCP, or through a TURN server. The
 * result is "none" after eight seconds without an answer. Rejects if the browser refuses the offer.
 *
 * @param {string} sdp the text of the offer
 * @param {RTCIceServer[]} iceServers the TURN servers
 * @returns {Promise<FoundPath>}
 */
export async function tryPaths(sdp, iceServers) {
  const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle", iceServers });
  try {
    await connection.setRemoteDescription({ type: "offer", sdp });
    const connected = new Promise((done) => {
      connection.addEventListener("iceconnectionstatechange", () => {
        if (["connected", "completed", "failed"].includes(connection.iceConnectionState)) done(null);
      });
      setTimeout(done, WITHIN_MS, null);
    });
    await connection.setLocalDescription();
    await connected;
    return bestOf([...(await connection.getStats()).values()]);
  } finally {
    connection.close();
  }
}

/**
 * @param {any[]} reports
 * @returns {FoundPath}
 */
function bestOf(reports) {
  const byId = new Map(reports.map((report) => [report.id, report]));
  const found = reports
    .filter(({ type, state }) => type === "candidate-pair" && state === "succeeded")
    .map((pair) =>
      byId.get(pair.localCandidateId)?.candidateType === "relay"
        ? "turn"
        : byId.get(pair.remoteCandidateId)?.protocol,
    );
  return /** @type {FoundPath[]} */ (["udp", "tcp", "turn"]).find((path) => found.includes(path)) ?? "none";
}
