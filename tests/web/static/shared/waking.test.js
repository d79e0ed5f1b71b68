import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { onWaking } from "../../../../web/static/shared/waking.js";

test("a clock that went on while no timer ran means that the device has slept", () => {
  let now_ms = 1_000_000;
  let woken = 0;
  mock.timers.enable({ apis: ["setInterval"] });
  mock.method(Date, "now", () => now_ms);
  const timer = onWaking(() => woken++);
  const tick = (/** @type {number} */ passed_ms) => {
    now_ms += passed_ms;
    mock.timers.tick(1_000);
  };
  for (const passed_ms of [1_000, 1_200, 4_000]) tick(passed_ms);
  assert.equal(woken, 0, "a busy page is late");
  tick(90_000);
  assert.equal(woken, 1);
  tick(1_000);
  assert.equal(woken, 1);
  clearInterval(timer);
});
