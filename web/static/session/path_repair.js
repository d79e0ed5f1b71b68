/* Repairs the path to the media if it was lost, or was never found: restarts ICE, and if that does not help,
   joins the media again. */
import { codeOf } from "../signalling/errors.js";

/* The time in ms in which a first path is expected; then ICE is restarted. Chromium tries a TCP candidate
   only once: if that attempt is refused and UDP is blocked, Chromium reports the failure only after 15 s. */
const FIRST_WITHIN_MS = 5_000;
// The time in ms before a repair begins. A "disconnected" path often recovers within this time.
const RESTART_AFTER_MS = 1_500;
const REJOIN_AFTER_MS = 6_000;
const JOIN_AGAIN_MS = { first: 400, most: 8_000 };

export class PathRepair {
  #restart;
  #join;
  #timers = { join: 0, restart: 0, rejoin: 0 };
  #attempt = 0;
  #restarting = false;

  /**
   * Keep the two functions with which a lost path is repaired.
   *
   * @param {{ restart: () => Promise<unknown>, join: () => void }} how `restart()` restarts ICE, and
   *   rejects with the server's refusal; `join()` joins the media again
   */
  constructor({ restart, join }) {
    this.#restart = restart;
    this.#join = join;
  }

  /** Restart ICE once if no first path is found within FIRST_WITHIN_MS. */
  begun() {
    clearTimeout(this.#timers.restart);
    this.#timers.restart = setTimeout(() => this.now(), FIRST_WITHIN_MS);
  }

  /**
   * Plan the repair of a lost path: restart ICE soon, and join the media again later. A call of `found`
   * cancels this plan.
   */
  lost() {
    this.#timers.restart ||= setTimeout(() => this.now(), RESTART_AFTER_MS);
    this.#timers.rejoin ||= setTimeout(() => this.#join(), REJOIN_AFTER_MS);
  }

  /**
   * Restart ICE at once, because the network may have changed. If the server no longer has the visit's media
   * room (`no_room`), join again.
   */
  async now() {
    if (this.#restarting) return;
    this.joined();
    this.#restarting = true;
    try {
      await this.#restart();
    } catch (error) {
      if (codeOf(error) === "no_room") this.#join();
      // If the client is offline, nothing is planned: the repair begins again with the next open socket.
      else if (codeOf(error) !== "offline") this.later();
    } finally {
      this.#restarting = false;
    }
  }

  /** Join again after a pause, which grows with each attempt. */
  later() {
    const wait =
      Math.min(JOIN_AGAIN_MS.most, JOIN_AGAIN_MS.first * 2 ** this.#attempt++) * (0.75 + Math.random() / 2);
    clearTimeout(this.#timers.join);
    this.#timers.join = setTimeout(() => this.#join(), wait);
  }

  /**
   * Cancel the planned join. The join is not needed: another attempt has begun, or the server has sent a new
   * offer.
   */
  joined() {
    clearTimeout(this.#timers.join);
  }

  /** End the repair, because a path was found. */
  found() {
    this.stop();
    this.#attempt = 0;
  }

  /** Cancel all repairs. */
  stop() {
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#timers = { join: 0, restart: 0, rejoin: 0 };
  }
}
