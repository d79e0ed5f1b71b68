import assert from "node:assert/strict";
import { test } from "node:test";
import { clock } from "../../../../web/static/shared/format.js";
import { escalationWords } from "../../../../web/static/staff/escalations.js";

const [FIRST, NEXT] = [1_790_000_000_000, 1_790_000_300_000];
const sent = (/** @type {string} */ name, at_ms = FIRST, reached = true) => ({ name, at_ms, reached });

test("f41: a row names the last people to whom the server wrote, and who was not reached", () => {
  assert.equal(escalationWords(undefined), "");
  assert.equal(escalationWords([]), "");
  assert.equal(escalationWords([sent("Dr Chen")]), `Told: Dr Chen, ${clock(FIRST)}`);
  const next = [sent("Dr Chen"), sent("Robin", NEXT), sent("Sam", NEXT)];
  assert.equal(escalationWords(next), `Told: Robin, Sam, ${clock(NEXT)}`);
  assert.equal(escalationWords([...next, sent("Kim", NEXT)]), `Told: 3 people, ${clock(NEXT)}`);
  assert.equal(escalationWords([sent("Dr Chen", FIRST, false)]), `Not reached: Dr Chen, ${clock(FIRST)}`);
  assert.equal(escalationWords([...next, sent("Kim", NEXT, false)]), `Told: Robin, Sam, ${clock(NEXT)}`);
});
