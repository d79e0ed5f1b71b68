import "../no_document.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { Conversations, readWords } = await import("../../../../web/static/staff/conversations.js");

test("f37 a message to a patient who is away is shown when they are back, and not said to be seen", () => {
  assert.match(readWords({ name: "Mei Lin", online: true }, false), /^Mei Lin sees your message at once\./);
  assert.match(
    readWords({ name: "Mei Lin", online: false }, false),
    /^Mei Lin is offline: .* when they are back\./,
  );
});

test("f19 staff read whether the patient can answer", () => {
  assert.match(readWords({ name: "Mei Lin", online: true }, false), /cannot answer while they wait/);
  assert.match(readWords({ name: "Mei Lin", online: true }, true), /They can answer it/);
});

test("f19 an answer is new until this browser has shown it, and a later one is new again", () => {
  const rows = [{ visit: "v_1", name: "Ana", online: true, answered_ms: 5 }];
  let draw = () => {};
  const drawer = {
    show: (/** @type {string} */ _, /** @type {any} */ drawing) => (draw = () => drawing(() => {})),
  };
  const client = { subscribe: () => () => {} };
  const talks = new Conversations(
    /** @type {any} */ ({
      client,
      queue: { rows },
      drawer,
      me: { name: "Dr Osei" },
      answers: true,
      redraw: () => {},
    }),
  );
  const row = (/** @type {number | null} */ answered_ms) =>
    talks.isUnread(/** @type {any} */ ({ visit: "v_1", answered_ms }));
  assert.equal(row(null), false);
  assert.equal(row(5), true);
  talks.open(/** @type {any} */ (rows[0]));
  draw();
  assert.equal(row(5), false);
  assert.equal(row(9), true);
});
