/* Holds the patient's visit in this browser: the newest state from the server, the answers typed since, and
   which of them are not saved yet. This script uses the signalling client, not the DOM. */
import { visibleSteps } from "../shared/guide.js";
import { t } from "../shared/text.js";
import { SignallingError } from "../signalling/errors.js";
import { problemOf, refusedWords } from "./answers.js";

const SAVE_EVERY_MS = 400;
/**
 * The time in ms after which the patient can continue although the server has not confirmed the answer. The
 * answer is kept and sent again.
 */
const LEAVE_WITHIN_MS = 4_000;
const RETRY_MS = 2_000;

/** Holds the state of the visit, and fires `change` after each change. */
export class PatientVisit extends EventTarget {
  /**
   * @type {Protocol.VisitPart | null} the visit as the server last sent it; null until its first message
   */
  visit = null;
  /**
   * @type {Protocol.CasePart | null} the Case Information, with the saved answers; null until the server
   *   has sent it
   */
  info = null;
  /**
   * @type {Protocol.PlaceState | null} the place in line, and the expected wait; null until the server has
   *   sent it
   */
  place = null;
  /** @type {SignallingError | null} the server's refusal, if the visit is not this browser's */
  gone = null;
  /** @type {Map<string, string>} step id -> the sentence about what is wrong with its answer */
  problems = new Map();
  #client;
  /** @type {(() => void)[]} functions that end the subscriptions of an open visit */
  #drops = [];
  /** @type {Map<string, Protocol.Answer>} step id -> the typed answer, until the server has confirmed it */
  #drafts = new Map();
  /** @type {Set<string>} the ids of the steps whose typed answers must still be sent */
  #unsaved = new Set();
  #timer = 0;
  #lastSave_ms = 0;

  /**
   * Keep the client and the visit's id, and subscribe to the visit.
   *
   * @param {import("../signalling.js").SignallingClient} client the connection to the server
   * @param {string} id the id of the visit
   */
  constructor(client, id) {
    super();
    this.#client = client;
    this.id = id;
    client.addEventListener("welcome", ({ detail }) => {
      if (!detail.resumed) this.#enter();
      this.#flush();
    });
    const refused = (/** @type {SignallingError} */ error) => {
      this.gone = error;
      this.#changed();
    };
    client.subscribe(`visit/${id}`, (message) => this.#follow(message.visit), refused);
    this.#hold();
  }

  /**
   * Subscribe to the Case Information and the place in the queue, which the server sends only while the visit
   * is open.
   */
  #hold() {
    this.#drops = [
      this.#client.subscribe(`case/${this.id}`, (message) => this.#set({ info: message.case })),
      this.#client.subscribe(`place/${this.id}`, (place) => this.#set({ place })),
    ];
  }

  /**
   * End the subscriptions when the visit ends, and begin them again if the visit is reopened.
   *
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  #follow(visit) {
    if (visit.status === "ended") for (const drop of this.#drops.splice(0)) drop();
    else if (!this.#drops.length) {
      // The visit was reopened, so this page shows it again.
      this.#hold();
      this.#enter();
    }
    this.#set({ visit: this.#kept(visit) });
  }

  /**
   * Return an ended visit with the provider and the duration of the call added. The server does not send
   * these two values for an ended visit. A page that was open before the end copies them from the newest
   * state before the end.
   *
   * @param {Protocol.VisitPart} visit the state of the visit
   */
  #kept(visit) {
    const before = this.visit;
    if (visit.status !== "ended" || visit.claimant || !before?.claimant) return visit;
    const last = before.live_ms && visit.ended_ms ? visit.ended_ms - before.live_ms : 0;
    return { ...visit, claimant: before.claimant, talked_ms: before.talked_ms + last };
  }

  /** The patient's phone number in the form to show; "" while the page does not have it. */
  get phone() {
    const { phone_shown = "", phone = "" } = this.info?.patient ?? {};
    return phone_shown || phone;
  }

  /** The steps of the setup guide that the patient is asked, according to the answers so far. */
  get steps() {
    return visibleSteps(this.info?.steps ?? [], (id) => this.answer(id));
  }

  /**
   * The state of saving: `saved`, `saving`, or `waiting` while the connection is lost. The answers then stay
   * in this page, and are sent when the connection is back.
   */
  get saving() {
    if (!this.#unsaved.size) return "saved";
    return this.#client.status === "open" ? "saving" : "waiting";
  }

  /**
   * Return the newest answer to a step: the typed answer; if there is none, the answer that the server has
   * stored.
   *
   * @param {string} id the id of the step
   */
  answer(id) {
    return this.#drafts.has(id) ? this.#drafts.get(id) : this.info?.answers[id];
  }

  /**
   * The first step without an answer, except optional steps that the patient has skipped; if there is none,
   * the last step.
   */
  get firstOpenStep() {
    const reached = (this.info?.step ?? 1) - 1;
    const open = (/** @type {Protocol.Step} */ step, /** @type {number} */ index) =>
      this.answer(step.id) === undefined && (step.required || index >= reached);
    return this.steps.find(open) ?? this.steps[this.steps.length - 1];
  }

  /**
   * Store a typed or chosen answer. This page keeps the answer at once, and sends it within 400 ms, so that
   * staff see the text while it is typed.
   *
   * @param {string} id the id of the step
   * @param {Protocol.Answer} value the new answer
   */
  type(id, value) {
    this.#drafts.set(id, value);
    this.#unsaved.add(id);
    this.problems.delete(id);
    if (!this.#timer) {
      const wait = Math.max(0, this.#lastSave_ms + SAVE_EVERY_MS - Date.now());
      this.#timer = setTimeout(() => this.#flush(), wait);
    }
    this.#changed();
  }

  /**
   * Leave a step. Return false if the patient wants to go forward, but must correct the answer first. Going
   * back is always allowed.
   *
   * @param {Protocol.Step} step the step of the setup guide
   * @param {{ forward: boolean }} how `forward`: false if the patient goes back
   * @returns {Promise<boolean>}
   */
  async leave(step, { forward }) {
    const answer = this.answer(step.id) ?? null;
    const wrong = problemOf(step, answer);
    if (wrong) {
      if (forward) this.#wrong(step.id, wrong);
      this.#flush();
      return !forward;
    }
    this.#unsaved.delete(step.id);
    const saved = this.#save(step.id, answer, true);
    /**
     * @type {Promise<boolean>} gives true after LEAVE_WITHIN_MS, or at once if there is no connection. The
     *   patient then goes on while the answer is still being saved
     */
    const late = new Promise((go) =>
      setTimeout(go, this.#client.status === "open" ? LEAVE_WITHIN_MS : 0, true),
    );
    return Promise.race([saved, late]);
  }

  /**
   * Finish the guide after its last step. Return the id of a step whose answer is missing, or null if the
   * guide is complete.
   *
   * @returns {Promise<string | null>}
   */
  async finish() {
    try {
      await this.#client.request({ type: "visit.finish", visit: this.id }, { timeout_ms: 60_000 });
      return null;
    } catch (error) {
      if (!(error instanceof SignallingError) || error.code !== "guide_incomplete") throw error;
      const missing = error.details.steps ?? [];
      for (const id of missing) this.problems.set(id, t("This step still needs your answer."));
      this.#changed();
      return missing[0] ?? null;
    }
  }

  /** Withdraw from the queue; this ends the visit. */
  withdraw() {
    return this.#client.request({ type: "visit.withdraw", visit: this.id });
  }

  /**
   * Answer the clinic's question after the visit.
   *
   * @param {{ choice: number, text: string }} answer the number of the choice, from 1, and a free text
   */
  answerSurvey(answer) {
    return this.#client.request({ type: "visit.survey", visit: this.id, ...answer });
  }

  /** Send all unsaved answers now, because the page is being hidden or closed. */
  flush() {
    this.#flush();
  }

  #enter() {
    this.#client.request({ type: "visit.enter", visit: this.id }).catch((error) => {
      if (error.code === "unavailable" || error.code === "timeout") setTimeout(() => this.#enter(), RETRY_MS);
    });
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (this.#client.status !== "open") return;
    this.#lastSave_ms = Date.now();
    for (const id of this.#unsaved) this.#save(id, this.#drafts.get(id) ?? null, false);
    this.#unsaved.clear();
  }

  /**
   * Send an answer to the server. Return false only if the patient must correct the answer.
   *
   * @param {string} step the id of the step
   * @param {Protocol.Answer} answer the patient's answer
   * @param {boolean} left true if the patient has left the step
   */
  async #save(step, answer, left) {
    try {
      await this.#client.request(
        { type: "visit.save", visit: this.id, step, answer, left },
        { timeout_ms: 60_000 },
      );
      if (left && this.#drafts.get(step) === answer) {
        if (this.info) this.info = { ...this.info, answers: { ...this.info.answers, [step]: answer } };
        this.#drafts.delete(step);
      }
      return true;
    } catch (error) {
      return this.#notSaved(error, step, left);
    } finally {
      this.#changed();
    }
  }

  /**
   * Handle an error of saving an answer: show what is wrong with the answer, or plan to send it again. Return
   * false only if the patient must correct the answer.
   *
   * @param {unknown} error the error of the request
   * @param {string} step the id of the step
   * @param {boolean} left true if the patient has left the step
   */
  #notSaved(error, step, left) {
    if (!(error instanceof SignallingError)) throw error;
    if (error.code === "invalid_answer") {
      if (left) this.#wrong(step, refusedWords(error.details?.problem));
      return false;
    }
    if (["unavailable", "timeout", "offline"].includes(error.code)) {
      if (!this.#drafts.has(step)) this.#drafts.set(step, this.info?.answers[step] ?? null);
      this.#unsaved.add(step);
      setTimeout(() => this.#flush(), RETRY_MS);
    }
    // The visit has ended, or no longer belongs to this patient. The server sends the new state separately.
    return true;
  }

  /**
   * Show what is wrong with the answer to a step.
   *
   * @param {string} id the id of the step
   * @param {string} sentence the text to show
   */
  #wrong(id, sentence) {
    this.problems.set(id, sentence);
    this.#changed();
  }

  /**
   * Set some fields of this object, and fire `change`.
   *
   * @param {Partial<Pick<PatientVisit, "visit" | "info" | "place">>} values the new values by field
   */
  #set(values) {
    Object.assign(this, values);
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
