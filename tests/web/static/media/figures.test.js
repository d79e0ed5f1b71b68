import assert from "node:assert/strict";
import { test } from "node:test";
import { Figures } from "../../../../web/static/media/figures.js";

/**
 * Returns a report of getStats with these counters of received sound and picture.
 *
 * @returns {any}
 */
const report = (/** @type {object} */ inbound, rtt_s = 0.05) =>
  new Map(
    Object.entries({
      in: {
        type: "inbound-rtp",
        bytesReceived: 0,
        packetsLost: 0,
        packetsReceived: 0,
        freezeCount: 0,
        ...inbound,
      },
      pair: { type: "candidate-pair", nominated: true, currentRoundTripTime: rtt_s },
    }),
  );

test("rates are over the time since the last reading", () => {
  const figures = new Figures();
  assert.equal(figures.read(0, report({}), true).bitrate, 0);
  const { bitrate, loss, rtt_ms, words } = figures.read(
    2_000,
    report({ bytesReceived: 250_000, packetsReceived: 99, packetsLost: 1 }),
    true,
  );
  assert.deepEqual([bitrate, loss, rtt_ms, words], [1_000_000, 0.01, 50, "good"]);
});

test("the worst of loss, round trip and freezes names the call", () => {
  const word = (/** @type {object} */ inbound, rtt_s = 0.05) => {
    const figures = new Figures();
    figures.read(0, report({}), true);
    return figures.read(1_000, report(inbound, rtt_s), true).words;
  };
  assert.equal(word({ packetsReceived: 97, packetsLost: 3 }), "fair");
  assert.equal(word({ packetsReceived: 90, packetsLost: 10 }), "poor");
  assert.equal(word({ packetsReceived: 100 }, 0.3), "fair");
  assert.equal(word({ packetsReceived: 100 }, 0.6), "poor");
  assert.equal(word({ packetsReceived: 100, freezeCount: 1 }), "fair");
  assert.equal(word({ packetsReceived: 100, freezeCount: 2 }), "poor");
});

test("a new connection, whose counters begin anew, has no loss and no negative rate", () => {
  const figures = new Figures();
  figures.read(0, report({ bytesReceived: 9_000, packetsReceived: 90, packetsLost: 9 }), true);
  figures.restart();
  const first = figures.read(1_000, report({ bytesReceived: 100, packetsReceived: 1 }), true);
  assert.deepEqual([first.bitrate, first.loss, first.words], [0, 0, "good"]);
});

test("a call without a connection is lost", () => {
  assert.equal(new Figures().read(0, undefined, false).words, "lost");
});

test("a connection over which nothing arrives is quiet, not good", () => {
  const figures = new Figures();
  assert.equal(figures.read(0, report({}), true).words, "quiet");
  assert.equal(figures.read(2_000, report({ packetsReceived: 5 }), true).words, "good");
  assert.equal(figures.read(4_000, report({ packetsReceived: 5 }), true).words, "quiet");
});
