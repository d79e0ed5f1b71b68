import assert from "node:assert/strict";
import { test } from "node:test";
import { Sound, speakerNow, speakersOf } from "../../../../web/static/session/sound.js";

/**
 * Returns a device that is not selected.
 *
 * @param {Device["kind"]} kind audio, video or speaker
 * @param {string} id the id, which is also the label
 * @returns {Device}
 */
const device = (kind, id) => ({ kind, id, label: id, selected: false });
const DEVICES = [
  device("audio", "headset"),
  device("speaker", "default"),
  device("speaker", "communications"),
  device("speaker", "headset"),
  device("speaker", "screen"),
];

test("the system's own speaker is not listed twice", () => {
  assert.deepEqual(
    speakersOf(DEVICES).map(({ id }) => id),
    ["headset", "screen"],
  );
});

test("the chosen speaker sounds while it is plugged in, else the system's own", () => {
  const unplugged = DEVICES.filter(({ kind, id }) => kind !== "speaker" || id !== "headset");
  assert.equal(speakerNow("headset", DEVICES), "headset");
  assert.equal(speakerNow("headset", unplugged), "");
  assert.equal(speakerNow("", DEVICES), "");
});

/** The parts of a video element that `Sound` uses. */
class Video {
  srcObject = {};
  sinkId = "";
  /** @type {Error | null} the error with which `play` refuses; null if it plays */
  refusal = null;

  async play() {
    if (this.refusal) throw this.refusal;
  }

  /** Chooses another speaker for the sound; throws an error for the speaker "screen". */
  async setSinkId(/** @type {string} */ id) {
    if (id === "screen") throw new Error("it does not start");
    this.sinkId = id;
  }
}

function soundOf(...videos) {
  globalThis.HTMLMediaElement = /** @type {any} */ (Video);
  return new Sound({ videos: () => /** @type {any} */ (videos), redraw: () => {} });
}
const settled = () => new Promise((done) => setTimeout(done));

test("a speaker that is plugged in again sounds again, on elements that came later too", async () => {
  const videos = [new Video()];
  const sound = new Sound({ videos: () => /** @type {any} */ (videos), redraw: () => {} });
  globalThis.HTMLMediaElement = /** @type {any} */ (Video);
  sound.take(DEVICES);
  assert.equal(await sound.choose("headset"), "on");
  assert.equal(videos[0].sinkId, "headset");
  sound.take([]);
  await settled();
  assert.deepEqual([videos[0].sinkId, sound.speaker], ["", ""]);
  videos.push(new Video());
  sound.take(DEVICES);
  await settled();
  assert.deepEqual(
    videos.map(({ sinkId }) => sinkId),
    ["headset", "headset"],
  );
});

test("a speaker that does not start leaves the one before", async () => {
  const video = new Video();
  const sound = soundOf(video);
  sound.take(DEVICES);
  await sound.choose("headset");
  assert.equal(await sound.choose("screen"), "failed");
  assert.deepEqual([video.sinkId, sound.speaker], ["headset", "headset"]);
});

test("sound is blocked while an element on the page has been refused, until a press", async () => {
  const video = new Video();
  const sound = soundOf(video, new Video());
  sound.listen();
  await settled();
  assert.equal(sound.blocked, false);
  video.refusal = new DOMException("a press first", "NotAllowedError");
  sound.listen();
  await settled();
  assert.equal(sound.blocked, true);
  video.refusal = new DOMException("another stream", "AbortError");
  sound.press();
  await settled();
  assert.equal(sound.blocked, false);
});
