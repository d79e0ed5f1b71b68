/* Draws the waiting room, and the page after a visit. */
import { answerWords } from "../shared/case.js";
import { chatView, words } from "../shared/chat.js";
import { clock, initials, minutes, onCallWords, placeWords, waitWords } from "../shared/format.js";
import { html, nothing, svg } from "../shared/lit.js";
import { ownText, ownWords } from "../shared/own_texts.js";
import { refusalWords } from "../shared/refusals.js";
import { inEach, t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

/**
 * Draw a ring around the place in the queue. The ring is full for the patient who is next, and less full for
 * patients further back in the queue. The text beside the ring also has the place.
 *
 * @param {number | null} place the place in the queue, from 1, or null
 * @param {number} waiting the number of patients who wait
 * @param {string} within the word inside the ring
 */
function ring(place, waiting, within) {
  const share = place ? Math.max(0.08, 1 - (place - 1) / Math.max(waiting, place)) : 0;
  const length = 2 * Math.PI * 60;
  return html`<svg class="ring breathe" viewBox="0 0 132 132" aria-hidden="true">
    <circle class="track" cx="66" cy="66" r="60"></circle>
    ${svg`<circle class="share" cx="66" cy="66" r="60" transform="rotate(-90 66 66)"
      stroke-dasharray="${length * share} ${length}"></circle>`}
    <text x="66" y="66" text-anchor="middle" dominant-baseline="central">${within}</text>
  </svg>`;
}

/**
 * Return the sentence for a patient who has returned to the queue.
 *
 * @param {Protocol.VisitPart["taking_over"]} next the colleague to whom the patient was handed over; absent
 *   if the patient was not handed over
 */
export function backWords(next) {
  return next
    ? t("{name} will take over. Nobody sees or hears you now.", next)
    : t("You are back in line, at your old place. Nobody sees or hears you now.");
}

/**
 * Return the place and the wait in one line, for the top of the setup guide, such as "You are second in line.
 * Usually 4 to 9 minutes from here."
 *
 * @param {Protocol.PlaceState | null} place the place in the queue; null until the server has sent it
 * @param {Protocol.VisitPart["taking_over"]} next the colleague to whom the patient was handed over; absent
 *   if there is none
 */
export function placeLine(place, next) {
  if (next) return t("{name} will take over", next);
  if (!place) return t("You are in line");
  return [placeWords(place.place), waitWords(place.wait_low_ms, place.wait_high_ms)]
    .filter(Boolean)
    .join(". ");
}

const WORKS = inEach(
  /**
   * Return the words for each result of the device check.
   *
   * @returns {Record<string, string>}
   */ () => ({
    on: t("Works"),
    good: t("Good"),
    fair: t("Fair"),
    poor: t("Poor"),
    "not heard": t("Not heard"),
  }),
);

/**
 * Draw the list of what is ready for the call. The list is made from the results of the device check and the
 * state of the setup guide.
 *
 * @param {import("./visit.js").PatientVisit} state the patient's visit in this browser
 */
function readiness(state) {
  const step = state.steps.find(({ kind }) => kind === "device_check");
  const checked = /** @type {AnswerOf["device_check"]} */ ((step && state.answer(step.id)) || {});
  const rows = [
    { name: t("Camera"), word: checked.camera },
    { name: t("Microphone"), word: checked.microphone },
    { name: t("Speaker"), word: checked.speaker },
    { name: t("Network"), word: checked.network },
  ];
  return html`<ul role="list" class="stack ready">
    ${rows.map(
      ({ name, word }) =>
        word &&
        html`<li class="row apart">
          <span>${name}</span>
          <span class="chip ${["on", "good", "fair"].includes(word) ? "" : "amber"}"
            >${WORKS()[word] ?? t("Does not work")}</span>
        </li>`,
    )}
    <li class="row apart"><span>${t("Setup guide")}</span><span class="chip">${t("Complete")}</span></li>
  </ul>`;
}

/**
 * Return true if a waiting patient may write. Staff must have written, and the patient must have sent fewer
 * than `most` messages since.
 *
 * @param {Protocol.ChatMessagePart[]} lines the messages
 * @param {number} most the number of messages that the patient may write until staff write again
 */
export function mayWrite(lines, most) {
  const last = lines.findLastIndex(({ party }) => party === "staff");
  return last >= 0 && lines.length - 1 - last < most;
}

/**
 * Draw the messages of staff to a waiting patient: the whole conversation if the patient may answer,
 * otherwise the newest message. Draw nothing if there are none.
 *
 * @param {import("../shared/chat.js").Chat} chat the conversation with staff
 * @param {number} most the number of messages that the patient may write until staff write again
 */
export function messages(chat, most) {
  const all = chat.lines.filter(({ party }) => party !== "patient");
  if (most && all.some(({ party }) => party === "staff"))
    return html`<section class="card stack talk">
      <h2>${t("Messages")}</h2>
      ${chatView(chat, {
        may: mayWrite(chat.lines, most),
        failed: (error) => toast(refusalWords(error), { bad: true }),
        hint: t("Staff have your messages. You can write again when they have answered."),
      })}
    </section>`;
  const theirs = all.slice(-3).reverse();
  if (!theirs.length) return nothing;
  return html`<section class="card stack" aria-label=${t("Messages")}>
    ${theirs.map(
      (line) =>
        html`<div class="msg">
          <b>${t("Message from {name}", { name: line.name })} ·
            <span class="num">${clock(line.at_ms)}</span></b>
          ${words(line)}
        </div>`,
    )}
  </section>`;
}

/**
 * Return an answer as words, for the list of answers in the waiting room. A chosen option is in the language
 * of the page.
 *
 * @param {Protocol.Step} step the step of the setup guide
 * @param {Protocol.Answer | undefined} answer the patient's answer, if there is one
 */
function answered(step, answer) {
  const words = answerWords(step, answer);
  if (words === null) return t("No answer");
  return step.kind === "choice" ? ownWords(words) : html`<bdi>${words}</bdi>`;
}

/**
 * Draw the waiting room.
 *
 * @param {{
 *   state: import("./visit.js").PatientVisit,
 *   visit: Protocol.VisitPart,
 *   act: { leave: () => void, step: (step: Protocol.Step) => void },
 *   organisation: Organisation,
 *   written: Drawn,
 *   photos: import("./photos.js").Photos,
 *   phone: import("./phone.js").Phone,
 *   contact: import("./contact.js").ContactChoice,
 * }} options `state`: the visit in this browser; `act`: functions that withdraw and that open a step;
 *   `written`: the drawn messages of staff; `photos`, `phone` and `contact`: the cards with these names
 */
export function waitingRoom({ state, visit, act, organisation, written, photos, phone, contact }) {
  const { place } = state;
  const next = visit.taking_over;
  const wait = waitWords(place?.wait_low_ms, place?.wait_high_ms);
  const check = state.steps.find(({ kind }) => kind === "device_check");
  return html` <section class="card place">
      ${
        next
          ? ring(1, 1, initials(next.name))
          : ring(place?.place ?? null, place?.waiting ?? 1, String(place?.place ?? "…"))
      }
      <div role="status" class="stack" translate="no">
        <h1 tabindex="-1" data-focus>
          ${next ? t("{name} will take over", next) : placeWords(place?.place)}
        </h1>
        <p class="quiet num">
          ${
            next
              ? t("You were handed over to a colleague, who knows that you are waiting.")
              : html`${wait ? `${wait}. ` : nothing}${place ? `${onCallWords(place.on_call)}.` : nothing}`
          }
        </p>
      </div>
      ${visit.area ? html`<p>${t("You wait for {area}.", { area: visit.area.name })}</p>` : nothing}
      <p class="small quiet num">
        ${t("You have been in line since {time}, when you opened the setup guide.", {
          time: clock(visit.arrived_ms),
        })}
      </p>
    </section>
    ${written}
    <section class="notice">
      <p>
        <b>${t("You may lock this phone or close this page.")}</b>
        ${t(
          "Your place is kept: open {name}’s page again in this browser and you are back here. Nobody " +
            "sees or hears you until you press Start Session.",
          organisation,
        )}
      </p>
      ${contact.view(state.info)}
    </section>
    <section class="card stack">
      <h2>${t("Photos")}</h2>
      ${photos.view(state.info?.photos ?? [])}
    </section>
    ${phone.view()}
    <section class="card stack">
      <h2>${t("You are ready")}</h2>
      ${readiness(state)}
      <details class="review">
        <summary>${t("Your answers")}</summary>
        <dl>
          ${state.steps.map(
            (step) =>
              html`<div>
                <dt>${ownWords(step.title)}</dt>
                <dd>
                  ${answered(step, state.answer(step.id))}
                  <button
                    type="button"
                    class="btn plain"
                    aria-label=${t("Change: {step}", { step: ownText(step.title).text })}
                    @click=${() => act.step(step)}>
                    ${t("Change")}
                  </button>
                </dd>
              </div>`,
          )}
        </dl>
      </details>
    </section>
    <div class="row apart">
      ${
        check
          ? html`<button type="button" class="btn" @click=${() => act.step(check)}>
              ${t("Check devices")}
            </button>`
          : html`<span></span>`
      }
      <button type="button" class="btn danger" @click=${act.leave}>${t("Leave the line")}</button>
    </div>`;
}

/** @typedef {NonNullable<Protocol.VisitPart["outcome"]>} Outcome how a visit ended */
/**
 * @type {Record<Outcome, (visit: Protocol.VisitPart, mails: boolean) => [heading: string, text: string]>}
 *   how a visit ended -> the heading and the text for the patient; `mails`: true if the clinic sends mails
 */
const ENDINGS = {
  completed: (visit) => [
    t("Your visit is over"),
    !visit.claimant
      ? t("Thank you for coming.")
      : visit.talked_ms
        ? t("You saw {name}, for {time}.", { name: visit.claimant.name, time: minutes(visit.talked_ms) })
        : t("You saw {name}.", visit.claimant),
  ],
  by_phone: ({ claimant }) => [
    t("Your visit is over"),
    claimant ? t("{name} saw you by phone.", claimant) : t("It was held by phone."),
  ],
  declined: (visit, mails) => [
    t("This visit could not take place"),
    visit.reason ||
      (mails
        ? t("The clinic declined this request. You also get an email.")
        : t("The clinic declined this request.")),
  ],
  withdrawn: ({ claimant }) =>
    claimant
      ? [
          t("You have left the visit"),
          t("{name} is told so. You can come back with Meet Now at any time.", claimant),
        ]
      : [
          t("You have left the line"),
          t("Your place was given up, as you wished. You can come back with Meet Now at any time."),
        ],
  closed: () => [
    t("The clinic has closed"),
    t("Nobody could see you before closing time. We are sorry. The clinic’s page says when it opens again."),
  ],
  expired: () => [
    t("This visit has expired"),
    t("Nobody could take it in the time the clinic allows. We are sorry. You can ask again with Meet Now."),
  ],
};

/**
 * Return words for the patient about how the visit ended.
 *
 * @param {Protocol.VisitPart} visit the state of the visit
 * @param {boolean} mails true if the server can send mails (SMTP is configured)
 */
export const endingWords = (visit, mails) =>
  (ENDINGS[visit.outcome ?? "completed"] ?? ENDINGS.completed)(visit, mails);

/**
 * Draw the page after a visit.
 *
 * @param {{
 *   visit: Protocol.VisitPart,
 *   organisation: Organisation,
 *   home: string,
 *   book: string | null,
 *   mails: boolean,
 * }} options `home`: the address of the organisation's first page; `book`: the address at which a time can be
 *   booked, null if that is not possible; `mails`: true if the server can send mails (SMTP is configured)
 */
export function afterVisit({ visit, organisation, home, book, mails }) {
  const [heading, text] = endingWords(visit, mails);
  return html`<section class="card stack after">
    ${
      visit.outcome === "completed" || visit.outcome === "by_phone"
        ? html`<span class="mark large" aria-hidden="true">✓</span>`
        : nothing
    }
    <h1 tabindex="-1" data-focus>${heading}</h1>
    <p dir="auto">${text}</p>
    ${
      visit.ended_ms
        ? html`<p class="small quiet num">
            ${t("Ended at {time}. Camera and microphone are off.", {
              time: clock(visit.ended_ms),
            })}
          </p>`
        : nothing
    }
    <p class="row">
      ${
        book && visit.outcome === "closed"
          ? html`<a class="btn main" href=${book}>${t("Book a time")}</a>`
          : nothing
      }
      <a class="btn ${book && visit.outcome === "closed" ? "" : "main"}" href=${home}
        >${t("Back to {name}", organisation)}</a>
    </p>
  </section>`;
}
