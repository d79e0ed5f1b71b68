/* Draws one step of the setup guide as a field, by its kind, and reports typed text. It stores nothing. */
import { html, live, nothing } from "../shared/lit.js";
import "./device_check.js";
import { ownText, ownWords } from "../shared/own_texts.js";
import { t } from "../shared/text.js";

/**
 * @typedef {object} Field
 * @property {string} id
 * @property {Protocol.Step} step
 * @property {Protocol.Answer | undefined} answer
 * @property {string | undefined} problem a sentence about what is wrong with the answer
 * @property {string} label the id of the heading that names the field
 * @property {import("../signalling.js").SignallingClient | null} client
 * @property {string} [phone] the patient's phone number, as it is shown
 * @property {(value: Protocol.Answer) => void} typed is called with each change
 */
/** @typedef {On<HTMLInputElement>} InputEvent */

/**
 * Draw the text of a consent; an empty line begins a new paragraph.
 *
 * @param {string} text
 */
function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => html`<p>${part}</p>`);
}

/** @param {Field} field */
function described(field) {
  return (
    [field.step.help && `${field.id}-help`, field.problem && `${field.id}-wrong`].filter(Boolean).join(" ") ||
    nothing
  );
}

const invalid = (/** @type {Field} */ field) => (field.problem ? "true" : nothing);

/**
 * @param {Field} field
 * @param {[value: string | boolean, label: string | Drawn][]} options
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

/** @param {Field} field */
function consent(field) {
  const { step, answer } = field;
  const { text, lang } = ownText(step.text);
  const given = {
    agreed: false,
    signature: "",
    .../** @type {Partial<AnswerOf["consent"]>} */ (answer ?? {}),
    // The record keeps the language in which the text was read.
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

/** @type {Record<Protocol.Step["kind"], (field: Field) => Drawn>} */
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
 * @param {Omit<Field, "id">} options
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
