import assert from "node:assert/strict";
import { test } from "node:test";
import {
  browserFamily,
  foundNow,
  playNotes,
  soundTrouble,
  systemFamily,
  troubleWords,
} from "../../../../web/static/shared/devices.js";

const MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)";
const AGENTS = {
  chromeOnMac: `${MAC} Chrome/140.0.0.0 Safari/537.36`,
  edgeOnWindows: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
  chromeOnAndroid: "Mozilla/5.0 (Linux; Android 10; K) Chrome/140.0.0.0 Mobile Safari/537.36",
  firefoxOnLinux: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
  iPhone: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1",
};

/** Returns the problems of these devices in words, for Chromium on a Mac. */
const onMac = (/** @type {Found} */ found) => troubleWords(found, "Chromium", "macOS");

test("the system is known by the browser's name for it, an iPad by its touches", () => {
  assert.equal(systemFamily(AGENTS.chromeOnMac, 0), "macOS");
  assert.equal(systemFamily(AGENTS.chromeOnMac, 5), "iOS");
  assert.equal(systemFamily(AGENTS.iPhone, 5), "iOS");
  assert.equal(systemFamily(AGENTS.edgeOnWindows, 0), "Windows");
  assert.equal(systemFamily(AGENTS.chromeOnAndroid, 5), "Android");
  assert.equal(systemFamily(AGENTS.firefoxOnLinux, 0), "other");
  assert.equal(browserFamily(AGENTS.edgeOnWindows, 0), "Chromium");
});

test("what the browser refuses is allowed in the browser, what the system refuses in its settings", () => {
  const [denied] = onMac({ video: "denied", audio: "on" });
  assert.equal(denied.what, "This browser does not let the page use the camera.");
  assert.match(denied.todo, /icon at the left of the address/);
  const [system] = onMac({ video: "on", audio: "system" });
  assert.equal(system.what, "This device does not let the browser use the microphone.");
  assert.match(system.todo, /System Settings, then Privacy & Security/);
  const [windows] = troubleWords({ video: "system", audio: "on" }, "Chromium", "Windows");
  assert.match(windows.todo, /desktop apps/);
});

test("one sentence for both if both have the same reason, and it is that reason's", () => {
  const both = (/** @type {DeviceWord} */ reason) => onMac({ video: reason, audio: reason });
  assert.deepEqual(
    both("busy").map(({ what }) => what),
    ["Camera and microphone are in use by another program."],
  );
  assert.deepEqual(
    both("missing").map(({ what }) => what),
    ["No camera and no microphone were found."],
  );
  assert.deepEqual(
    onMac({ video: "missing", audio: "busy" }).map(({ what }) => what),
    ["No camera was found.", "The microphone is in use by another program."],
  );
});

test("what works, is asked for, or was not asked for is no trouble", () => {
  assert.deepEqual(onMac({ video: "on", audio: "on" }), []);
  assert.deepEqual(onMac({ video: null, audio: null }), []);
  assert.deepEqual(onMac({ video: "off", audio: "on" }), []);
});

test("a device that works and gives nothing is silent; one that does not work keeps its reason", () => {
  const off = { isSilent: () => true };
  assert.deepEqual(foundNow({ video: "busy", audio: "on" }, off), { video: "busy", audio: "silent" });
  assert.deepEqual(foundNow({ video: null, audio: "off" }, off), { video: null, audio: "off" });
  assert.deepEqual(foundNow({ video: "on", audio: "on" }, null), { video: "on", audio: "on" });
  const [words] = onMac({ video: "on", audio: "silent" });
  assert.match(words.what, /microphone gives no sound/);
});

/** A fake AudioContext that plays nothing: its clock stays at 0. */
class Silent {
  currentTime = 0;
  closed = false;

  /** Makes an AudioContext whose `resume` returns the promise `resumed`. */
  constructor(/** @type {Promise<void>} */ resumed) {
    this.resumed = resumed;
  }

  resume() {
    return this.resumed;
  }

  async close() {
    this.closed = true;
  }
}

/**
 * Plays no notes with a fake AudioContext; returns the error, and whether the context was closed.
 *
 * @param {import("node:test").TestContext} context the running test
 * @param {Promise<void>} resumed settles when the AudioContext has been resumed
 */
async function played(context, resumed) {
  /** @type {Silent[]} the AudioContexts that the code under test has made */
  const made = [];
  const before = globalThis.AudioContext;
  context.after(() => {
    globalThis.AudioContext = before;
  });
  globalThis.AudioContext = /** @type {any} */ (
    class extends Silent {
      constructor() {
        super(resumed);
        made.push(this);
      }
    }
  );
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const done = playNotes({ notes: [] }).catch((error) => error);
  for (let turn = 0; turn < 20; turn += 1) {
    await Promise.resolve();
    context.mock.timers.tick(500);
  }
  return { error: await done, closed: made[0].closed };
}

test("sound that never starts is given up after some seconds, in words", async (context) => {
  const { error, closed } = await played(context, new Promise(() => {}));
  assert.equal(error.name, "TimeoutError");
  assert.match(soundTrouble(error), /^No sound started/);
  assert.equal(closed, true);
});

test("sound whose clock stands still has not been played", async (context) => {
  const { error, closed } = await played(context, Promise.resolve());
  assert.equal(error.name, "TimeoutError");
  assert.equal(closed, true);
});

test("sound that the browser forbids has words of its own", async (context) => {
  const { error, closed } = await played(context, Promise.reject(new DOMException("no", "NotAllowedError")));
  assert.match(soundTrouble(error), /browser blocked/);
  assert.equal(closed, true);
});
