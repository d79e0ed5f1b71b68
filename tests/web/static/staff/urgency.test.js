import assert from "node:assert/strict";
import { test } from "node:test";
import { levelWords, reasonWords } from "../../../../web/static/staff/urgency.js";

const limits = /** @type {any} */ ({ level_words: { urgent: "Soon" } });

test("f38 a level is said in the clinic's words, else in the page's", () => {
  assert.equal(levelWords("urgent", limits), "Soon");
  assert.equal(levelWords("emergency", limits), "Emergency");
});

test("f38 the reason is the person who set it, or the answer", () => {
  assert.equal(
    reasonWords({ level: "urgent", by: { id: "u", name: "Dr Osei" }, answer: "" }),
    "set by Dr Osei",
  );
  assert.equal(reasonWords({ level: "urgent", by: null, answer: "Chest pain" }), "answered “Chest pain”");
});
