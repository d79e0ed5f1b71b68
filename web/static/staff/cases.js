/* The Case Informations that this browser has open, each live as long as it is open. No DOM. */

import { refusalWords } from "../shared/refusals.js";
import { inEach, t } from "../shared/text.js";

const NO_CASE = inEach(() => ({
  not_allowed: t("Case Information can be opened while you are on call."),
  not_found: t("This visit is no longer there."),
}));

export class Cases {
  #client;
  #changed;
  #open = new Map(); // visit -> {info, refused, drop}

  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
  }

  has(visit) {
    return this.#open.has(visit);
  }

  /** {info, refused}; `info` is undefined while it loads. */
  get(visit) {
    return this.#open.get(visit);
  }

  open(visit) {
    if (this.#open.has(visit)) return;
    const entry = { info: undefined, refused: null, drop: null };
    this.#open.set(visit, entry);
    entry.drop = this.#client.subscribe(
      `case/${visit}`,
      (message) => {
        entry.info = message.case;
        this.#changed();
      },
      (error) => {
        entry.info = undefined; // it may have been shown until now
        entry.refused = NO_CASE()[error.code] ?? refusalWords(error);
        this.#changed();
      },
    );
    this.#changed();
  }

  toggle(visit) {
    if (this.#open.has(visit)) this.#close(visit);
    else this.open(visit);
    this.#changed();
  }

  /** Close those of visits that are on this screen no more. */
  keepOnly(visits) {
    const kept = new Set(visits);
    for (const visit of [...this.#open.keys()]) if (!kept.has(visit)) this.#close(visit);
  }

  #close(visit) {
    this.#open.get(visit).drop();
    this.#open.delete(visit);
  }
}
