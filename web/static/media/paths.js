/* Finds out whether media can pass through this network over UDP, over TCP, or through a TURN server. To do
   this, it answers an offer that the server makes only for this test, and checks which addresses connect. No
   media is sent, and no device is used. */

const WITHIN_MS = 8_000;

/**
 * @typedef {"udp" | "tcp" | "turn" | "none"} FoundPath the way on which media can pass; `turn`: through a
 *   TURN server, which forwards media; `none`: media cannot pass
 */

/**
 * Return the best path on which the server answers: over UDP, over TCP, or through a TURN server. The result
 * is "none" after eight seconds without an answer. Reject if the browser refuses the offer.
 *
 * @param {string} sdp the text of the server's offer
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
 * Return the best path among the candidate pairs that have connected; "none" if no pair has.
 *
 * @param {any[]} reports the reports of getStats
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
