import assert from "node:assert/strict";
import { test } from "node:test";
import { Queue } from "../../../../web/static/staff/queue.js";

const row = (/** @type {string} */ visit, /** @type {number} */ arrived_ms, more = {}) => ({
  visit,
  arrived_ms,
  number: arrived_ms,
  returned: 0,
  name: visit,
  ...more,
});
const person = (/** @type {string} */ id, on_call = true) => ({ id, name: id, on_call });
const limits = { amber_ms: 1, red_ms: 2 };

function opened(/** @type {any[]} */ ...rows) {
  const queue = new Queue();
  const take = (/** @type {any} */ message) => queue.take(message);
  take({ type: "queue.snapshot", rows, staff: [person("ana")], limits });
  return { queue, take, visits: () => queue.rows.map(({ visit }) => visit) };
}

test("rows stand by how long they have waited, whatever order they come in", () => {
  const { take, visits } = opened(row("v_3", 3), row("v_1", 1));
  take({ type: "queue.row", row: row("v_2", 2), fresh: true });
  assert.deepEqual(visits(), ["v_1", "v_2", "v_3"]);
  take({ type: "queue.row", row: row("v_1", 4, { returned: 1 }), fresh: true });
  assert.deepEqual(visits(), ["v_2", "v_3", "v_1"]);
});

test("f18: the last person to go off call leaves all that wait", () => {
  const { queue, take } = opened(row("v_1", 1), row("v_2", 2));
  assert.equal(queue.leftBy("ana").length, 2);
  assert.equal(queue.leftBy("ben").length, 0, "ana is on call");
  take({ type: "queue.staff", staff: person("ben") });
  assert.equal(queue.leftBy("ana").length, 0);
});

test("f38: rows stand by urgency first where the clinic's rule says so, and the rule may change", () => {
  const level = (/** @type {string} */ level) => ({ urgency: { level, by: null, answer: "" } });
  const { take, visits } = opened(
    row("v_1", 1),
    row("v_2", 2, level("urgent")),
    row("v_3", 3, level("emergency")),
    row("v_4", 4, level("routine")),
  );
  assert.deepEqual(visits(), ["v_1", "v_2", "v_3", "v_4"]);
  take({ type: "queue.changed", limits: { ...limits, urgent_first: true } });
  assert.deepEqual(visits(), ["v_3", "v_2", "v_1", "v_4"]);
  take({ type: "queue.row", row: row("v_1", 1, level("emergency")), fresh: false });
  assert.deepEqual(visits(), ["v_1", "v_3", "v_2", "v_4"]);
  take({ type: "queue.changed", limits: { ...limits, urgent_first: false } });
  assert.deepEqual(visits(), ["v_1", "v_2", "v_3", "v_4"]);
});

test("the first list rings for nobody; an arrival rings once", () => {
  const { queue, take } = opened(row("v_1", 1));
  assert.equal(queue.rows[0].arriving, undefined);
  const first = take({ type: "queue.row", row: row("v_2", 2), fresh: true });
  assert.deepEqual(
    first.fresh.map(({ visit }) => visit),
    ["v_2"],
  );
  assert.deepEqual(take({ type: "queue.row", row: row("v_2", 2, { step: 2 }), fresh: true }).fresh, []);
  assert.equal(queue.rows[1].arriving, true);
});

test("who comes back to the queue rings again", () => {
  const { take } = opened(row("v_1", 1));
  take({ type: "queue.gone", visit: "v_1", why: "claimed", by: null });
  assert.equal(take({ type: "queue.row", row: row("v_1", 1, { returned: 1 }), fresh: true }).fresh.length, 1);
});

test("a list after a lost connection rings for those who came meanwhile", () => {
  const { take } = opened(row("v_1", 1));
  const { fresh } = take({ type: "queue.snapshot", rows: [row("v_1", 1), row("v_2", 2)], staff: [], limits });
  assert.deepEqual(
    fresh.map(({ visit }) => visit),
    ["v_2"],
  );
});

test("a row that leaves is returned with its name, and one that was not there is not returned", () => {
  const { take, visits } = opened(row("v_1", 1));
  assert.equal(take({ type: "queue.gone", visit: "v_1", why: "claimed", by: null }).gone?.name, "v_1");
  assert.equal(take({ type: "queue.gone", visit: "v_1", why: "claimed", by: null }).gone, null);
  assert.deepEqual(visits(), []);
});

test("a change of staff makes a new map, so that what is drawn by it is drawn anew", () => {
  const { queue, take } = opened();
  const before = queue.staff;
  take({ type: "queue.staff", staff: person("ana", false) });
  assert.notEqual(queue.staff, before);
  assert.equal(queue.staff.get("ana")?.on_call, false);
});

test("a message of a newer server is passed over", () => {
  const { take, visits } = opened(row("v_1", 1));
  assert.deepEqual(take({ type: "queue.weather" }), { fresh: [], gone: null });
  assert.deepEqual(visits(), ["v_1"]);
});
