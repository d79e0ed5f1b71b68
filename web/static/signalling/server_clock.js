/* Returns the time by the server's clock. The clock of this device may be set while the page is open, so the
   difference between both clocks is measured again with each ping. */

/* Smaller differences in ms are the network's delay. A pong that comes later than this was perhaps received
   long before, while the page was frozen, and its time is old. */
const EXACT_MS = 1_000;

export class ServerClock {
  #offset = 0;
  #pinged_ms = 0;

  /** Return the time by the server's clock, in ms since 1970. */
  now() {
    return Date.now() + this.#offset;
  }

  /** Set the clock to the time of the server's welcome. */
  set(/** @type {number} */ server_ms) {
    this.#offset = server_ms - Date.now();
  }

  /** Remember the time at which a ping was sent. */
  pinged() {
    this.#pinged_ms = Date.now();
  }

  /** Set the clock to the time of a pong, if this device's clock was set since then. */
  ponged(/** @type {number} */ server_ms) {
    const late = Math.abs(Date.now() - this.#pinged_ms) > EXACT_MS;
    if (!late && Math.abs(server_ms - this.now()) > EXACT_MS) this.set(server_ms);
  }
}
