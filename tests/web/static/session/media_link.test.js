import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaLink } from "../../../../web/static/session/media_link.js";
import { noPictureWords } from "../../../../web/static/session/pair.js";

/** Returns a MediaLink of a patient's page, and a function that passes it a message of the server. */
function linked() {
  const client = /** @type {any} */ (new EventTarget());
  const link = new MediaLink(client, "v_1", "patient");
  const hear = (/** @type {string} */ type, /** @type {object} */ fields) =>
    client.dispatchEvent(new CustomEvent(type, { detail: { visit: "v_1", ...fields } }));
  return { link, hear };
}

test("on a network too weak for a picture the page says so, and nobody’s picture has stopped", () => {
  const { link, hear } = linked();
  hear("media.paused", { visit: "v_2", paused: true });
  assert.equal(link.hiddenOf("provider").video, false);
  hear("media.paused", { paused: true });
  assert.equal(noPictureWords(link.hiddenOf("provider")), "Picture paused: weak network");
  assert.deepEqual(link.quietOf("provider"), { audio: false, video: true });
  hear("media.muted", { party: "provider", kind: "video", muted: true });
  assert.equal(noPictureWords(link.hiddenOf("provider")), "Camera is off");
  hear("media.muted", { party: "provider", kind: "video", muted: false });
  hear("media.paused", { paused: false });
  assert.equal(link.hiddenOf("provider").video, false);
});

test("a path that is missing is the network’s fault, or the browser’s if its party says so", () => {
  const { link, hear } = linked();
  assert.equal(link.blocked("provider"), null);
  hear("media.path", { party: "provider", path: "none", reason: null });
  assert.equal(link.blocked("provider"), "network");
  hear("media.path", { party: "provider", path: "none", reason: "browser" });
  assert.equal(link.blocked("provider"), "browser");
  hear("media.path", { party: "provider", path: "lost", reason: null });
  assert.deepEqual([link.blocked("provider"), link.lost("provider")], [null, true]);
});
