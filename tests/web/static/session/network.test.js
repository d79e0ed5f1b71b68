import assert from "node:assert/strict";
import { test } from "node:test";
import { blockedWords } from "../../../../web/static/session/network.js";

test("nothing is said while everybody has a path", () => {
  assert.equal(blockedWords({ role: "patient", own: false, others: [], phone: "+1 512" }), null);
});

test("a blocked network is named to each side, with the way on by phone where it is known", () => {
  const words = (/** @type {Parameters<typeof blockedWords>[0]} */ blocked) =>
    blockedWords(blocked)?.join(" ") ?? "";
  const phone = "+1 512";
  const own = words({ role: "patient", own: true, others: [], phone });
  assert.match(own, /^Your network blocks.* mobile data .*call you at \+1\u00a0512\.$/);
  assert.doesNotMatch(words({ role: "patient", own: true, others: [], phone: null }), /call you/);
  assert.doesNotMatch(words({ role: "guest", own: true, others: [], phone }), /512|by phone/);
  const theirs = words({ role: "provider", own: false, others: ["Ana", "Bo"], phone });
  assert.match(theirs, /^The network of Ana, Bo blocks.*held by phone\.$/);
});
