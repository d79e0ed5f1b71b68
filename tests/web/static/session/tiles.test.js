import assert from "node:assert/strict";
import { test } from "node:test";
import { guestWords, othersOf } from "../../../../web/static/session/tiles.js";

const party = (/** @type {string} */ name, started = true) => ({
  name,
  started,
  relation: null,
  present: true,
  away_since_ms: null,
});
const visit = (/** @type {object} */ parties, status = "claimed") => /** @type {any} */ ({ parties, status });

test("those whom the visit is about stand first, then guests in order", () => {
  const parties = {
    "guest-2": party("Cy"),
    provider: party("Dr B"),
    "guest-1": party("Bo"),
    patient: party("Ana"),
  };
  const names = (/** @type {string} */ me) => othersOf(visit(parties), me).map(([key]) => key);
  assert.deepEqual(names("guest-2"), ["patient", "provider", "guest-1"]);
  assert.deepEqual(names("patient"), ["provider", "guest-1", "guest-2"]);
});

test("a guest sees whose press is missing", () => {
  const words = (/** @type {boolean} */ patient, /** @type {boolean} */ provider) =>
    guestWords({
      visit: visit({ patient: party("Ana", patient), provider: party("Dr B", provider) }),
      me: party("Cy"),
    });
  assert.match(words(true, false), /when Dr B presses too/);
  assert.match(words(false, true), /when Ana presses too/);
  assert.match(words(false, false), /have both pressed/);
});
