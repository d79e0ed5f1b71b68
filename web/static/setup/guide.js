/* Makes the builder of the setup guide faster: the buttons that add, move and remove a step change the form
   without loading the page again. Beside the form it shows the guide as a patient sees it, drawn by the same
   code. Without this script the buttons reload the page. */
import "../staff/page.js";

import { problemOf } from "../patient/answers.js";
import { guideStep } from "../patient/guide.js";
import { visibleSteps } from "../shared/guide.js";
import { html, render } from "../shared/lit.js";
import { one } from "../shared/page.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control a field of the form */

const panel = one("#preview", HTMLElement);
const place = one("#preview-step", HTMLElement);
const form = () => one("#guide-form", HTMLFormElement);

/** @type {Record<string, Protocol.Answer>} step id -> the answer that was typed into the preview */
let answers = {};
/** @type {string | null} the id of the step in the preview; null for the first step */
let at = null;
let ended = false;
/* True if the form differs from what the server has stored. When the page is loaded, it differs only if the
   server has refused the form and shows it again. */
let unsaved = document.querySelector("#errors") !== null;

/**
 * Return the text of one field of a step, without spaces at its ends.
 *
 * @param {HTMLElement} step the part of the form with the step
 * @param {string} name the name of the field without the step's id
 */
function value(step, name) {
  /** @type {Control | null} the field; null if the step has none with this name */
  const field = step.querySelector(`[name="${step.dataset.step}-${name}"]`);
  return field?.value.trim() ?? "";
}

/**
 * Return the condition under which a step is asked, as patients' pages get it; null if there is none.
 *
 * @param {string} text the content of the field "asked only if", such as "step:yes" or "step:=option"
 */
function condition(text) {
  const [, step, answer] = /^([^:]+):(.*)$/.exec(text) ?? [];
  if (!step) return null;
  return { step, answer: answer === "yes" ? true : answer === "no" ? false : answer.slice(1) };
}

/**
 * Return the steps that the form describes now.
 *
 * @returns {Protocol.Step[]}
 */
function steps() {
  /** @type {Iterable<HTMLElement>} the parts of the form, one for each step */
  const found = form().querySelectorAll("[data-step]");
  return [...found].map((step) => ({
    id: step.dataset.step ?? "",
    kind: /** @type {Protocol.Step["kind"]} */ (step.dataset.kind),
    title: value(step, "title") || "…",
    help: value(step, "help"),
    required: one("[type=checkbox]", HTMLInputElement, step).checked,
    options: value(step, "options")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
    text: value(step, "text"),
    only_if: condition(value(step, "only_if")),
  }));
}

/**
 * @type {Map<string, string>} step id -> the sentence about what is wrong with the answer in the preview
 */
const problems = new Map();
/**
 * @type {import("../patient/guide.js").GuideState} the guide that the preview shows, as the data that the
 *   script of the patient's page draws
 */
const state = {
  // A preview sends nothing, so it shows no state of saving.
  saving: "",
  problems,
  get steps() {
    return visibleSteps(steps(), (id) => answers[id]);
  },
  answer: (id) => answers[id],
  type(id, typed) {
    answers = { ...answers, [id]: typed };
    problems.delete(id);
    draw();
  },
};

/**
 * Go to another step of the preview, unless the answer of the present step is wrong.
 *
 * @param {Protocol.Step} step the present step
 * @param {Protocol.Step | "done"} to the step to go to, or "done" after the last step
 * @param {boolean} forward true if the person goes to a later step
 */
function go(step, to, forward) {
  const wrong = forward ? problemOf(step, answers[step.id] ?? null) : null;
  if (wrong) problems.set(step.id, wrong);
  else {
    ended = to === "done";
    at = to === "done" ? null : to.id;
  }
  draw();
}

/**
 * Return a copy of a device check step for the preview. The copy has no field; it shows a text about the
 * device check.
 *
 * @param {Protocol.Step} step the step of the setup guide
 */
const textStepOf = (step) =>
  /** @type {Protocol.Step} */ (
    /** @type {unknown} */ ({ ...step, kind: "told", help: place.dataset.device })
  );

function draw() {
  const asked = state.steps;
  if (!asked.length) return render(html``, place);
  if (ended) return render(html`<p class="notice" role="status">${place.dataset.end}</p>`, place);
  const step = asked.find(({ id }) => id === at) ?? asked[0];
  // The camera stays off here, because the preview only describes a device check.
  const shown = step.kind === "device_check" ? textStepOf(step) : step;
  const drawn = { ...state, steps: asked.map((other) => (other.id === step.id ? shown : other)) };
  return render(
    guideStep({
      state: drawn,
      client: null,
      step: shown,
      heading: 3,
      busy: false,
      finished: false,
      go: (to, { forward }) => go(step, to, forward),
    }),
    place,
  );
}

/**
 * Return the fields of the form that a person can fill in.
 *
 * @returns {Control[]}
 */
const fields = () =>
  [.../** @type {Iterable<Control>} */ (form().elements)].filter(
    ({ name, type }) => name && !["hidden", "submit", "button"].includes(type),
  );

/** Return the content of a field: its text; for a checkbox, true if it is ticked, otherwise false. */
const contentOf = (/** @type {Control} */ field) =>
  field instanceof HTMLInputElement && field.type === "checkbox" ? field.checked : field.value;

/**
 * Give a field the content of another field.
 *
 * @param {Control} field the field
 * @param {string | boolean} content a text, or true if it is ticked
 */
function fill(field, content) {
  if (typeof content === "string") field.value = content;
  else if (field instanceof HTMLInputElement) field.checked = content;
}

/**
 * Draw the form as the server has returned it, and focus the element that the server names. Text that was
 * typed after the form was sent is kept.
 *
 * @param {string} text the HTML of the page with the form
 * @param {Map<string, string | boolean>} sent the name of each field -> its content when the form was sent
 */
function take(text, sent) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.querySelector("#guide-form");
  if (!fresh) return location.reload();
  const typed = fields().filter((field) => sent.has(field.name) && sent.get(field.name) !== contentOf(field));
  const writing = typed.find((field) => field === document.activeElement)?.name;
  form().replaceWith(document.adoptNode(fresh));
  unsaved = true;
  for (const field of fields()) {
    const before = typed.find(({ name }) => name === field.name);
    if (!before) continue;
    fill(field, contentOf(before));
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const focus = writing ? form().elements.namedItem(writing) : form().querySelector("[autofocus]");
  if (focus instanceof HTMLElement) {
    focus.focus();
    focus.scrollIntoView({ block: writing ? "nearest" : "center" });
  }
  draw();
}

/**
 * Send the form with a pressed button, and draw the server's answer. If that fails, load the whole page,
 * which shows the error.
 *
 * @param {string} action the value of the button
 */
async function press(action) {
  const sent = new Map(fields().map((field) => [field.name, contentOf(field)]));
  const entries = [...new FormData(form())].map(([name, content]) => [name, String(content)]);
  const body = new URLSearchParams(entries);
  body.append("do", action);
  try {
    const answer = await fetch(form().action, { method: "POST", body });
    if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
    take(await answer.text(), sent);
  } catch {
    unsaved = false;
    const pressed = document.createElement("input");
    [pressed.type, pressed.name, pressed.value] = ["hidden", "do", action];
    form().append(pressed);
    form().submit();
  }
}

/* The buttons' actions run one after another, because each action changes the form that the previous action
   has returned. */
let pressing = Promise.resolve();
document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  const action = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "save";
  if (action === "save") {
    unsaved = false;
    return;
  }
  event.preventDefault();
  pressing = pressing.then(() => press(action));
});
document.addEventListener("input", ({ target }) => {
  const field = /** @type {Control} */ (target);
  if (!form().contains(field)) return;
  unsaved = true;
  /** @type {HTMLElement | null} the part of the form with the step of the changed field */
  const step = field.closest("[data-step]");
  if (step && field.id === `${step?.dataset.step}-title`) {
    for (const place of step.querySelectorAll("[data-title]")) place.textContent = field.value;
  }
  draw();
});
one("#preview-again", HTMLButtonElement).addEventListener("click", () => {
  [answers, at, ended] = [{}, null, false];
  problems.clear();
  draw();
});
document.addEventListener("click", ({ target }) => {
  if (target instanceof Element && target.closest("[data-drop]")) unsaved = false;
});
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
panel.hidden = false;
draw();
