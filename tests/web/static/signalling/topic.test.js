import assert from "node:assert/strict";
import { test } from "node:test";
import { Topic } from "../../../../web/static/signalling/topic.js";

const change = (/** @type {number} */ version) =>
  /** @type {any} */ ({ type: "queue.gone", topic: "queue", version });
const snapshot = (/** @type {number} */ version) =>
  /** @type {any} */ ({ type: "queue.snapshot", topic: "queue", epoch: "e_1", version });
const versions = (/** @type {{ version: number }[]} */ messages) => messages.map(({ version }) => version);

test("of many changes before the whole state, the newest are kept", () => {
  const topic = new Topic();
  for (let version = 1; version <= 300; version++) topic.accept(change(version));
  assert.deepEqual(versions(topic.accept(snapshot(298))), [298, 299, 300]);
});
