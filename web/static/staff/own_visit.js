/* Follows the current visit of this member of staff, for the link to that visit and for its session page. */
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";
import { codeOf } from "../signalling/errors.js";

/** @typedef {import("../session/session.js").Session} Session */

export class OwnVisit {
  /**
   * @type {string | null} the id of this person's current visit, which this object follows; null if there is
   *   none
   */
  id = null;
  /**
   * @type {Protocol.VisitPart | null} the state of the followed visit; null until the server has sent it
   */
  visit = null;
  /** @type {Session | null} the session page of the followed visit; null while it is not shown */
  session = null;
  /** @type {Protocol.VisitPart | null} the visit whose page was open when it ended; null if there is none */
  over = null;
  #client;
  #me;
  #routed;
  #leave;
  #begin;
  #released;
  #redraw;
  #drop = () => {};

  /**
   * Prepare the object, which follows no visit yet.
   *
   * @param {{
   *   client: import("../signalling.js").SignallingClient,
   *   me: { id: string },
   *   routed: () => string | null,
   *   leave: () => void,
   *   begin: (visit: string) => Session,
   *   released: () => void,
   *   redraw: () => void,
   * }} options `me`: the signed-in person; `routed()` returns the visit that the address names, or null;
   *   `leave()` shows the list; `begin()` makes the session; `released()` is called when the visit no longer
   *   belongs to this person; `redraw()` draws the page again
   */
  constructor({ client, me, routed, leave, begin, released, redraw }) {
    this.#client = client;
    this.#me = me;
    this.#routed = routed;
    this.#leave = leave;
    this.#begin = begin;
    this.#released = released;
    this.#redraw = redraw;
  }

  /** The visit while it is claimed or live; otherwise null. */
  get current() {
    return this.visit && isTaken(this.visit) ? this.visit : null;
  }

  /**
   * Follow this visit from now on, as the current visit of this person.
   *
   * @param {string} id the visit's id
   */
  hold(id) {
    this.#letGo();
    this.over = null;
    this.id = id;
    this.#drop = this.#client.subscribe(
      `visit/${id}`,
      ({ visit }) => this.id === id && this.#follow(visit),
      (error) => this.id === id && this.#lost(error),
    );
  }

  /** Open the session of this person's visit if it is not open yet. */
  open() {
    if (!this.visit || this.session || this.visit.claimant?.id !== this.#me.id) return;
    this.session = this.#begin(this.visit.id);
    this.session.open();
    this.session.update(this.visit);
    this.enter();
  }

  /** Send `visit.enter` to the server if the session is open. */
  enter() {
    if (!this.session || !this.id) return;
    this.#client.request({ type: "visit.enter", visit: this.id }).catch((error) => {
      if (["unavailable", "timeout"].includes(codeOf(error))) setTimeout(() => this.enter(), 2_000);
    });
  }

  #letGo() {
    this.session?.close();
    this.#drop();
    this.#drop = () => {};
    this.id = this.visit = this.session = null;
    this.#released();
  }

  /**
   * Handle a refusal of the visit's topic: stop following the visit. If the address names a visit, show a
   * message and the list.
   *
   * @param {import("../signalling/errors.js").SignallingError} error the server's refusal
   */
  #lost(error) {
    this.#letGo();
    if (this.#routed()) {
      toast(refusalWords(error), { bad: true });
      this.#leave();
    }
    this.#redraw();
  }

  /**
   * Apply the newest state of the visit.
   *
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  #follow(visit) {
    this.visit = visit;
    const atIt = this.#routed() === visit.id;
    if (isTaken(visit) && visit.claimant?.id === this.#me.id) {
      if (atIt) this.open();
      this.session?.update(visit);
      return this.#redraw();
    }
    this.#letGo();
    if (atIt && visit.status === "ended") this.over = visit;
    else if (atIt) {
      toast(
        isTaken(visit) && visit.claimant
          ? t("{name} has claimed this visit.", visit.claimant)
          : t("{name} is back in the queue.", visit.parties.patient),
      );
      this.#leave();
    }
    return this.#redraw();
  }
}

/**
 * Return true if the visit is claimed or live.
 *
 * @param {Protocol.VisitPart} visit the state of the visit
 */
const isTaken = ({ status }) => status === "claimed" || status === "live";
