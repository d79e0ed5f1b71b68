import assert from "node:assert/strict";
import { test } from "node:test";
import { Past, Sessions } from "../../../../web/static/staff/sessions.js";
import { StandIn } from "../stand_in.js";

const row = (/** @type {string} */ visit, /** @type {number} */ claimed_ms, by = "ana") => ({
  visit,
  claimed_ms,
  claimant: { id: by, name: by },
});
const ended = (/** @type {string} */ visit, /** @type {number} */ ended_ms) => ({ visit, ended_ms });

test("sessions stand by when they were claimed, and leave", () => {
  const sessions = new Sessions();
  const take = (/** @type {any} */ message) => sessions.take(message);
  take({ type: "sessions.snapshot", rows: [row("v_1", 1), row("v_3", 3, "ben")] });
  take({ type: "sessions.row", row: row("v_2", 2) });
  take({ type: "sessions.row", row: row("v_1", 4) });
  assert.deepEqual(
    sessions.rows.map(({ visit }) => visit),
    ["v_2", "v_3", "v_1"],
  );
  assert.deepEqual(
    sessions.of("ana").map(({ visit }) => visit),
    ["v_2", "v_1"],
  );
  take({ type: "sessions.gone", visit: "v_2" });
  assert.deepEqual(
    sessions.of("ana").map(({ visit }) => visit),
    ["v_1"],
  );
});

test("further ended visits are asked for from the oldest that is shown, with the same filters", async () => {
  const client = new StandIn();
  const past = new Past(client.asClient, () => {});
  client.answers = [
    { rows: [ended("v_9", 9), ended("v_8", 8)], more: true },
    { rows: [ended("v_7", 7)], more: false },
  ];
  await past.search({ text: "ana" });
  assert.equal(past.more, true);
  await past.search(past.filters, { further: true });
  assert.deepEqual(
    past.rows?.map(({ visit }) => visit),
    ["v_9", "v_8", "v_7"],
  );
  assert.deepEqual(client.sent.at(-1), {
    type: "sessions.past",
    text: "ana",
    before_ms: 8,
    before_visit: "v_8",
  });
  assert.deepEqual([past.more, past.busy, past.unread], [false, false, 0]);
});

test("of two searches the later one is shown, whichever is answered first", async () => {
  /** @type {((answer: object) => void)[]} for each request, a function that answers it */
  const answer = [];
  const client = { request: () => new Promise((resolve) => answer.push(resolve)) };
  const past = new Past(/** @type {any} */ (client), () => {});
  const both = [past.search({ text: "a" }), past.search({ text: "ab" })];
  answer[1]({ rows: [ended("v_2", 2)], more: false });
  answer[0]({ rows: [ended("v_1", 1)], more: true });
  await Promise.all(both);
  assert.deepEqual(
    past.rows?.map(({ visit }) => visit),
    ["v_2"],
  );
  assert.equal(past.more, false);
});

test("a search that is refused leaves the list as it was, and is not busy any more", async () => {
  const past = new Past(
    /** @type {any} */ ({ request: async () => Promise.reject(new Error("no")) }),
    () => {},
  );
  await assert.rejects(past.search({}), /no/);
  assert.deepEqual([past.rows, past.busy], [null, false]);
});
