/* Draws one step of the setup guide as a form field, according to the kind of the step, and passes on what
   the patient types. This script stores nothing. */
import { html, live, nothing } from "../shared/lit.js";
import "./device_check.js";
import { ownText, ownWords } from "../shared/own_texts.js";
import { t } from "../shared/text.js";

/**
 *
 * @typedef {object} Field
 * @property {string} id the prefix of the ids of the field's elements
 * @property {Protocol.Step} step the step of the setup guide
 * @property {Protocol.Answer | undefined} answer the present answer
 * @property {string | undefined} problem a sentence about what is wrong with the answer
 * @property {string} label the id of the heading that names the field
 * @property {import("../signalling.js").SignallingClient | null} client the connection to the server, null in
 *   a preview
 * @property {string} [phone] the patient's phone number, as it is shown
 * @property {(value: Protocol.Answer) => void} typed is called with each change
 */
/** @typedef {On<HTMLInputElement>} InputEvent an event of an input field */

/**
 * Draw the text of a consent; an empty line begins a new paragraph.
 *
 * @param {string} text the text that the clinic has written
 */
function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => html`<p>${part}</p>`);
}

/**
 * Return the ids of the help text and of the error text, for `aria-describedby`.
 *
 * @param {Field} field the field to draw
 */
function described(field) {
  return (
    [field.step.help && `${field.id}-help`, field.problem && `${field.id}-wrong`].filter(Boolean).join(" ") ||
    nothing
  );
}

const invalid = (/** @type {Field} */ field) => (field.problem ? "true" : nothing);

/**
 * Draw a field as a group of radio buttons.
 *
 * @param {Field} field the field to draw
 * @param {[value: string | boolean, label: string | Drawn][]} options the value and the label of each button
 */
function radios(field, options) {
  return html`<fieldset
    class="options"
    aria-labelledby=${field.label}
    aria-describedby=${described(field)}
    aria-invalid=${invalid(field)}>
    ${options.map(
      ([value, label], index) =>
        html`<label class="option">
          <input
            type="radio"
            name=${field.id}
            id=${index ? nothing : field.id}
            .checked=${live(field.answer === value)}
            @change=${() => field.typed(value)} />
          ${label}
        </label>`,
    )}
  </fieldset>`;
}

/**
 * Draw a consent: its text, a box to agree, and the signature if the step asks for one.
 *
 * @param {Field} field the field to draw
 */
function consent(field) {
  const { step, answer } = field;
  const { text, lang } = ownText(step.text);
  const given = {
    agreed: false,
    signature: "",
    .../** @type {Partial<AnswerOf["consent"]>} */ (answer ?? {}),
    // The stored consent names the language in which the patient has read the text.
    ...(lang ? { language: lang } : {}),
  };
  return html`<div class="stack">
    <div
      class="consent"
      lang=${lang ?? nothing}
      dir="auto"
      tabindex="0"
      role="region"
      aria-label=${t("The full text")}>
      ${paragraphs(text)}
    </div>
    <label class="option"><input
        type="checkbox"
        id=${field.id}
        .checked=${live(given.agreed)}
        aria-describedby=${described(field)}
        aria-invalid=${invalid(field)}
        @change=${(/** @type {InputEvent} */ event) =>
          field.typed({ ...given, agreed: event.target.checked })} /><span
        >${t("I have read this and I agree")}</span></label>
    <div class="field">
      <label for="${field.id}-sign">${t("Signature: your full name")}</label>
      <input
        class="input sign"
        dir="auto"
        id="${field.id}-sign"
        autocomplete="name"
        maxlength="200"
        .value=${live(given.signature)}
        aria-describedby=${described(field)}
        @input=${(/** @type {InputEvent} */ event) =>
          field.typed({ ...given, signature: event.target.value })} />
    </div>
  </div>`;
}

/**
 * @type {Record<Protocol.Step["kind"], (field: Field) => Drawn>} kind of step -> a function that draws its
 *   field
 */
const KINDS = {
  text: (field) =>
    html`<textarea
      class="input"
      dir="auto"
      id=${field.id}
      rows="4"
      maxlength="4000"
      aria-labelledby=${field.label}
      aria-describedby=${described(field)}
      aria-invalid=${invalid(field)}
      .value=${live(field.answer ?? "")}
      @input=${(/** @type {On<HTMLTextAreaElement>} */ event) =>
        field.typed(event.target.value)}></textarea>`,
  choice: (field) =>
    radios(
      field,
      field.step.options.map((option) => [option, ownWords(option)]),
    ),
  yes_no: (field) =>
    radios(field, [
      [true, t("Yes")],
      [false, t("No")],
    ]),
  date: (field) =>
    html`<input
      class="input date"
      type="date"
      id=${field.id}
      aria-labelledby=${field.label}
      aria-describedby=${described(field)}
      aria-invalid=${invalid(field)}
      .value=${live(field.answer ?? "")}
      @input=${(/** @type {InputEvent} */ event) => field.typed(event.target.value)} />`,
  consent,
  device_check: (field) =>
    html`<device-check
      .client=${field.client}
      .phone=${field.phone}
      .answer=${field.answer}
      .typed=${field.typed}></device-check>`,
};

/**
 * Draw the field of a step.
 *
 * @param {Omit<Field, "id">} options the data of the field, without its id, which is made from the step
 */
export function stepField({ step, answer, problem, label, client, phone = "", typed }) {
  const field = { id: `step-${step.id}`, step, answer, problem, label, client, phone, typed };
  const help = html`<p class="quiet" id="${field.id}-help">${ownWords(step.help)}</p>`;
  return html` ${step.help ? help : nothing}
    ${KINDS[step.kind]?.(field) ?? nothing}
    <div role="alert">
      ${problem ? html`<p class="wrong" id="${field.id}-wrong">${problem}</p>` : nothing}
    </div>`;
}
