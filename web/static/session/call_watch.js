/* Checks the call twice a second: the quality of the connection, and parties whose sound or picture has
   stopped. While the page is hidden, this script checks nothing, because a browser need not decode pictures
   then. Whether the page is hidden is all that this script reads from the DOM. */

export const LOOK_EVERY_MS = 500;
const LOOKS_PER_WORD = 4;

/** @typedef {import("../media/arrivals.js").Stopped} Stopped */

export class CallWatch {
  /**
   * @type {import("./words.js").Quality | null} the quality of the call in one word; null until it is
   *   measured
   */
  quality = null;
  /** @type {Map<string, Stopped>} party -> what has stopped in its media */
  #stopped = new Map();
  #looks = 0;
  #live = false;
  #link;
  #redraw;

  /**
   * Prepare to check the media of a visit; each call of `look` checks it once.
   *
   * @param {import("./media_link.js").MediaLink} link the media of the visit
   * @param {() => void} redraw draws the page again
   */
  constructor(link, redraw) {
    this.#link = link;
    this.#redraw = redraw;
  }

  /**
   * Reset the results. Called when the call has begun or ended, or when the connection of its media was
   * closed.
   *
   * @param {boolean} live true during the call
   */
  restart(live) {
    this.#live = live;
    this.quality = null;
    this.#stopped.clear();
    this.#looks = 0;
  }

  /** Read the call's reports, and redraw after a change. The page calls this every LOOK_EVERY_MS. */
  async look() {
    const { media } = this.#link;
    if (!this.#live || !media || document.hidden) return;
    const before = this.#state();
    try {
      this.#stopped = await media.stopped((party) => this.#link.quietOf(party));
      if (this.#looks++ % LOOKS_PER_WORD === 0) this.quality = (await media.stats()).words;
    } catch {
      // The connection was closed while its reports were being read.
      this.restart(this.#live);
    }
    if (this.#state() !== before) this.#redraw();
  }

  /**
   * Return what has stopped in a party's media; null if the party does not take part, or if this side's
   * connection is lost.
   *
   * @param {string} key the party's key
   * @param {Protocol.PartyPart} party the state of the party
   * @returns {Stopped | null}
   */
  of(key, { present, started }) {
    if (!this.#live || !present || !started || this.#link.path !== "connected") return null;
    return this.#stopped.get(key) ?? (this.#link.lost(key) ? "silent" : null);
  }

  /**
   * Return the first other party whose media stopped, or null. A silent party comes before a party with a
   * still picture.
   *
   * @param {import("./tiles.js").Other[]} others the other parties
   * @returns {import("./words.js").Standstill | null}
   */
  first(others) {
    const found = others.flatMap(([key, party]) => {
      const stopped = this.of(key, party);
      return stopped ? [{ name: party.name, stopped }] : [];
    });
    return found.find(({ stopped }) => stopped === "silent") ?? found[0] ?? null;
  }

  #state() {
    return JSON.stringify([this.quality, ...this.#stopped]);
  }
}
