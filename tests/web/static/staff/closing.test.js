import assert from "node:assert/strict";
import { test } from "node:test";
import { closings } from "../../../../web/static/staff/closing.js";

const at_ms = Date.UTC(2026, 10, 28, 17);
const rows = /** @type {any[]} */ ([{ area: null }, { area: null }, { area: { id: "mind" } }]);
const said = (/** @type {Record<string, any>} */ closing) =>
  closings(rows, { closing }, { mind: "Mind", skin: "Skin" }).map(({ words, rows: of, asks }) => [
    words.replace(/\d+:00.[AP]M/, "5 PM"),
    of.length,
    asks,
  ]);

test("f18: staff read before closing time what becomes of those who wait", () => {
  assert.deepEqual(said({}), []);
  assert.deepEqual(said({ "": { at_ms, over: false, rule: "keep" } }), [
    ["The clinic closes at 5 PM. 2 patients wait. They keep their places.", 2, false],
  ]);
  assert.deepEqual(said({ mind: { at_ms, over: false, rule: "end" } }), [
    ["Mind closes at 5 PM. 1 patient waits. Visits that nobody has claimed then end.", 1, false],
  ]);
  assert.deepEqual(said({ skin: { at_ms, over: false, rule: "keep" } }), [], "nobody waits there");
});

test("f18: a clinic that closed in the middle of the day names no time: it would be an earlier one", () => {
  const closed = { "": { at_ms, over: true, rule: "ask" }, mind: { at_ms, over: true, rule: "ask" } };
  for (const [words] of said(closed)) assert.doesNotMatch(/** @type {string} */ (words), /\d [AP]M/);
});

test("f18: staff are asked after closing time if that is the clinic's rule", () => {
  assert.deepEqual(
    said({ "": { at_ms, over: true, rule: "ask" }, mind: { at_ms, over: true, rule: "keep" } }),
    [
      ["The clinic is closed. 2 patients still wait.", 2, true],
      ["Mind is closed. 1 patient still waits.", 1, false],
    ],
  );
});
