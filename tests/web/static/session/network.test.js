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

test("a browser that cannot call is not taken for the network; the telephone is named all the same", () => {
  const words = blockedWords({ role: "patient", own: true, unable: true, others: [], phone: "+1 512 555" });
  assert.match(words?.[0] ?? "", /This browser cannot make video calls/);
  assert.match(words?.[1] ?? "", /current Chrome, Edge, Firefox or Safari.*can call you at/);
});

test("a browser of another that cannot call is not taken for the network either", () => {
  const words = blockedWords({ role: "provider", own: false, unable: true, others: ["Ana"] });
  assert.match(words?.join(" ") ?? "", /^The browser of Ana cannot make video calls\. .*held by phone\.$/);
});
