import assert from "node:assert/strict";
import { test } from "node:test";
import { colleagues, declineWords } from "../../../../web/static/staff/desk.js";

const person = (/** @type {string} */ id, more = {}) => [
  id,
  { id, name: id, on_call: true, in_session: false, ...more },
];
const STAFF = new Map(
  /** @type {any} */ ([
    person("busy", { in_session: true, states: ["OH"] }),
    person("elsewhere", { states: ["TX"] }),
    person("home", { on_call: false, states: ["OH"] }),
    person("licensed", { states: ["TX", "OH"] }),
    person("unknown", { states: [] }),
  ]),
);
const desk = /** @type {any} */ ({ staff: STAFF, sessions: { of: () => [] } });
const names = (/** @type {{ but: string | undefined, state: string | undefined }} */ options) =>
  colleagues(desk, options).map(({ id }) => id);

test("f34 who is licensed where the patient is stands first, then who is free", () => {
  assert.deepEqual(names({ but: undefined, state: "OH" }), ["licensed", "unknown", "busy", "elsewhere"]);
  assert.deepEqual(names({ but: "licensed", state: undefined }), ["elsewhere", "unknown", "busy"]);
});

test("a declined patient's email is promised only if mails leave the server", () => {
  assert.match(declineWords(true), /by email/);
  assert.match(declineWords(false), /No email is sent/);
});
