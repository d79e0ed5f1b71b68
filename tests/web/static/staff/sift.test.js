import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL, ordered, sifted, UNASSIGNED } from "../../../../web/static/staff/sift.js";

const limits = /** @type {any} */ ({ amber_ms: 10, red_ms: 30 });
const row = (/** @type {string} */ visit, /** @type {number} */ arrived_ms, more = {}) => ({
  visit,
  arrived_ms,
  number: arrived_ms,
  name: `Patient ${visit}`,
  reason: "Rash",
  phone: "+1 512",
  state: "TX",
  assignee: null,
  ...more,
});
const ROWS = /** @type {any[]} */ ([
  row("a", 0, { reason: "Headache since Monday" }),
  row("b", 75, { state: "OH", assignee: { id: "lin", name: "Lin" } }),
  row("c", 85, { assignee: { id: "ben", name: "Ben" } }),
  row("d", 95, { name: "Élodie Roux" }),
]);
const shown = (/** @type {Partial<typeof ALL>} */ chosen) =>
  sifted(ordered(ROWS, { ...ALL, ...chosen }), { ...ALL, ...chosen }, { limits, now_ms: 100 })
    .map(({ visit }) => visit)
    .join("");

test("f34 requests are found by words, region, provider and wait, in the queue's order", () => {
  assert.equal(shown({}), "abcd");
  assert.equal(shown({ text: "  monday HEADACHE" }), "a");
  assert.equal(shown({ text: "élodie" }), "d");
  assert.equal(shown({ text: "512" }), "abcd");
  assert.equal(shown({ region: "OH" }), "b");
  assert.equal(shown({ provider: "ben" }), "c");
  assert.equal(shown({ provider: UNASSIGNED }), "ad");
  assert.equal(shown({ waited: "amber" }), "abc");
  assert.equal(shown({ waited: "red" }), "a");
  assert.equal(shown({ region: "TX", waited: "amber" }), "ac");
});

test("f38 requests are found and ordered by urgency", () => {
  const level = (/** @type {string} */ level) => ({ urgency: { level, by: null, answer: "" } });
  const rows = /** @type {any[]} */ ([
    row("a", 0),
    row("b", 75, level("urgent")),
    row("c", 85, level("emergency")),
  ]);
  const by = (/** @type {Partial<typeof ALL>} */ chosen) =>
    sifted(ordered(rows, { ...ALL, ...chosen }), { ...ALL, ...chosen }, { limits, now_ms: 100 })
      .map(({ visit }) => visit)
      .join("");
  assert.equal(by({ urgency: "urgent" }), "b");
  assert.equal(by({ urgency: "routine" }), "a");
  assert.equal(by({ order: "urgency" }), "cba");
  assert.equal(by({ order: "wait" }), "abc");
});

test("f34 requests are ordered by arrival, region and provider; those of nobody stand last", () => {
  assert.equal(shown({ order: "newest" }), "dcba");
  assert.equal(shown({ order: "region" }), "bacd");
  assert.equal(shown({ order: "provider" }), "cbad");
  assert.equal(ROWS.map(({ visit }) => visit).join(""), "abcd", "the queue itself keeps its order");
});
