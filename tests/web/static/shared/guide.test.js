import assert from "node:assert/strict";
import { test } from "node:test";
import { visibleSteps } from "../../../../web/static/shared/guide.js";

const STEPS = [
  { id: "pain", only_if: null },
  { id: "where", only_if: { step: "pain", answer: true } },
  { id: "side", only_if: { step: "where", answer: "arm" } },
  { id: "end", only_if: null },
];

const asked = (/** @type {Record<string, unknown>} */ answers) =>
  visibleSteps(STEPS, (id) => answers[id]).map(({ id }) => id);

test("a step with a condition is asked of those who gave that answer", () => {
  assert.deepEqual(asked({}), ["pain", "end"]);
  assert.deepEqual(asked({ pain: false }), ["pain", "end"]);
  assert.deepEqual(asked({ pain: true }), ["pain", "where", "end"]);
  assert.deepEqual(asked({ pain: true, where: "arm" }), ["pain", "where", "side", "end"]);
});

test("the answer to a step that is not asked any more asks for nothing", () => {
  assert.deepEqual(asked({ pain: false, where: "arm" }), ["pain", "end"]);
});
