import assert from "node:assert/strict";
import { test } from "node:test";
import { Bell, inWords, isOwn } from "../../../../web/static/staff/bell.js";

const item = (/** @type {string} */ id, /** @type {number} */ at_ms, kind = "assigned") => ({
  id,
  at_ms,
  kind,
  visit: "v_1",
  name: "Ana",
  by: "Ben",
  note: null,
});

test("the newest notification stands first, and the first unread ones are new", () => {
  const bell = new Bell();
  const take = (/** @type {any} */ message) => bell.take(message);
  assert.equal(bell.newest_ms, 0);
  assert.equal(take({ type: "bell.snapshot", items: [item("n_1", 1)], unread: 0 }), null);
  assert.equal(take({ type: "bell.item", item: item("n_2", 2), unread: 1 })?.id, "n_2");
  assert.deepEqual(
    bell.items.map(({ id }) => id),
    ["n_2", "n_1"],
  );
  assert.deepEqual([bell.isNew(0), bell.isNew(1), bell.newest_ms], [true, false, 2]);
  take({ type: "bell.marked", until_ms: 2, unread: 0 });
  assert.equal(bell.isNew(0), false);
});

test("no more than two hundred notifications are kept", () => {
  const bell = new Bell();
  for (let n = 1; n <= 205; n += 1)
    bell.take(/** @type {any} */ ({ type: "bell.item", item: item(`n_${n}`, n), unread: n }));
  assert.equal(bell.items.length, 200);
  assert.equal(bell.items[0].id, "n_205");
});

test("f36 the number under the bell is all that one gets for one's own decline", () => {
  const me = { name: "Ben" };
  assert.equal(isOwn(item("n_1", 1, "declined"), me), true);
  assert.equal(isOwn(item("n_1", 1, "declined"), { name: "Robin" }), false);
  assert.equal(isOwn(item("n_1", 1, "assigned"), me), false);
});

test("every kind has its sentence, and an unknown one is no error", () => {
  assert.equal(inWords(item("n_1", 1)), "Ben assigned Ana to you.");
  assert.equal(inWords(item("n_1", 1, "returned")), "Ana is back in the queue.");
  const queue = (/** @type {string} */ kind, /** @type {number} */ count) => ({
    ...item("n_1", 1, kind),
    count,
  });
  assert.equal(inWords(queue("queue_many", 12)), "12 patients are waiting.");
  assert.equal(inWords(queue("queue_long", 31)), "Ana has been waiting for 31 min.");
  assert.equal(inWords(queue("queue_closing", 2)), "Closing time is near. 2 patients wait.");
  assert.equal(inWords(queue("queue_closed", 1)), "It is past closing time. 1 patient still waits.");
  assert.equal(
    inWords({ ...item("n_1", 1), area: "Skin" }),
    "Ben assigned Ana to you. Waiting area: Skin.",
    "f39",
  );
  assert.equal(inWords(item("n_1", 1, "weather")), "Ben wrote to you.");
});
