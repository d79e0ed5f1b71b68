/* The waiting room, and the page after a visit. They draw what they are given. */
import { answerWords } from "../shared/case.js";
import { clock, minutes, onCallWords, placeWords, waitWords } from "../shared/format.js";
import { html, nothing, svg } from "../shared/lit.js";

/** The ring round the place: full when next, emptier the further back. It says nothing that the words do not. */
function ring(place, waiting) {
  const share = place ? Math.max(0.08, 1 - (place - 1) / Math.max(waiting, place)) : 0;
  const length = 2 * Math.PI * 60;
  return html`<svg class="ring breathe" viewBox="0 0 132 132" aria-hidden="true">
    <circle class="track" cx="66" cy="66" r="60"></circle>
    ${svg`<circle class="share" cx="66" cy="66" r="60" stroke-dasharray="${length * share} ${length}" transform="rotate(-90 66 66)"></circle>`}
    <text x="66" y="66" text-anchor="middle" dominant-baseline="central">${place ?? "…"}</text>
  </svg>`;
}

/** "You are second in line. Usually 4 to 9 minutes from here." in one line, for the setup guide's head. */
export function placeLine(place) {
  if (!place) return "You are in line";
  return [placeWords(place.place), waitWords(place.wait_low_ms, place.wait_high_ms)].filter(Boolean).join(". ");
}

const WORKS = { on: "Works", good: "Good", fair: "Fair", poor: "Poor", "not heard": "Not heard" };

/** What is ready, from the device check's answer and the guide. */
function readiness(state) {
  const step = state.steps.find(({ kind }) => kind === "device_check");
  const checked = (step && state.answer(step.id)) || null;
  const rows = checked
    ? [["Camera", checked.camera], ["Microphone", checked.microphone], ["Speaker", checked.speaker], ["Network", checked.network]].filter(([, word]) => word)
    : [];
  return html`<ul role="list" class="stack ready">
    ${rows.map(([name, word]) => html`<li class="row apart"><span>${name}</span>
      <span class="chip ${["on", "good", "fair"].includes(word) ? "" : "amber"}">${WORKS[word] ?? "Does not work"}</span></li>`)}
    <li class="row apart"><span>Setup guide</span><span class="chip">Complete</span></li>
  </ul>`;
}

/** `act` has leave() and step(step). */
export function waitingRoom({ state, act, organisation }) {
  const { visit, place } = state;
  const wait = waitWords(place?.wait_low_ms, place?.wait_high_ms);
  const check = state.steps.find(({ kind }) => kind === "device_check");
  return html`
    <section class="card place">
      ${ring(place?.place ?? null, place?.waiting ?? 1)}
      <div role="status" class="stack">
        <h1 tabindex="-1" data-focus>${placeWords(place?.place)}</h1>
        <p class="quiet num">${wait ? `${wait}. ` : nothing}${place ? `${onCallWords(place.on_call)}.` : nothing}</p>
      </div>
      <p class="small quiet num">You have been in line since ${clock(visit.arrived_ms)}, when you opened the setup guide.</p>
    </section>
    <section class="notice"><p><b>You may lock this phone or close this page.</b> Your place is kept: open ${organisation.name}’s page again in this browser and you are back here.
      Nobody sees or hears you until you press Start Session.</p></section>
    <section class="card stack"><h2>You are ready</h2>${readiness(state)}
      <details class="review"><summary>Your answers</summary>
        <dl>${state.steps.map((step) => html`<div><dt>${step.title}</dt><dd>${answerWords(step, state.answer(step.id)) ?? "No answer"}
          <button type="button" class="btn plain" aria-label="Change: ${step.title}" @click=${() => act.step(step)}>Change</button></dd></div>`)}</dl>
      </details>
    </section>
    <div class="row apart">
      ${check ? html`<button type="button" class="btn" @click=${() => act.step(check)}>Check devices</button>` : html`<span></span>`}
      <button type="button" class="btn danger" @click=${act.leave}>Leave the line</button>
    </div>`;
}

const ENDINGS = {
  completed: (visit) => [
    "Your visit is over",
    visit.claimant ? `You saw ${visit.claimant.name}${visit.talked_ms ? `, for ${minutes(visit.talked_ms)}` : ""}.` : "Thank you for coming.",
  ],
  declined: (visit) => ["This visit could not take place", visit.reason || "The clinic declined this request. You also get an email."],
  withdrawn: () => ["You have left the line", "Your place was given up, as you wished. You can come back with Meet Now at any time."],
  expired: () => ["This visit has expired", "Nobody could take it in the time the clinic allows. We are sorry. You can ask again with Meet Now."],
};

export function afterVisit({ visit, organisation, home }) {
  const [heading, text] = (ENDINGS[visit.outcome] ?? ENDINGS.completed)(visit);
  return html`<section class="card stack after">
    <span class="mark large" aria-hidden="true">${visit.outcome === "completed" ? "✓" : "·"}</span>
    <h1 tabindex="-1" data-focus>${heading}</h1>
    <p>${text}</p>
    ${visit.ended_ms ? html`<p class="small quiet num">Ended at ${clock(visit.ended_ms)}. Camera and microphone are off.</p>` : nothing}
    <p><a class="btn main" href=${home}>Back to ${organisation.name}</a></p>
  </section>`;
}
