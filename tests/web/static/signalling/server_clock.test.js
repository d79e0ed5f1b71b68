import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { ServerClock } from "../../../../web/static/signalling/server_clock.js";

const SERVER_MS = 1_790_000_000_000;
let device_ms = 0;

beforeEach(() => {
  device_ms = 1_000_000;
  mock.method(Date, "now", () => device_ms);
});

/** Returns a clock that was set by a welcome, and was asked again by a ping. */
function pinged() {
  const clock = new ServerClock();
  clock.set(SERVER_MS);
  clock.pinged();
  return clock;
}

test("a device whose clock is set while the page is open shows the right waits after the next ping", () => {
  const clock = pinged();
  device_ms -= 3_600_000;
  clock.pinged();
  device_ms += 40;
  clock.ponged(SERVER_MS + 20_000);
  assert.equal(clock.now(), SERVER_MS + 20_000);
});

test("the delay of the network does not move the clock", () => {
  const clock = pinged();
  device_ms += 900;
  clock.ponged(SERVER_MS + 20);
  assert.equal(clock.now(), SERVER_MS + 900);
});

test("a pong that waited while the page was frozen does not set the clock back", () => {
  const clock = pinged();
  device_ms += 300_000;
  clock.ponged(SERVER_MS + 20);
  assert.equal(clock.now(), SERVER_MS + 300_000);
});
