/* Draws the notice about the clinic's closing time for a patient who waits: what happens to the visit at that
   time, and what the patient can do. */
import { clock, moment } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";

const WORDS = inEach(
  /**
   * Return the sentences for each closing rule (what happens to waiting visits): one for the time before
   * closing time, and one for the time after it.
   *
   * @returns {Record<Protocol.ClosingPart["rule"], [before: string, after: string]>}
   */ () => ({
    keep: [t("If you still wait then, your place is kept."), t("You are still in line: your place is kept.")],
    ask: [
      t("If you still wait then, you can stay or leave."),
      t("You are still in line. Do you want to stay? Staff know that you wait, but may not see you today."),
    ],
    end: [
      t("If nobody has seen you by then, your visit ends."),
      t("Your visit ends in a moment, unless somebody takes it now."),
    ],
  }),
);

const ASK_MS = 20_000;

/** The notice of a closing time, with the next time that can be booked. */
export class Closing {
  #boot;
  #leave;
  #redraw;
  /** @type {number | null} the next time that can be booked, in ms since 1970; null if none is known */
  #next_ms = null;
  /**
   * @type {boolean | null} null before the page has asked the server for `#next_ms`; otherwise whether
   *   closing time had passed at the newest request. The page asks once before and once after closing time
   */
  #asked = null;

  /**
   * Prepare the notice; the server has not been asked for the next time yet.
   *
   * @param {Pick<VisitBoot, "book" | "next_time">} boot `book`: the address of the page to book a time;
   *   `next_time`: the address at which the server answers with the next time that can be booked
   * @param {() => void} leave withdraws from the queue
   * @param {() => void} redraw draws the page again
   */
  constructor(boot, leave, redraw) {
    this.#boot = boot;
    this.#leave = leave;
    this.#redraw = redraw;
  }

  /**
   * Draw the notice; draw nothing if no closing time is near.
   *
   * @param {Protocol.PlaceState | null} place the patient's place in the queue, with the closing time if it
   *   is near or has passed
   */
  view(place) {
    const closing = place?.closing;
    if (closing && this.#boot.book && this.#asked !== closing.over) {
      this.#asked = closing.over;
      this.#ask();
    }
    return html`<div class="closing" role="status" translate="no">${
      closing ? this.#notice(closing) : nothing
    }</div>`;
  }

  /** Ask the server for the next time to book, and draw it. Without an answer, link to the calendar. */
  async #ask() {
    try {
      const answer = await fetch(this.#boot.next_time, { signal: AbortSignal.timeout(ASK_MS) });
      this.#next_ms = answer.ok ? (await answer.json()).starts_ms : null;
    } catch {
      this.#next_ms = null;
    }
    this.#redraw();
  }

  /**
   * Draw the notice of one closing time.
   *
   * @param {Protocol.ClosingPart} closing the closing time and its rule
   */
  #notice({ at_ms, over, rule }) {
    const { book } = this.#boot;
    const ways = [
      ...(book ? [html`<a class="btn" href=${book}>${t("Book a time")}</a>`] : []),
      ...(over && rule === "ask"
        ? [
            html`<button type="button" class="btn danger" @click=${this.#leave}>
              ${t("Leave the line")}
            </button>`,
          ]
        : []),
    ];
    const heading = over
      ? t("The clinic is closed.")
      : t("The clinic closes at {time}.", { time: clock(at_ms) });
    return html`<section class="notice amber">
      <p>
        <b>${heading}</b>
        ${WORDS()[rule][Number(over)]}
        ${
          this.#next_ms === null
            ? nothing
            : t("The next time that you can book is {time}.", { time: moment(this.#next_ms) })
        }
      </p>
      ${ways.length ? html`<p class="row">${ways}</p>` : nothing}
    </section>`;
  }
}
