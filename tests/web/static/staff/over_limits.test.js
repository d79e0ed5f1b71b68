import assert from "node:assert/strict";
import { test } from "node:test";
import { overLimits } from "../../../../web/static/staff/over_limits.js";

const rows = /** @type {any[]} */ ([{ arrived_ms: 0 }, { arrived_ms: 60_000 }]);
const said = (/** @type {number} */ alert_waiting, /** @type {number} */ minutes, now_min = 10) =>
  overLimits(rows, /** @type {any} */ ({ alert_waiting, alert_wait_ms: minutes * 60_000 }), now_min * 60_000);

test("as 6.5 04: each limit of the clinic that is passed is said above the list, as long as it is", () => {
  assert.deepEqual(said(0, 0), []);
  assert.deepEqual(said(2, 10), [], "not above them");
  assert.deepEqual(said(1, 9), [
    "2 patients are waiting, more than 1.",
    "Somebody has been waiting for more than 9 min.",
  ]);
  assert.deepEqual(overLimits([], /** @type {any} */ ({ alert_waiting: 1, alert_wait_ms: 1 }), 1e12), []);
});

test("f39: staff of some areas read about the longest line of theirs", () => {
  const places = ["a", "a", "b", "b", "b", null];
  const waiting = /** @type {any[]} */ (places.map((id) => ({ arrived_ms: 0, area: id && { id } })));
  const limits = /** @type {any} */ ({ alert_waiting: 3, alert_wait_ms: 0 });
  const read = (/** @type {string[]} */ areas) => overLimits(waiting, limits, 0, areas);
  assert.deepEqual(read(["a"]), [], "three: two of theirs and one of no area");
  assert.deepEqual(read(["a", "b"]), ["4 patients are waiting, more than 3."]);
  assert.deepEqual(read([]), ["6 patients are waiting, more than 3."]);
});
