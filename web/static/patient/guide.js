/* Draws the setup guide, one page for each step, and calls a function with the step to which the patient
   wants to go. This script stores no answer. */
import { html, keyed, nothing } from "../shared/lit.js";
import { ownWords } from "../shared/own_texts.js";
import { inEach, t } from "../shared/text.js";
import { stepField } from "./steps.js";

/**
 *
 * @typedef {object} GuideState the data of a visit that the guide needs; the builder's preview makes such
 *   data too
 * @property {Protocol.Step[]} steps the steps to show, in their order
 * @property {"saved" | "saving" | "waiting" | ""} saving the state of saving; `waiting`: until the connection
 *   is back; "" in a preview
 * @property {Map<string, string>} problems step id -> the sentence about what is wrong with its answer
 * @property {string} [phone] the patient's phone number, as it is shown
 * @property {(id: string) => Protocol.Answer | undefined} answer returns the present answer to a step
 * @property {(id: string, value: Protocol.Answer) => void} type keeps what the patient has typed or chosen
 */
/**
 *
 * @typedef {(to: Protocol.Step | "done", how: { forward: boolean }) => void} Go goes to a step, or ends the
 *   guide; `forward`: false if the patient goes back
 */

const SAVED = inEach(() => ({
  saved: t("All answers are saved"),
  saving: t("Saving…"),
  waiting: t("Not connected: your answers are kept here and sent when the connection is back"),
  // A preview sends nothing, so it shows no state of saving.
  "": "",
}));

/**
 * Draw the line above the step, with the number of the step and whether the answers are saved.
 *
 * @param {GuideState} state the data of the visit
 * @param {number} index the position of the step among the steps, from 0
 */
function progress(state, index) {
  const { steps } = state;
  return html`<div class="progress">
    <div class="row apart small">
      <b class="num">${t("Step {step} of {steps}", { step: index + 1, steps: steps.length })}</b
      ><span class="quiet saved" data-saving=${state.saving}>${SAVED()[state.saving]}</span>
    </div>
    <progress max=${steps.length} .value=${index + 1} aria-label=${t("Setup guide")}></progress>
  </div>`;
}

/**
 * Draw a step with its buttons Back and Next.
 *
 * @param {{
 *   state: GuideState,
 *   client: import("../signalling.js").SignallingClient | null,
 *   step: Protocol.Step,
 *   heading?: 1 | 2 | 3,
 *   busy: boolean,
 *   go: Go,
 *   finished: boolean,
 * }} options `client`: the connection, null in a preview; `heading`: the level of the heading, 1 on a page of
 *   its own and 2 beside the call; `busy`: true while an answer is being checked; `go()` is called when the
 *   patient has left the step; `finished`: true if the patient has finished the guide before
 */
export function guideStep({ state, client, step, heading = 1, busy, go, finished }) {
  const index = state.steps.indexOf(step);
  const last = index === state.steps.length - 1;
  const label = `title-${step.id}`;
  const back = index > 0 ? state.steps[index - 1] : null;
  const asked = html`${ownWords(step.title)}${
    step.required ? nothing : html` <span class="optional">${t("(optional)")}</span>`
  }`;
  const title =
    heading === 1
      ? html`<h1 id=${label} tabindex="-1" data-focus>
          ${asked}
        </h1>`
      : html`<h2 id=${label} tabindex="-1" data-focus>
          ${asked}
        </h2>`;
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (busy) return;
    // The steps are read again here, because the newest answer may have added or removed a step.
    const { steps } = state;
    go(steps[steps.findIndex(({ id }) => id === step.id) + 1] ?? "done", { forward: true });
  };
  return html`${progress(state, index)}
    <form class="card stack step" novalidate @submit=${submit}>
      ${keyed(
        step.id,
        html`${title}
        ${stepField({
          step,
          answer: state.answer(step.id),
          problem: state.problems.get(step.id),
          label,
          client,
          phone: state.phone,
          typed: (value) => state.type(step.id, value),
        })}`,
      )}
      <div class="row apart moves">
        ${
          back
            ? html`<button type="button" class="btn" @click=${() => go(back, { forward: false })}>
                ${t("Back")}
              </button>`
            : nothing
        }
        <button class="btn main big" aria-disabled=${busy ? "true" : "false"}>
          ${last ? (finished ? t("Done") : t("Finish")) : t("Next")}
        </button>
      </div>
    </form>`;
}
