import assert from "node:assert/strict";
import { test } from "node:test";
import { ownOfTab } from "../../../../web/static/patient/tab.js";

test("f10: a tab shows its own visit again after a reload, unless the address names another", () => {
  const held = new Map();
  const storage = {
    getItem: (/** @type {string} */ name) => held.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void held.set(name, value),
  };
  const first = { visit: "v_1", visits: ["v_1"], home: "/demo" };
  const both = { visit: "v_2", visits: ["v_2", "v_1"], home: "/demo" };
  assert.equal(ownOfTab(first, false, storage), null);
  assert.equal(ownOfTab(both, false, storage), "v_1");
  assert.equal(ownOfTab(both, true, storage), null, "the address names v_2, which is the tab's from now on");
  assert.equal(ownOfTab(both, false, storage), null);
  held.set("visit:/demo", "v_0");
  assert.equal(ownOfTab(both, false, storage), null, "not a visit of this browser");
});
