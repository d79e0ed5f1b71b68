/* Draws Case Information as staff see it, in the list and beside the call. The drawn answers change while the
   patient types. */
import { contactWords } from "./contacts.js";
import { age, dateWords, languageName, stateName, telLink } from "./format.js";
import { visibleSteps } from "./guide.js";
import { html, nothing, repeat } from "./lit.js";
import { photoList } from "./photos.js";
import { inEach, t, tn } from "./text.js";

const DEVICES = inEach(
  /**
   * Return the words for each result of the device check.
   *
   * @returns {Record<string, string>}
   */ () => ({
    camera: t("Camera"),
    microphone: t("Microphone"),
    speaker: t("Speaker"),
    network: t("Network"),
  }),
);
const DEVICE_WORDS = inEach(
  /**
   * Return the words for each answer of a yes/no step.
   *
   * @returns {Record<string, string>}
   */ () => ({
    on: t("works"),
    good: t("good"),
    fair: t("fair"),
    poor: t("poor"),
    "not heard": t("not heard"),
    denied: t("not allowed"),
    system: t("not allowed"),
    silent: t("switched off"),
    missing: t("none"),
    busy: t("in use elsewhere"),
    insecure: t("not allowed"),
    unsupported: t("not in this browser"),
    failed: t("does not work"),
    blocked: t("blocks video"),
  }),
);

/**
 * @type {{ [Kind in keyof AnswerOf]: (answer: AnswerOf[Kind] | undefined) => string | null }} kind of step
 *   -> a function that returns an answer in words, or null if there is none
 */
const SHOWN = {
  text: (answer) => answer || null,
  choice: (answer) => answer || null,
  yes_no: (answer) => (answer === true ? t("Yes") : answer === false ? t("No") : null),
  date: (answer) => (answer ? dateWords(answer) : null),
  consent: (answer) => {
    if (!answer?.agreed) return null;
    if (!answer.signature) return t("Agreed, not signed yet");
    const signed = t("Agreed, signed “{name}”", { name: answer.signature });
    return answer.language
      ? `${signed} · ${t("read in {language}", { language: languageName(answer.language) })}`
      : signed;
  },
  device_check: (answer) => {
    const parts = Object.entries(answer ?? {}).filter(([part]) => DEVICES()[part]);
    return parts.length
      ? parts.map(([part, word]) => `${DEVICES()[part]}: ${DEVICE_WORDS()[word] ?? word}`).join(" · ")
      : null;
  },
};

/**
 * Return an answer as words, or null if there is none yet.
 *
 * @param {Protocol.Step} step the step of the setup guide
 * @param {Protocol.Answer | undefined} answer the patient's answer, if there is one
 */
export function answerWords(step, answer) {
  const words = /** @type {(answer: Protocol.Answer) => string | null} */ (SHOWN[step.kind]);
  return answer === undefined || answer === null ? null : (words?.(answer) ?? null);
}

/**
 * Draw a text that a person wrote, inside <bdi>, so that its writing direction does not change the text
 * around it.
 *
 * @param {string | null} text the text, or null
 */
const named = (text) => (text ? html`<bdi>${text}</bdi>` : null);

/**
 * Draw a label with its value, in an element with this CSS class; draw nothing if there is no value.
 *
 * @param {string} label the text that names the value
 * @param {Drawn | string | null} value the value, or null
 */
function item(label, value, className = "") {
  return value
    ? html`<div class=${className}>
        <dt>${label}</dt>
        <dd>${value}</dd>
      </div>`
    : nothing;
}

/**
 * Draw the answer to one step, and whether the patient is typing it now.
 *
 * @param {Protocol.Step} step the step of the setup guide
 * @param {Protocol.CasePart} info the patient's Case Information
 */
function answer(step, info) {
  const words = answerWords(step, info.answers[step.id]);
  const typing = info.typing === step.id;
  return html`<div class=${typing ? "typing" : ""} data-step=${step.id}>
    <dt><bdi>${step.title}</bdi>${
      typing ? html` <span class="now">${t("being filled in")}</span>` : nothing
    }</dt>
    <dd dir="auto" class=${words ? "" : "quiet"}>${
      words ?? (typing ? "…" : info.guide_done ? t("not answered") : t("not yet"))
    }</dd>
  </div>`;
}

/**
 * Draw all of Case Information.
 *
 * @param {Protocol.CasePart | undefined} info the patient's data; undefined while they load
 * @param {number} now_ms the time now, in ms since 1970, for which the age is calculated
 * @param {((photo: Protocol.PhotoPart) => void) | null} remove removes a photo; null if the reader may not do
 *   that
 */
export function caseInformation(info, now_ms, remove = null) {
  if (!info) return html`<p class="quiet">${t("Opening Case Information…")}</p>`;
  const { patient } = info;
  const years = age(patient.birth_date, now_ms);
  const steps = visibleSteps(info.steps, (id) => info.answers[id]);
  return html`<dl class="case">
      ${item(t("Patient"), named(patient.name))} ${item(t("Reason"), named(patient.reason))}
      ${item(
        t("Date of birth"),
        html`${dateWords(patient.birth_date)}${
          years === null ? nothing : html` <span class="quiet">(${tn("{n} year", "{n} years", years)})</span>`
        }`,
      )}
      ${item(t("Region"), stateName(patient.state))}
      ${item(
        t("Phone"),
        patient.phone &&
          html`<a href=${telLink(patient.phone)} dir="ltr">${patient.phone_shown || patient.phone}</a>`,
      )}
      ${item(t("Email"), named(patient.email))} ${item(t("Language"), languageName(patient.language))}
      ${item(t("Filled in by"), named(patient.filled_in_by))}
      ${item(t("Written to, as they were away"), (info.contacts ?? []).map(contactWords).join(" · "))}
    </dl>
    ${
      info.photos.length
        ? html`<h3 class="of-case">${t("Photos")}</h3>
            ${photoList(info.photos, remove)}`
        : nothing
    }
    <h3 class="of-case">
      ${t("Setup guide")}
      <span class="quiet num"
        >${
          info.guide_done
            ? t("· complete")
            : t("· step {step} of {steps}", {
                step: Math.min(info.step || 1, steps.length),
                steps: steps.length,
              })
        }</span
      >
    </h3>
    <dl class="case">
      ${repeat(
        steps,
        (step) => step.id,
        (step) => answer(step, info),
      )}
    </dl>`;
}
