import assert from "node:assert/strict";
import { test } from "node:test";
import {
  otherInWords,
  otherSpoken,
  ownWords,
  qualityWords,
  veilWords,
} from "../../../../web/static/session/words.js";

test("a page without a path does not say that it connects", () => {
  assert.deepEqual(qualityWords({ path: "joining", blocked: true, words: null, standstill: null }), [
    "No connection yet",
    "amber",
  ]);
});

test("over silence and over a face that stands still the connection is not called good", () => {
  const call = { path: "connected", blocked: false, words: /** @type {"good"} */ ("good") };
  const words = (/** @type {"silent" | "still"} */ stopped) =>
    qualityWords({ ...call, standstill: { name: "Ana", stopped } })[0];
  assert.equal(words("silent"), "Nothing arrives from Ana");
  assert.equal(words("still"), "Ana’s picture has stopped");
  assert.match(veilWords({ name: "Ana", stopped: "silent" }), /goes on by itself/);
  assert.equal(qualityWords({ ...call, words: "quiet", standstill: null })[0], "Connected");
  assert.equal(qualityWords({ ...call, standstill: null })[0], "Connection good");
  const paused = qualityWords({ ...call, words: "paused", standstill: null });
  assert.deepEqual(paused, ["Picture paused: weak network", "amber"]);
});

test("after a long outage the page says why Start Session is there again", () => {
  const me = /** @type {Protocol.PartyPart} */ ({ name: "Ana", present: true, started: false });
  const other = { ...me, name: "Dr. Osei", started: true };
  const words = (/** @type {boolean} */ cleared) => ownWords({ me, other, path: "connected", cleared });
  assert.match(words(true), /connection was lost for too long/);
  assert.match(words(false), /^Neither side sees or hears/);
});

test("f13: somebody who left the call is not said to be here", () => {
  const party = /** @type {Protocol.PartyPart} */ ({ name: "Ana", present: true, left: true });
  assert.equal(otherInWords(party, { role: "provider" }).text, "Ana has left the call");
  assert.equal(otherSpoken(party), "Ana has left the call.");
  const me = { ...party, name: "Ana" };
  const other = { ...party, name: "Dr. Osei", left: false };
  assert.match(ownWords({ me, other, path: "connected", cleared: true }), /^You left the call. Dr. Osei is/);
});
