import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalWords, unchangedWords } from "../../../../web/static/shared/refusals.js";
import { SignallingError } from "../../../../web/static/signalling/errors.js";

test("a page says that nothing was changed only if that is known, and once", () => {
  const words = (/** @type {string} */ code) => unchangedWords(new SignallingError(code, ""));
  assert.equal(words("not_allowed"), "You may not do this. Nothing was changed; please try again.");
  assert.equal(words("offline"), "Not connected. Nothing was changed.");
  assert.equal(words("timeout"), "The server did not answer in time.");
  assert.equal(refusalWords(new SignallingError("odd", "Odd.")), "Odd.");
});
