/* Case Information as staff see it, live while the patient types: in the list and beside the call. Draws what it is given. */
import { age, dateWords, languageName, stateName } from "./format.js";
import { visibleSteps } from "./guide.js";
import { html, nothing, repeat } from "./lit.js";

const DEVICES = { camera: "Camera", microphone: "Microphone", speaker: "Speaker", network: "Network" };

const SHOWN = {
  text: (answer) => answer || null,
  choice: (answer) => answer || null,
  yes_no: (answer) => (answer === true ? "Yes" : answer === false ? "No" : null),
  date: (answer) => (answer ? dateWords(answer) : null),
  consent: (answer) => {
    if (!answer?.agreed) return null;
    return answer.signature ? html`Agreed, signed “${answer.signature}”` : "Agreed, not signed yet";
  },
  device_check: (answer) => {
    const parts = Object.entries(answer ?? {}).filter(([part]) => DEVICES[part]);
    return parts.length ? parts.map(([part, word]) => `${DEVICES[part]} ${word}`).join(" · ") : null;
  },
};

/** An answer as words, or null when there is none yet. */
export function answerWords(step, answer) {
  return answer === undefined || answer === null ? null : SHOWN[step.kind]?.(answer) ?? null;
}

function item(label, value, className = "") {
  return value ? html`<div class=${className}><dt>${label}</dt><dd>${value}</dd></div>` : nothing;
}

function answer(step, info) {
  const words = answerWords(step, info.answers[step.id]);
  const typing = info.typing === step.id;
  return html`<div class=${typing ? "typing" : ""} data-step=${step.id}>
    <dt>${step.title}${typing ? html` <span class="now">being filled in</span>` : nothing}</dt>
    <dd class=${words ? "" : "quiet"}>${words ?? (typing ? "…" : "not yet")}</dd>
  </div>`;
}

/** The whole of it. `info` is the `case` of a case.state; undefined while it loads. `now_ms` gives the age. */
export function caseInformation(info, now_ms) {
  if (!info) return html`<p class="quiet">Opening Case Information…</p>`;
  const { patient } = info;
  const years = age(patient.birth_date, now_ms);
  const steps = visibleSteps(info.steps, (id) => info.answers[id]);
  return html`<dl class="case">
    ${item("Patient", patient.name)}
    ${item("Reason", patient.reason)}
    ${item("Date of birth", html`${dateWords(patient.birth_date)}${years === null ? nothing : html` <span class="quiet">(${years} years)</span>`}`)}
    ${item("State", stateName(patient.state))}
    ${item("Phone", patient.phone && html`<a href="tel:${patient.phone.replace(/[^+\d]/g, "")}">${patient.phone}</a>`)}
    ${item("Email", patient.email)}
    ${item("Language", languageName(patient.language))}
    ${item("Filled in by", patient.filled_in_by)}
  </dl>
  <h3 class="of-case">Setup guide <span class="quiet num">${info.guide_done ? "· complete" : `· step ${Math.min(info.step || 1, steps.length)} of ${steps.length}`}</span></h3>
  <dl class="case">${repeat(steps, (step) => step.id, (step) => answer(step, info))}</dl>`;
}
