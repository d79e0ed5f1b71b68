/* The setup guide: one page a step. Draws the patient's visit at a step and says where the patient wants to go; keeps no answer. */
import { html, keyed, nothing } from "../shared/lit.js";
import { stepField } from "./steps.js";

const SAVED = {
  saved: "All answers are saved",
  saving: "Saving…",
  waiting: "Not connected: your answers are kept here and sent when the connection is back",
};

/** What stands over the step: which one it is, and that the answers are safe. */
function progress(state, index) {
  const { steps } = state;
  return html`<div class="progress">
    <div class="row apart small"><b class="num">Step ${index + 1} of ${steps.length}</b><span class="quiet saved" data-saving=${state.saving}>${SAVED[state.saving]}</span></div>
    <progress max=${steps.length} .value=${index + 1} aria-label="Setup guide"></progress>
  </div>`;
}

/**
 * A step with its Back and Next. `go(step|"done"|"out", {forward})` is called when the patient has left it; `heading` is 1 on a page of its own
 * and 2 beside the call; `busy` while an answer is being checked.
 */
export function guideStep({ state, client, step, heading = 1, busy, go, finished }) {
  const index = state.steps.indexOf(step);
  const last = index === state.steps.length - 1;
  const label = `title-${step.id}`;
  const back = index > 0 ? state.steps[index - 1] : null;
  const title = heading === 1
    ? html`<h1 id=${label} tabindex="-1" data-focus>${step.title}${step.required ? nothing : html` <span class="optional">(optional)</span>`}</h1>`
    : html`<h2 id=${label} tabindex="-1" data-focus>${step.title}${step.required ? nothing : html` <span class="optional">(optional)</span>`}</h2>`;
  const submit = (event) => {
    event.preventDefault();
    if (busy) return;
    const { steps } = state; // what was just answered may bring up a step, or take one away
    go(steps[steps.findIndex(({ id }) => id === step.id) + 1] ?? "done", { forward: true });
  };
  return html`${progress(state, index)}
    <form class="card stack step" novalidate @submit=${submit}>
      ${keyed(step.id, html`${title}
        ${stepField({ step, answer: state.answer(step.id), problem: state.problems.get(step.id), label, client, typed: (value) => state.type(step.id, value) })}`)}
      <div class="row apart moves">
        ${back ? html`<button type="button" class="btn" @click=${() => go(back, { forward: false })}>Back</button>` : html`<span></span>`}
        <button class="btn main big" aria-disabled=${busy ? "true" : "false"}>${last ? (finished ? "Done" : "Finish") : "Next"}</button>
      </div>
    </form>`;
}
