import assert from "node:assert/strict";
import { test } from "node:test";
import { problemOf, refusedWords } from "../../../../web/static/patient/answers.js";

const step = (/** @type {string} */ kind, required = true) =>
  /** @type {any} */ ({ id: "s", kind, required, title: "", help: "", options: [], text: "", only_if: null });

test("a step that must be answered says what is missing", () => {
  for (const kind of ["text", "choice", "yes_no", "date", "consent"]) {
    assert.notEqual(problemOf(step(kind), null), null, kind);
  }
  assert.notEqual(problemOf(step("text"), "  "), null);
});

test("an optional step may be left without an answer, and a device check always", () => {
  for (const kind of ["text", "choice", "yes_no", "date", "consent"]) {
    assert.equal(problemOf(step(kind, false), null), null, kind);
  }
  assert.equal(problemOf(step("device_check"), null), null);
});

test("No is an answer", () => {
  assert.equal(problemOf(step("yes_no"), false), null);
});

test("a consent that is agreed to must be signed, also where it is optional", () => {
  const agreed = { agreed: true, signature: " " };
  for (const required of [true, false]) assert.notEqual(problemOf(step("consent", required), agreed), null);
  assert.equal(problemOf(step("consent"), { agreed: true, signature: "Ana" }), null);
});

test("what the server found wrong is a sentence, also where this page does not know it", () => {
  assert.equal(refusedWords("is longer than 4000 characters"), "This answer is longer than 4000 characters.");
  assert.equal(refusedWords("is required"), "This answer is required.");
  assert.equal(refusedWords("is odd"), refusedWords());
});
