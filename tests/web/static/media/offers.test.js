import assert from "node:assert/strict";
import { test } from "node:test";
import { MediaSession } from "../../../../web/static/media.js";
import { install } from "../stand_in_devices.js";

/** Answers offers at once; there is no network and no media. */
class Connection extends EventTarget {
  localDescription = null;
  getTransceivers = () => [];
  close() {}
  async setRemoteDescription() {}
  async createAnswer() {
    return { sdp: "v=0" };
  }
  async setLocalDescription(/** @type {any} */ description) {
    this.localDescription = description;
  }
}

test("an answer that the server does not confirm keeps no later offer waiting", async () => {
  install();
  Object.assign(globalThis, { RTCPeerConnection: Connection });
  /** @type {number[]} */
  const answered = [];
  const sendAnswer = (/** @type {string} */ _sdp, /** @type {number} */ id) => {
    answered.push(id);
    return id === 1 ? new Promise(() => {}) : Promise.resolve();
  };
  const media = new MediaSession({ sendAnswer });
  media.accept({ id: 1, sdp: "v=0", fresh: true });
  await media.accept({ id: 2, sdp: "v=0", fresh: true });
  assert.deepEqual(answered, [1, 2]);
});
