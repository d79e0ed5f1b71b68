/* Draws the notice of closing time for a patient who waits: what happens to the visit then, and what the
   patient can do. */
import { clock } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";

const WORDS = inEach(
  /**
   * Return the sentences for each closing rule, for before and after closing time.
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

/**
 * Draw the notice of a closing time; draw nothing if none is near.
 *
 * @param {Protocol.PlaceState | null} place the patient's place in the queue, which may name a closing time
 * @param {{ book: string | null, leave: () => void }} ways `book`: the address at which a time can be
 *   booked, null if that is not possible; `leave()` withdraws from the queue
 */
export function closingNotice(place, ways) {
  const notice = place?.closing ? drawn(place.closing, ways) : nothing;
  return html`<div class="closing" role="status" translate="no">${notice}</div>`;
}

/**
 * Draw the notice for a closing time that is near or has passed.
 *
 * @param {Protocol.ClosingPart} closing the closing time and its rule
 * @param {{ book: string | null, leave: () => void }} ways the booking address and the function that
 *   withdraws, as for `closingNotice`
 */
function drawn({ at_ms, over, rule }, { book, leave }) {
  const time = clock(at_ms);
  const ways = [
    ...(book ? [html`<a class="btn" href=${book}>${t("Book a time")}</a>`] : []),
    ...(over && rule === "ask"
      ? [html`<button type="button" class="btn danger" @click=${leave}>${t("Leave the line")}</button>`]
      : []),
  ];
  const heading = over
    ? t("The clinic closed at {time}.", { time })
    : t("The clinic closes at {time}.", { time });
  return html`<section class="notice amber">
    <p>
      <b>${heading}</b>
      ${WORDS()[rule][Number(over)]}
    </p>
    ${ways.length ? html`<p class="row">${ways}</p>` : nothing}
  </section>`;
}
