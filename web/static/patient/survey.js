/* Draws the clinic's question after a visit: five answers in the clinic's words, and a free text. The
   question is asked once, and only after a visit that took place. */
import { html, nothing } from "../shared/lit.js";
import { ownWords } from "../shared/own_texts.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

/** @typedef {{ question: string, choices: string[], comment: string }} Survey the clinic's words */

/**
 * Draw the card with the clinic's question on the page after a visit.
 *
 * @param {Survey | null} survey the question; null if the clinic asks nothing
 * @param {Protocol.VisitPart} visit the state of the visit
 * @param {(answer: { choice: number, text: string }) => Promise<unknown>} send sends the number of the
 *   choice, from 1, and the free text; resolves when the server has stored them
 */
export function surveyCard(survey, visit, send) {
  if (!survey || (visit.outcome !== "completed" && visit.outcome !== "by_phone")) return nothing;
  if (visit.surveyed)
    return html`<section class="card" role="status"><p>${t("Thank you for your answer.")}</p></section>`;
  const submit = (/** @type {On<HTMLFormElement, SubmitEvent>} */ event) => {
    event.preventDefault();
    const { currentTarget: form, submitter } = event;
    const given = new FormData(form);
    const button = /** @type {HTMLButtonElement} */ (submitter ?? form.querySelector("button"));
    // The form stays disabled until the server sends the visit's new state, which removes the form.
    button.disabled = true;
    send({ choice: Number(given.get("choice")), text: String(given.get("text") ?? "").trim() }).catch(
      (error) => {
        button.disabled = false;
        toast(refusalWords(error), { bad: true });
      },
    );
  };
  return html`<form class="card stack survey" @submit=${submit}>
    <fieldset class="choices">
      <legend>${ownWords(survey.question)}</legend>
      ${survey.choices.map(
        (words, index) =>
          html`<label class="choice"
            ><input type="radio" name="choice" value=${index + 1} required /><span
              >${ownWords(words)}</span></label>`,
      )}
    </fieldset>
    ${
      survey.comment
        ? html`<div class="field">
            <label for="survey-text"
              >${ownWords(survey.comment)} <span class="optional">${t("(optional)")}</span></label>
            <textarea class="input" id="survey-text" name="text" rows="3" maxlength="1000"></textarea>
          </div>`
        : nothing
    }
    <p class="small quiet">${t("The clinic reads your answer. It does not change your care.")}</p>
    <p><button class="btn main">${t("Send")}</button></p>
  </form>`;
}
