/**
 * Computes the quality of a call: reads the counters of getStats (https://www.w3.org/TR/webrtc-stats/),
 * calculates their change since the previous reading, and chooses one word for the call. The caller passes
 * the reports and the time.
 */

/**
 * Each row: a word for a bad call, and the limits of its loss (0 to 1), its round trip in ms and its number
 * of freezes. The worst word comes first. The call gets the word of the first row whose limit of loss or
 * round trip it exceeds, or whose number of freezes it reaches.
 *
 * @type {{ words: "poor" | "fair", loss: number, rtt_ms: number, freezes: number }[]}
 */
const WORDS = [
  { words: "poor", loss: 0.08, rtt_ms: 500, freezes: 2 },
  { words: "fair", loss: 0.02, rtt_ms: 250, freezes: 1 },
];

export class Figures {
  /**
   * @type {{ at_ms: number, octets: number, lost: number, packetsReceived: number, freezes: number,
   *   framesDecoded: number } | null} the sums of the previous reports. The next result is the change since
   *   these sums. null before the first reports
   */
  #before = null;

  /**
   * Forget the previous report, because the next report belongs to another connection, whose counters begin
   * at 0.
   */
  restart() {
    this.#before = null;
  }

  /**
   * Return the quality of the call, as `MediaSession.stats` does: a word, the round trip in ms, the loss, the
   * bitrate, and counters. Without reports, return the quality of a call without a connection.
   *
   * @param {number} at_ms the time of the reports, in ms of performance.now
   * @param {RTCStatsReport | undefined} reports the result of getStats
   * @param {boolean} connected true if the connection is established
   */
  read(at_ms, reports, connected) {
    const now = { at_ms, octets: 0, lost: 0, packetsReceived: 0, freezes: 0, framesDecoded: 0 };
    /** @type {number | null} the round trip between browser and server; null if no report has it */
    let rtt_ms = null;
    const figures = { framesPerSecond: 0, audioEnergy: 0, framesSent: 0, sentEnergy: 0 };
    for (const report of reports?.values() ?? []) {
      if (report.type === "inbound-rtp") {
        now.octets += report.bytesReceived ?? 0;
        now.lost += report.packetsLost ?? 0;
        now.packetsReceived += report.packetsReceived ?? 0;
        now.freezes += report.freezeCount ?? 0;
        now.framesDecoded += report.framesDecoded ?? 0;
        figures.framesPerSecond += report.framesPerSecond ?? 0;
        figures.audioEnergy += report.totalAudioEnergy ?? 0;
      } else if (report.type === "outbound-rtp") {
        figures.framesSent += report.framesEncoded ?? 0;
      } else if (report.type === "media-source") {
        figures.sentEnergy += report.totalAudioEnergy ?? 0;
      } else if (
        report.type === "candidate-pair" &&
        report.nominated &&
        report.currentRoundTripTime !== undefined
      ) {
        rtt_ms = report.currentRoundTripTime * 1000;
      }
    }
    const before = this.#before ?? now;
    this.#before = now;
    const seconds = Math.max((now.at_ms - before.at_ms) / 1000, 0.001);
    const lost = Math.max(now.lost - before.lost, 0);
    const expected = Math.max(now.packetsReceived - before.packetsReceived, 0) + lost;
    const recent = {
      rtt_ms: rtt_ms ?? 0,
      loss: expected > 0 ? lost / expected : 0,
      freezes: now.freezes - before.freezes,
    };
    const worse = (/** @type {typeof WORDS[number]} */ row) =>
      recent.loss > row.loss || recent.rtt_ms > row.rtt_ms || recent.freezes >= row.freezes;
    const arrived = now.packetsReceived > (before === now ? 0 : before.packetsReceived);
    // The quality is not called good if no packets arrive.
    const best = arrived ? "good" : "quiet";
    /** @type {"good" | "fair" | "poor" | "quiet" | "lost"} `quiet`: nothing arrives; `lost`: no connection */
    const words = connected ? (WORDS.find(worse)?.words ?? best) : "lost";
    return {
      ...figures,
      rtt_ms,
      words,
      loss: recent.loss,
      bitrate: before === now ? 0 : (Math.max(now.octets - before.octets, 0) * 8) / seconds,
      freezes: now.freezes,
      framesDecoded: now.framesDecoded,
      packetsReceived: now.packetsReceived,
    };
  }
}
