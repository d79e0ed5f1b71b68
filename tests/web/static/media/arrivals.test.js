import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrivals } from "../../../../web/static/media/arrivals.js";

/**
 * Returns a report of getStats: track -> the numbers of packets and of decoded frames.
 *
 * @returns {any}
 */
const reports = (/** @type {Record<string, [packets: number, frames?: number]>} */ counts) =>
  new Map(
    Object.entries(counts).map(([trackIdentifier, [packetsReceived, framesDecoded]]) => [
      trackIdentifier,
      { type: "inbound-rtp", trackIdentifier, packetsReceived, framesDecoded },
    ]),
  );
const partyOf = (/** @type {string} */ track) => /^(\w+)-/.exec(track)?.[1];
const nothingOff = () => ({ audio: false, video: false });
const both = (/** @type {number} */ audio, /** @type {number} */ video, /** @type {number} */ frames) =>
  reports({ "ana-a": [audio], "ana-v": [video, frames] });

/** Lets `arrivals` read reports half a second apart; returns its last result: [party, Stopped] pairs. */
function read(/** @type {any[]} */ readings, /** @type {any} */ off = nothingOff, arrivals = new Arrivals()) {
  let at_ms = 10_000;
  /** @type {[string, string][][]} the result of each reading */
  const answers = [];
  for (const each of readings) {
    answers.push([...arrivals.read(at_ms, each, partyOf, off)]);
    at_ms += 500;
  }
  return answers.at(-1);
}

test("whose packets all stop for two seconds is silent, not before", () => {
  assert.deepEqual(read([both(1, 1, 1), both(9, 9, 9), ...Array(3).fill(both(9, 9, 9))]), []);
  assert.deepEqual(read([both(1, 1, 1), both(9, 9, 9), ...Array(4).fill(both(9, 9, 9))]), [
    ["ana", "silent"],
  ]);
});

test("whose picture stops while sound arrives stands still", () => {
  const readings = [1, 2, 3, 4, 5, 6].map((n) => both(n, 7, 7));
  assert.deepEqual(read(readings), [["ana", "still"]]);
  assert.deepEqual(read([...readings, both(7, 8, 8)]), []);
});

test("a camera that is off does not stand still, and who has both off is not silent", () => {
  const readings = [1, 2, 3, 4, 5, 6].map((n) => both(n, 7, 7));
  assert.deepEqual(
    read(readings, () => ({ audio: false, video: true })),
    [],
  );
  const quiet = Array(6).fill(both(5, 5, 5));
  assert.deepEqual(
    read(quiet, () => ({ audio: true, video: true })),
    [],
  );
  assert.deepEqual(
    read(quiet, () => ({ audio: false, video: true })),
    [["ana", "silent"]],
  );
});

test("who has never sent anything, for want of devices, has not stopped", () => {
  assert.deepEqual(read(Array(9).fill(both(0, 0, 0))), []);
  assert.deepEqual(read([1, 2, 3, 4, 5, 6].map((n) => both(n, 0, 0))), []);
});

test("each party has its own result, and other reports belong to no party", () => {
  const readings = [1, 2, 3, 4, 5, 6].map((n) => reports({ "ana-a": [4], "bo-a": [n], other: [1] }));
  assert.deepEqual(read(readings), [["ana", "silent"]]);
});

test("a new connection and a page that was hidden have two seconds again", () => {
  const arrivals = new Arrivals();
  const at = (/** @type {number} */ ms, /** @type {any} */ found) =>
    [...arrivals.read(ms, found, partyOf, nothingOff)].length;
  assert.equal(at(10_000, both(5, 5, 5)), 0);
  assert.equal(at(90_000, both(5, 5, 5)), 0);
  assert.equal(at(91_000, both(5, 5, 5)), 0);
  assert.equal(at(92_000, both(5, 5, 5)), 1);
  arrivals.restart();
  assert.equal(at(92_500, both(0, 0, 0)), 0);
  assert.equal(at(94_500, both(0, 0, 0)), 1, "it has sent before: it is expected to again");
});
