import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaLink } from "../../../../web/static/session/media_link.js";
import { noPictureWords } from "../../../../web/static/session/pair.js";
import { begunWords } from "../../../../web/static/session/words.js";

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

test("when a call begins, only what both sides have is announced", () => {
  const { link, hear } = linked();
  const begun = "The session has begun.";
  const provider = /** @type {any} */ ({ name: "Dr Osei", present: true, started: true });
  const words = (party = provider) => begunWords(link, [["provider", party]]);
  const device = (/** @type {"audio" | "video"} */ kind, /** @type {object} */ state) =>
    hear("media.muted", { party: "provider", kind, muted: false, ...state });
  assert.equal(words(), begun, "the devices and the path are not known yet");
  Object.assign(link, { path: "connected", found: { audio: "on", video: "on" } });
  assert.equal(words(), `${begun} You see and hear each other.`);
  device("video", { missing: true });
  assert.equal(words(), `${begun} You hear each other.`);
  device("audio", { muted: true });
  assert.equal(words(), begun);
  device("audio", {});
  device("video", {});
  link.found = { audio: "on", video: "missing" };
  assert.equal(words(), `${begun} You hear each other.`);
  link.found = { audio: "denied", video: "on" };
  assert.equal(words(), begun);
  link.found = { audio: "on", video: "on" };
  link.muted = { audio: true, video: false };
  assert.equal(words(), begun);
  link.muted = { audio: false, video: true };
  assert.equal(words(), `${begun} You hear each other.`);
  link.muted = { audio: false, video: false };
  assert.equal(words({ ...provider, present: false }), begun);
  hear("media.path", { party: "provider", path: "none", reason: null });
  assert.equal(words(), begun);
  hear("media.path", { party: "provider", path: "lost", reason: null });
  assert.equal(words(), begun);
});
