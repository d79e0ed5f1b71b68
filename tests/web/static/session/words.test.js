import assert from "node:assert/strict";
import { test } from "node:test";
import { qualityWords } from "../../../../web/static/session/words.js";

test("a page without a path does not say that it connects", () => {
  assert.deepEqual(qualityWords({ path: "joining", blocked: true, words: null }), [
    "No connection yet",
    "amber",
  ]);
});
