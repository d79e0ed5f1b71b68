import assert from "node:assert/strict";
import { test } from "node:test";
import { Screen } from "../../../../web/static/session/screen.js";
import { install } from "../stand_in_devices.js";

test("a screen that is chosen but not shared is captured no more", async () => {
  const { inUse } = install();
  /** @type {string[]} */
  const acts = [];
  const link = Object.assign(new EventTarget(), {
    screen: { sharing: null, asked: false },
    share: async (/** @type {string} */ act) => acts.push(act),
  });
  const options = { link: /** @type {any} */ (link), role: /** @type {Role} */ ("provider") };
  const screen = new Screen({ ...options, party: "provider", redraw: () => {} });
  await screen.begin();
  assert.deepEqual([screen.on, acts, inUse()], [false, ["share", "end"], []]);
});
