/* Detects that the device has slept. No browser reports it, but timers stop meanwhile. */

const TICK_MS = 1_000;
// The time in ms; a busy page delays a timer by less.
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
