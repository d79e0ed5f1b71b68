import assert from "node:assert/strict";
import { test } from "node:test";
import { endingWords } from "../../../../web/static/patient/waiting.js";

const declined = /** @type {any} */ ({ outcome: "declined", reason: null, claimant: null });

test("a declined patient is promised an email only if mails leave the server", () => {
  assert.match(endingWords(declined, true)[1], /You also get an email/);
  assert.equal(endingWords(declined, false)[1], "The clinic declined this request.");
  assert.equal(endingWords({ ...declined, reason: "Please come in." }, true)[1], "Please come in.");
});
