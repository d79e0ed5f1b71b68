/* Keeps the screen on while a session is open, with a wake lock of the browser. The system releases the
   lock whenever the page is hidden, so this script requests it again when the page is shown again. */

export class WakeLock {
  /** @type {WakeLockSentinel | null} the lock that keeps the screen on; null while it is not held */
  #lock = null;
  #stop = new AbortController();

  /** Keep the screen on until `release()`. */
  hold() {
    document.addEventListener("visibilitychange", () => this.#request(), { signal: this.#stop.signal });
    this.#request();
  }

  release() {
    this.#stop.abort();
    this.#lock?.release().catch(() => {});
    this.#lock = null;
  }

  async #request() {
    if (document.hidden || !navigator.wakeLock) return;
    try {
      const lock = await navigator.wakeLock.request("screen");
      if (this.#stop.signal.aborted) await lock.release();
      else this.#lock = lock;
    } catch {
      // The system refuses the lock, for instance because the battery is low. The session works without the
      // lock.
      this.#lock = null;
    }
  }
}
