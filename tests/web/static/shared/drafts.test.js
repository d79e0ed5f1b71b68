import assert from "node:assert/strict";
import { test } from "node:test";
import { draftOf, forgetDrafts, keepDraft, ofMessage } from "../../../../web/static/shared/drafts.js";

/**
 * Returns a storage of a tab, in memory.
 *
 * @param {string} [text] the stored draft of the clinic "demo", if there is one
 */
const storage = (text) => {
  const held = new Map(text === undefined ? [] : [["draft:demo", text]]);
  return {
    getItem: (/** @type {string} */ name) => held.get(name) ?? null,
    setItem: (/** @type {string} */ name, /** @type {string} */ value) => void held.set(name, value),
  };
};

test("f12: a draft is there again for two hours, for its own clinic only", () => {
  const held = storage();
  keepDraft("demo", { name: "Ana" }, 1_000, held);
  assert.deepEqual(draftOf("demo", 7_000_000, held), { name: "Ana" });
  assert.deepEqual(draftOf("demo", 7_201_000, held), {});
  assert.deepEqual(draftOf("other", 2_000, held), {});
});

test("f12: what is no draft, and a tab that keeps nothing, are no error", () => {
  assert.deepEqual(draftOf("demo", 0, storage("{")), {});
  const full = {
    setItem: () => {
      throw new DOMException("full", "QuotaExceededError");
    },
  };
  keepDraft("demo", { name: "Ana" }, 0, full);
});

test("f19: drafts of messages outlast those of forms, and not a sign-out", () => {
  const held = { "draft:demo": "{}", "draft:message/v_1": "{}", other: "x" };
  globalThis.sessionStorage = /** @type {any} */ (
    Object.defineProperty({ ...held }, "removeItem", {
      value(/** @type {string} */ name) {
        delete this[name];
      },
    })
  );
  assert.equal(`draft:${ofMessage("v_1")}`, "draft:message/v_1");
  forgetDrafts();
  assert.deepEqual(Object.keys(sessionStorage), ["draft:message/v_1", "other"]);
  forgetDrafts({ messages: true });
  assert.deepEqual(Object.keys(sessionStorage), ["other"]);
});
