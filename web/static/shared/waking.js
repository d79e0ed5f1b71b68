/* Notices that the device has slept: no timer runs meanwhile, and no browser tells. */

const TICK_MS = 1_000;
const SLEPT_MS = 5_000; // a busy page is late by less

/**
 * Call `woken` each time the device has woken.
 *
 * @param {() => void} woken
 */
export function onWaking(woken) {
  let last_ms = Date.now();
  return setInterval(() => {
    const before_ms = last_ms;
    last_ms = Date.now();
    if (last_ms - before_ms > SLEPT_MS) woken();
  }, TICK_MS);
}
