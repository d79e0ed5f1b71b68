/* Detects that the device was asleep. No browser reports sleep, but timers stop while the device sleeps, so
   a late timer shows that it has slept. */

const TICK_MS = 1_000;
// If a timer is late by this time in ms, the device was asleep; a busy page delays timers less.
const SLEPT_MS = 5_000;

/**
 * Call `woken` each time after the device has slept.
 *
 * @param {() => void} woken is called after the device has slept
 */
export function onWaking(woken) {
  let last_ms = Date.now();
  return setInterval(() => {
    const before_ms = last_ms;
    last_ms = Date.now();
    if (last_ms - before_ms > SLEPT_MS) woken();
  }, TICK_MS);
}
