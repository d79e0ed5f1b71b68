import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { PathRepair } from "../../../../web/static/session/path_repair.js";
import { SignallingError } from "../../../../web/static/signalling/errors.js";

/** What the repair has done: "restart" or "join", in order. */
let done = /** @type {string[]} */ ([]);
/** The code with which the server refuses a restart; "" if the restart succeeds. */
let refused = "";

const repair = () =>
  new PathRepair({
    restart: async () => {
      done.push("restart");
      if (refused) throw new SignallingError(refused, "");
    },
    join: () => done.push("join"),
  });

/** Waits until all promises are settled that can be settled now. */
const turn = async () => {
  for (let n = 0; n < 5; n++) await null;
};

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
  done = [];
  refused = "";
});

test("a lost path may heal by itself; then ICE is restarted, then the media are joined again", () => {
  const healed = repair();
  healed.lost();
  mock.timers.tick(1_000);
  healed.found();
  mock.timers.tick(10_000);
  assert.deepEqual(done, []);
  const lost = repair();
  lost.lost();
  lost.lost();
  mock.timers.tick(1_500);
  assert.deepEqual(done, ["restart"]);
  mock.timers.tick(4_500);
  assert.deepEqual(done, ["restart", "join"]);
});

test("a first path that is not found in five seconds is looked for once more, with new checks", async () => {
  const late = repair();
  late.begun();
  mock.timers.tick(4_999);
  assert.deepEqual(done, []);
  mock.timers.tick(60_000);
  assert.deepEqual(done, ["restart"]);
  await turn();
  late.begun();
  late.begun();
  mock.timers.tick(5_000);
  assert.deepEqual(done, ["restart", "restart"]);
  const found = repair();
  found.begun();
  found.found();
  mock.timers.tick(60_000);
  assert.deepEqual(done, ["restart", "restart"]);
});

test("a network that is back restarts ICE at once, and once", async () => {
  const path = repair();
  path.lost();
  path.now();
  path.now();
  assert.deepEqual(done, ["restart"]);
  await turn();
  path.now();
  assert.deepEqual(done, ["restart", "restart"]);
});

test("a room that is gone is joined at once; other refusals wait", async () => {
  const path = repair();
  refused = "no_room";
  await path.now();
  assert.deepEqual(done, ["restart", "join"]);
  refused = "unavailable";
  await path.now();
  assert.deepEqual(done, ["restart", "join", "restart"]);
  mock.timers.tick(500);
  assert.deepEqual(done, ["restart", "join", "restart", "join"]);
});

test("a restart on a connection that was lost leaves the repair to the next connection", async () => {
  const path = repair();
  refused = "offline";
  await path.now();
  mock.timers.tick(60_000);
  assert.deepEqual(done, ["restart"]);
});

test("a join that waits is not needed after a restart or a new offer", async () => {
  const path = repair();
  path.later();
  await path.now();
  path.later();
  path.joined();
  path.later();
  path.stop();
  mock.timers.tick(60_000);
  assert.deepEqual(done, ["restart"]);
});
