import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { isMirrored, OwnDevices, reasonOf } from "../../../../web/static/media/devices.js";
import { install } from "../stand_in_devices.js";

test("a refusal by the system is not taken for one by the person", () => {
  const refusal = (/** @type {string} */ message) => new DOMException(message, "NotAllowedError");
  assert.equal(reasonOf(refusal("Permission denied by system")), "system");
  assert.equal(reasonOf(refusal("Permission denied")), "denied");
  assert.equal(reasonOf(refusal("")), "denied");
  assert.equal(reasonOf(new DOMException("Device in use by system", "NotReadableError")), "busy");
});

test("each error has its reason, and what is unknown has failed", () => {
  const reason = (/** @type {string} */ name) => reasonOf(new DOMException("", name));
  assert.equal(reason("NotFoundError"), "missing");
  assert.equal(reason("OverconstrainedError"), "missing");
  assert.equal(reason("AbortError"), "busy");
  assert.equal(reason("SecurityError"), "insecure");
  assert.equal(reason("DataError"), "failed");
  assert.equal(reasonOf(null), "failed");
});

test("a camera that looks at the person is mirrored, a rear one is not, an unknown one is", () => {
  const camera = (/** @type {string | undefined} */ facingMode) =>
    /** @type {any} */ ({ getSettings: () => ({ facingMode }) });
  assert.equal(isMirrored(camera("user")), true);
  assert.equal(isMirrored(camera("environment")), false);
  assert.equal(isMirrored(camera(undefined)), true);
  assert.equal(isMirrored(null), true);
});

test("f47: a refusal by the site around a frame is distinguished from one by the person", () => {
  const refusal = new DOMException("Permission denied", "NotAllowedError");
  const around = { featurePolicy: { allowsFeature: (/** @type {string} */ name) => name !== "camera" } };
  Object.assign(globalThis, { document: around });
  assert.equal(reasonOf(refusal, "video"), "framed");
  assert.equal(reasonOf(refusal, "audio"), "denied");
  Object.assign(globalThis, { document: undefined });
  assert.equal(reasonOf(refusal, "video"), "denied");
});

/** Returns the devices of a page, and the events that they have fired. */
function owned(send = async () => {}) {
  /** @type {unknown[][]} */
  const news = [];
  return { own: new OwnDevices({ send, notify: (...event) => news.push(event) }), news };
}

/** Waits until all promises are settled that can be settled now. */
const turn = () => new Promise((done) => setImmediate(done));

test("a page that is left while a device is being used leaves no device in use", async () => {
  const { inUse } = install();
  let sent = () => {};
  const { own } = owned(() => new Promise((done) => (sent = () => done(undefined))));
  const prepared = own.prepare();
  await turn();
  own.close();
  sent();
  await prepared;
  assert.deepEqual(inUse(), []);
});

test("a phone that opens one camera at a time can change to its other camera", async () => {
  const { opened, inUse } = install({ one: true });
  const { own } = owned();
  await own.prepare({ audio: false });
  assert.equal(await own.useDevice("video", "rear"), "on");
  assert.deepEqual([opened.length, inUse()], [2, ["video"]]);
});

test("a camera that is lost in a change of devices is reported, and opened again", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { refusal, inUse } = install();
  const { own, news } = owned();
  await own.prepare({ audio: false });
  refusal.name = "NotReadableError";
  assert.equal(await own.useDevice("video", "rear"), "busy");
  assert.deepEqual(news, [["trackended", "video"]]);
  refusal.name = "";
  mock.timers.tick(0);
  await turn();
  assert.deepEqual(news.at(-1), ["trackrestored", "video"]);
  assert.deepEqual(inUse(), ["video"]);
  mock.timers.reset();
});

test("a camera that is plugged in again is used again, also after a long time", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { opened, refusal, changed } = install();
  const { own, news } = owned();
  await own.prepare({ audio: false });
  refusal.name = "NotFoundError";
  opened[0].unplug();
  for (let n = 0; n < 10; n++) {
    await turn();
    mock.timers.tick(60_000);
  }
  refusal.name = "";
  changed();
  await turn();
  assert.deepEqual(news, [
    ["trackended", "video"],
    ["devicechange", null],
    ["trackrestored", "video"],
  ]);
  mock.timers.reset();
});
