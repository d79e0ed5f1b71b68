/**
 * Finds parties whose packets or pictures have stopped arriving, from the counters of getStats
 * (https://www.w3.org/TR/webrtc-stats/). The caller passes the reports and the time.
 */

export const STOPPED_MS = 2_000;

/**
 * Records at what time each counter of received packets and pictures has last changed.
 *
 * @typedef {"silent" | "still"} Stopped `silent`: no packets arrive; `still`: sound arrives, but no new
 *   picture
 */

export class Arrivals {
  /** @type {Map<string, { count: number, at_ms: number }>} counter -> its last change */
  #changed = new Map();
  /**
   * @type {Set<string>} the counters that were above 0 at least once. Other counters are not reported as
   *   stopped, because nothing has arrived for them yet
   */
  #came = new Set();
  #read_ms = 0;

  /**
   * Forget the previous reports, because the next reports belong to another connection, whose counters begin
   * at 0.
   */
  restart() {
    this.#changed.clear();
  }

  /**
   * Return the parties from which nothing has arrived for STOPPED_MS, although their camera or microphone is
   * on.
   *
   * @param {number} at_ms the time of the reports, in ms of performance.now
   * @param {RTCStatsReport | undefined} reports the result of getStats
   * @param {(track: string) => string | undefined} partyOf returns the key of the party that has the track
   *   with this id
   * @param {(party: string) => { audio: boolean, video: boolean }} offOf returns true for the kinds that a
   *   party has switched off
   * @returns {Map<string, Stopped>} party -> what has stopped; parties whose media arrive are absent
   */
  read(at_ms, reports, partyOf, offOf) {
    // If no report was read for a long time, the page was hidden or the device was asleep. It is then not
    // known when the counters have changed, so all recorded values are dropped.
    if (at_ms - this.#read_ms > STOPPED_MS) this.restart();
    this.#read_ms = at_ms;
    /** @type {Map<string, { packets: number, frames: number }>} party -> the sums of its counters */
    const counts = new Map();
    for (const report of reports?.values() ?? []) {
      const party = report.type === "inbound-rtp" ? partyOf(report.trackIdentifier) : undefined;
      if (party === undefined) continue;
      const before = counts.get(party) ?? { packets: 0, frames: 0 };
      counts.set(party, {
        packets: before.packets + (report.packetsReceived ?? 0),
        frames: before.frames + (report.framesDecoded ?? 0),
      });
    }
    /** @type {Map<string, Stopped>} party -> what has stopped in its media */
    const stopped = new Map();
    for (const [party, { packets, frames }] of counts) {
      const { audio, video } = offOf(party);
      const still = this.#stands(`${party} frames`, frames, video, at_ms);
      const silent = this.#stands(`${party} packets`, packets, audio && video, at_ms);
      if (silent || still) stopped.set(party, silent ? "silent" : "still");
    }
    return stopped;
  }

  /**
   * Return true if a counter has not changed for STOPPED_MS, although packets should arrive. Return false for
   * a counter that was always 0.
   *
   * @param {string} counter the name of the counter
   * @param {number} count the value of the counter in the newest report
   * @param {boolean} off true if the party has switched this kind off, so that nothing is expected
   * @param {number} at_ms the time of the reports, in ms of performance.now
   */
  #stands(counter, count, off, at_ms) {
    if (count > 0) this.#came.add(counter);
    const before = this.#changed.get(counter);
    if (off || before?.count !== count) {
      this.#changed.set(counter, { count, at_ms });
      return false;
    }
    return this.#came.has(counter) && at_ms - before.at_ms >= STOPPED_MS;
  }
}
