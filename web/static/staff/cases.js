/* Keeps the Case Information of all visits for which this page shows it. The server sends the changes of
   each until this page closes it. This script does not use the DOM. */

import { refusalWords } from "../shared/refusals.js";
import { inEach, t } from "../shared/text.js";

/**
 * @typedef {object} OpenCase
 * @property {Protocol.CasePart | undefined} info the patient's data; undefined while they load
 * @property {string | null} refused the sentence about why the Case Information is not shown, or null
 * @property {() => void} drop ends the subscription
 */

const NO_CASE = inEach(
  /**
   * Return the sentence for each code with which the server refuses Case Information.
   *
   * @returns {Record<string, string>}
   */ () => ({
    not_allowed: t("Case Information can be opened while you are on call."),
    not_found: t("This visit is no longer there."),
  }),
);

export class Cases {
  #client;
  #changed;
  #photo;
  /** @type {Map<string, OpenCase>} visit -> its open case */
  #open = new Map();

  /**
   * Prepare an empty list of the visits whose Case Information is open.
   *
   * @param {import("../signalling.js").SignallingClient} client the connection to the server
   * @param {() => void} changed is called after each change
   * @param {(info: Protocol.CasePart) => void} photo is called when the patient has added a photo
   */
  constructor(client, changed, photo) {
    this.#client = client;
    this.#changed = changed;
    this.#photo = photo;
  }

  /**
   * Return true if the Case Information of a visit is open.
   *
   * @param {string} visit the visit's id
   */
  has(visit) {
    return this.#open.has(visit);
  }

  /**
   * Return the open Case Information of a visit; undefined if it is not open.
   *
   * @param {string} visit the visit's id
   */
  get(visit) {
    return this.#open.get(visit);
  }

  /**
   * Open the Case Information of a visit, and follow its changes. Do nothing if it is open already.
   *
   * @param {string} visit the visit's id
   */
  open(visit) {
    if (this.#open.has(visit)) return;
    /** @type {OpenCase} the open case, without Case Information until the server has sent it */
    const entry = { info: undefined, refused: null, drop: () => {} };
    this.#open.set(visit, entry);
    entry.drop = this.#client.subscribe(
      `case/${visit}`,
      (message) => {
        const before = entry.info?.photos.length ?? message.case.photos.length;
        entry.info = message.case;
        if (message.case.photos.length > before) this.#photo(message.case);
        this.#changed();
      },
      (error) => {
        // The server has refused the Case Information. What the page has shown of it so far is removed.
        entry.info = undefined;
        entry.refused = NO_CASE()[error.code] ?? refusalWords(error);
        this.#changed();
      },
    );
    this.#changed();
  }

  /**
   * Open the Case Information of a visit, or close it if it is open.
   *
   * @param {string} visit the visit's id
   */
  toggle(visit) {
    if (this.#open.has(visit)) this.#close(visit);
    else this.open(visit);
    this.#changed();
  }

  /**
   * Close the Case Information of visits that are no longer on this screen.
   *
   * @param {(string | null)[]} visits the ids of the visits that stay
   */
  keepOnly(visits) {
    const kept = new Set(visits);
    for (const visit of [...this.#open.keys()]) if (!kept.has(visit)) this.#close(visit);
  }

  /**
   * Close the Case Information of a visit, and end the subscription to it.
   *
   * @param {string} visit the visit's id
   */
  #close(visit) {
    this.#open.get(visit)?.drop();
    this.#open.delete(visit);
  }
}
