/* The setup guide's builder made smooth: the buttons that add, move and remove a step change the form in
   place, and beside it stands the guide as a patient sees it, drawn by the patient's own code. Without this
   script the same buttons reload the page. */

import { problemOf } from "../patient/answers.js";
import { guideStep } from "../patient/guide.js";
import { visibleSteps } from "../shared/guide.js";
import { html, render } from "../shared/lit.js";

const panel = document.querySelector("#preview");
const place = document.querySelector("#preview-step");
const form = () => document.querySelector("#guide-form");

let answers = {};
let at = null; // the id of the step in the preview; null is the first
let ended = false;
let unsaved = false;

const value = (step, name) => step.querySelector(`[name="${step.dataset.step}-${name}"]`)?.value.trim() ?? "";

function condition(text) {
  const [, step, answer] = /^([^:]+):(.*)$/.exec(text) ?? [];
  return step ? { step, answer: { yes: true, no: false }[answer] ?? answer.slice(1) } : null;
}

/** The steps as the form has them now. */
function steps() {
  return [...form().querySelectorAll("[data-step]")].map((step) => ({
    id: step.dataset.step,
    kind: step.dataset.kind,
    title: value(step, "title") || "…",
    help: value(step, "help"),
    required: step.querySelector("[type=checkbox]").checked,
    options: value(step, "options")
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean),
    text: value(step, "text"),
    only_if: condition(value(step, "only_if")),
  }));
}

const problems = new Map();
const state = {
  saving: "", // nothing is sent, so nothing is said of it
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

function go(step, to, forward) {
  const wrong = forward ? problemOf(step, answers[step.id] ?? null) : null;
  if (wrong) problems.set(step.id, wrong);
  else {
    ended = to === "done";
    at = ended ? null : to.id;
  }
  draw();
}

function draw() {
  const asked = state.steps;
  if (!asked.length) return render(html``, place);
  if (ended) return render(html`<p class="notice" role="status">${place.dataset.end}</p>`, place);
  const step = asked.find(({ id }) => id === at) ?? asked[0];
  // The camera stays off here: a device check is told of, not made.
  const shown = step.kind === "device_check" ? { ...step, kind: "told", help: place.dataset.device } : step;
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

const fields = () =>
  [...form().elements].filter(({ name, type }) => name && !["hidden", "submit", "button"].includes(type));
const key = ({ type }) => (type === "checkbox" ? "checked" : "value");

/**
 * Draw what the server made of the form, and go on where it says. What was typed since it was `sent` stays.
 */
function take(text, sent) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const fresh = page.querySelector("#guide-form");
  if (!fresh) return location.reload();
  const typed = fields().filter(
    (field) => sent.has(field.name) && sent.get(field.name) !== field[key(field)],
  );
  const writing = typed.find((field) => field === document.activeElement)?.name;
  form().replaceWith(document.adoptNode(fresh));
  unsaved = true;
  for (const field of fields()) {
    const before = typed.find(({ name }) => name === field.name);
    if (!before) continue;
    field[key(field)] = before[key(field)];
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const focus = writing ? form().elements.namedItem(writing) : form().querySelector("[autofocus]");
  focus?.focus();
  focus?.scrollIntoView({ block: writing ? "nearest" : "center" });
  draw();
}

/**
 * Send the form with a button pressed, and draw what comes back; the whole page where that fails, which says
 * what is wrong.
 */
async function press(action) {
  const sent = new Map(fields().map((field) => [field.name, field[key(field)]]));
  const body = new URLSearchParams(new FormData(form()));
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

let pressing = Promise.resolve(); // one after the other: each begins with what the last one made
document.addEventListener("submit", (event) => {
  if (event.target !== form()) return;
  const action = event.submitter?.value ?? "save";
  if (action === "save") {
    unsaved = false;
    return;
  }
  event.preventDefault();
  pressing = pressing.then(() => press(action));
});
document.addEventListener("input", ({ target }) => {
  if (!form().contains(target)) return;
  unsaved = true;
  const step = target.closest("[data-step]");
  if (target.id === `${step?.dataset.step}-title`) {
    for (const place of step.querySelectorAll("[data-title]")) place.textContent = target.value;
  }
  draw();
});
document.querySelector("#preview-again").addEventListener("click", () => {
  [answers, at, ended] = [{}, null, false];
  problems.clear();
  draw();
});
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
panel.hidden = false;
draw();
