/* The patient's only page: setup guide, waiting room, video session page, and the page after the visit.
   The visit's state on the server decides which of them is shown, so that a claim needs neither a reload
   nor a click. */
import { Session } from "../session/session.js";
import { mark } from "../shared/brand.js";
import { Chat, saidIn } from "../shared/chat.js";
import { playNotes } from "../shared/devices.js";
import { forgetDrafts } from "../shared/drafts.js";
import { html, nothing } from "../shared/lit.js";
import { LivePage } from "../shared/live_page.js";
import { ownText } from "../shared/own_texts.js";
import { refusalWords } from "../shared/refusals.js";
import { inEach, t, tn } from "../shared/text.js";
import { announce, ask, clearToasts, connectionBar, toast } from "../shared/ui.js";
import { Closing } from "./closing.js";
import { ContactChoice } from "./contact.js";
import { guideStep } from "./guide.js";
import { Phone } from "./phone.js";
import { Photos } from "./photos.js";
import { surveyCard } from "./survey.js";
import { ownOfTab } from "./tab.js";
import { PatientVisit } from "./visit.js";
import { afterVisit, backWords, endingWords, messages, placeLine, waitingRoom } from "./waiting.js";

const SLOW_MS = 4_000;
/**
 * @type {LivePage<VisitBoot>} connects and draws this page; `page.boot` is the data that the server put into
 *   it
 */
const page = new LivePage("patient", draw);
const { boot, client, connection, language, redraw, root } = page;
const { organisation } = boot;
const own = ownOfTab(boot, new URLSearchParams(location.search).has("visit"));
if (own) location.replace(`${location.pathname}?visit=${encodeURIComponent(own)}${location.hash}`);
const state = new PatientVisit(client, boot.visit);
const bar = inEach(() => ({
  kept: t("Your place and your answers are kept."),
  blocked: t(
    "This network does not let the page stay connected. Please try another one, such as mobile data, or " +
      "call the clinic.",
  ),
  closed: {
    4203: {
      text: t("This visit is open in another tab."),
      label: t("Use it here"),
      act: () => client.connect(),
    },
    other: {
      text: t("This browser has no open visit here any more."),
      label: t("Go to {name}", organisation),
      act: () => location.assign(boot.home),
    },
  },
}));

const photos = new Photos(`${boot.home}/visits/${boot.visit}/photos`, redraw);
const phone = new Phone(`${boot.home}/visits/${boot.visit}/phone`, boot.mails, redraw);
const contact = new ContactChoice(`${boot.home}/visits/${boot.visit}/contact`, boot.contact, redraw);
const closing = new Closing(boot, () => leaveLine(), redraw);
const chat = new Chat(client, boot.visit, "patient", wrote);
/** @type {Session | null} the video session page of the visit; null while it is not shown */
let session = null;
let busy = false;
// True if the page must show that the opening of the visit takes long.
let slow = false;
/** @type {string | null} the id of the setup guide's step that is open beside the call; null for none */
let beside = null;

const hashStep = () => state.steps.find((step) => `#${step.id}` === decodeURIComponent(location.hash));
const stepUrl = (/** @type {Protocol.Step} */ step) => `${location.pathname}#${encodeURIComponent(step.id)}`;

/**
 * Return the part of the page that is shown now.
 *
 * @returns {"gone" | "after" | "loading" | "session" | "waiting" | "guide"}
 */
function phase() {
  if (state.gone) return "gone";
  if (state.visit?.status === "ended") return "after";
  if (!state.visit || !state.info) return "loading";
  if (state.visit.status !== "queued") return "session";
  return state.info.guide_done && !hashStep() ? "waiting" : "guide";
}

/** Return true if the server no longer has the visit, although the visit was open on this page. */
const wasLost = () => state.gone && state.visit && state.visit.status !== "ended";

/**
 * Leave one step of the setup guide and show another. If the answer is wrong, stay and focus its field.
 *
 * @param {Protocol.Step} step the step to leave
 * @param {Protocol.Step | "done"} to the step to go to, or "done" after the last step
 * @param {{ forward: boolean }} how `forward`: false if the patient goes back
 * @param {(step: Protocol.Step | null) => void} move shows the next step; null: all steps are done
 */
async function leave(step, to, { forward }, move) {
  busy = true;
  redraw();
  try {
    if (!(await state.leave(step, { forward }))) return focusProblem();
    if (to !== "done") return move(to);
    const missing = state.info?.guide_done ? null : await state.finish();
    return move(state.steps.find(({ id }) => id === missing) ?? null);
  } catch (error) {
    return toast(`${refusalWords(error)} ${t("Your answers are kept; please try again.")}`, { bad: true });
  } finally {
    busy = false;
    redraw();
  }
}

function focusProblem() {
  redraw();
  queueMicrotask(() => {
    /** @type {HTMLElement | null} the field to focus, because its answer is wrong */
    const wrong = root.querySelector(
      "[aria-invalid=true] input, input[aria-invalid=true], textarea[aria-invalid=true]",
    );
    wrong?.focus();
  });
}

/**
 * Show a step of the setup guide on a page of its own, and put the step's address into the browser's history.
 *
 * @param {Protocol.Step | null} step the step to show; null shows the waiting room
 */
function goTo(step) {
  if (step) history.pushState(null, "", stepUrl(step));
  else history.pushState(null, "", location.pathname);
  redraw();
}

function guide() {
  const step = hashStep() ?? state.firstOpenStep;
  if (!hashStep()) history.replaceState(null, "", stepUrl(step));
  const finished = state.info?.guide_done ?? false;
  return html` <div class="inline">
      <span class="chip num" role="status" translate="no"
        ><span class="dot"></span>${placeLine(state.place, state.visit?.taking_over ?? null)}</span>
    </div>
    ${closing.view(state.place)}${messages(chat, boot.answers)}
    ${guideStep({ state, client, step, busy, finished, go: (to, how) => leave(step, to, how, goTo) })}
    <div class="stack moves-out">
      ${contact.view(state.info)}
      <p class="small quiet">
        ${t("Staff can see your request already. You may be taken in before you finish.")}
      </p>
      <div>
        ${
          finished
            ? html`<button type="button" class="btn plain" @click=${() => goTo(null)}>
                ${t("Back to the waiting room")}
              </button>`
            : html`<button type="button" class="btn plain" @click=${leaveLine}>
                ${t("Leave the line")}
              </button>`
        }
      </div>
    </div>`;
}

async function leaveLine() {
  const sure = await ask({
    title: t("Leave the line?"),
    text: t(
      "Your place is given up, and staff no longer see your request. To come back you would start again " +
        "at the end of the line.",
    ),
    yes: t("Leave the line"),
    no: t("Stay in line"),
    danger: true,
  });
  if (!sure) return;
  try {
    await state.withdraw();
  } catch (error) {
    toast(`${refusalWords(error)} ${t("You are still in line.")}`, { bad: true });
  }
}

/** Draw the photos beside the call. */
function photosBeside() {
  return html`<h2>${t("Photos")}</h2>
    ${photos.view(state.info?.photos ?? [])}`;
}

function restOfTheGuide() {
  // `beside` keeps the step open until the patient leaves it, even after it has been answered.
  beside ??= state.firstOpenStep.id;
  const step = state.steps.find(({ id }) => id === beside) ?? state.firstOpenStep;
  const move = (/** @type {Protocol.Step | null} */ next) => {
    beside = next?.id ?? null;
    if (next) return;
    session?.closeAside();
    toast(t("Thank you: the setup guide is complete."));
  };
  return html`<div class="stack">
    ${guideStep({
      state,
      client,
      step,
      heading: 2,
      busy,
      finished: state.info?.guide_done ?? false,
      go: (to, how) => leave(step, to, how, move),
    })}
  </div>`;
}

/** Return the patient's panels beside the call: the rest of the setup guide, and the photos. */
function asideOfCall() {
  const finished = state.info?.guide_done ?? false;
  if (!state.steps.length || (finished && !beside)) return { label: t("Photos"), view: photosBeside };
  const open = state.steps.filter((step) => step.required && state.answer(step.id) === undefined).length;
  return {
    label: finished
      ? t("Setup guide")
      : open
        ? tn("Setup guide · {n} to answer", "Setup guide · {n} to answer", open)
        : t("Setup guide · finish"),
    short: open ? `${t("Setup guide")} · ${open}` : t("Setup guide"),
    view: () => html`${restOfTheGuide()}${photosBeside()}`,
  };
}

/**
 * Show a waiting patient a message of staff, and announce it to screen readers once.
 *
 * @param {Protocol.ChatMessagePart | null} line the newest message; null if there is none
 */
function wrote(line) {
  if (line && !session) {
    toast(t("Message from {name}: {text}", { name: line.name, text: saidIn(line).text }));
    playNotes({ notes: [783.99] }).catch(() => {});
  }
  redraw();
}

/** @type {string | undefined} the id of the waiting area; undefined until it is known */
let waitsIn;

/** Show a message if staff have moved the patient to another waiting area. */
function followArea() {
  if (!state.visit) return;
  const { area, status } = state.visit;
  const moved = waitsIn !== undefined && waitsIn !== (area?.id ?? "");
  waitsIn = area?.id ?? "";
  if (!moved || status !== "queued") return;
  toast(
    area
      ? t("You were moved to {area}. The time that you have waited counts.", { area: area.name })
      : t("You were moved to another line. The time that you have waited counts."),
  );
}

/**
 * Make the video session page while the visit is claimed or live. Otherwise close that page and release the
 * camera.
 */
function followVisit() {
  followArea();
  const now = phase();
  if (now === "after") chat.stop();
  else chat.start();
  if (now === "session" && !session) {
    // What they say of the line is not true here.
    clearToasts();
    session = new Session({
      client,
      visit: boot.visit,
      role: "patient",
      organisation,
      language,
      redraw,
      aside: asideOfCall,
      patient: () => state.info?.patient ?? null,
    });
    session.open();
    if (navigator.userActivation?.hasBeenActive) {
      navigator.vibrate?.(200);
      playNotes({ notes: [523.25, 783.99] }).catch(() => {});
    }
  } else if (now !== "session" && session) {
    session.close();
    session = null;
    if (now === "waiting" || now === "guide") toast(backWords(state.visit?.taking_over ?? null));
  }
  if (state.visit) session?.update(state.visit);
  redraw();
}

function header() {
  return html`<header class="top">
    <span class="home">${mark(organisation)}<bdi>${organisation.name}</bdi></span>
    ${
      connection.status === "open"
        ? html`<span class="chip end" translate="no"><span class="dot"></span>${t("Connected")}</span>`
        : html`<span class="chip off end" translate="no"
            >${connection.status === "closed" ? t("Not connected") : t("Connecting…")}</span>`
    }
  </header>`;
}

/** @type {Record<string, () => Drawn>} phase of the visit -> a function that draws the page */
const VIEWS = {
  loading: () =>
    html`<h1>${t("Your visit")}</h1>
      <p class="quiet" role="status">
        ${
          slow
            ? t(
                "This takes longer than usual. Your place in line is kept, and this page goes on trying " +
                  "by itself.",
              )
            : t("Opening your visit…")
        }
      </p>`,
  gone: () =>
    wasLost()
      ? html`<section class="card stack">
          <h1 tabindex="-1" data-focus>${t("Your visit was lost")}</h1>
          <p role="status">
            ${t(
              "Our records were restored without your visit, so you are no longer in line. We are sorry. " +
                "Nobody sees or hears you. Please begin again with Meet Now.",
            )}
          </p>
          <p><a class="btn main big" href=${boot.home}>${t("Go to {name}", organisation)}</a></p>
        </section>`
      : html`<section class="card stack">
          <h1 tabindex="-1" data-focus>${t("No visit is open here")}</h1>
          <p>${t("This browser has no open visit at {name} any more.", organisation)}</p>
          <p><a class="btn main" href=${boot.home}>${t("Go to {name}", organisation)}</a></p>
        </section>`,
  guide,
  waiting: () => {
    const { visit } = state;
    const act = { leave: leaveLine, step: goTo };
    return visit
      ? waitingRoom({
          state,
          visit,
          organisation,
          written: html`${closing.view(state.place)}${messages(chat, boot.answers)}`,
          photos,
          phone,
          contact,
          act,
        })
      : nothing;
  },
  after: () => {
    const { visit } = state;
    return visit
      ? html`${afterVisit({ visit, organisation, home: boot.home, book: boot.book, mails: boot.mails })}
          ${surveyCard(boot.survey, visit, (answer) => state.answerSurvey(answer))}`
      : nothing;
  },
};

const TITLES = {
  loading: () => t("Your visit"),
  gone: () => (wasLost() ? t("Your visit was lost") : t("No open visit")),
  guide: () => t("{step}: setup guide", { step: ownText((hashStep() ?? state.firstOpenStep).title).text }),
  waiting: () =>
    `${state.place?.place && !state.visit?.taking_over ? `(${state.place.place}) ` : ""}${t("Waiting room")}`,
  session: () => session?.title ?? t("Your session"),
  after: () => (state.visit ? endingWords(state.visit, boot.mails)[0] : ""),
};

function draw() {
  const now = phase();
  const banner = connectionBar(connection, bar());
  const content =
    now === "session" && session
      ? html`${banner}${session.view()}`
      : html`${banner}${header()}
        <main id="main" tabindex="-1" class="page stack" data-phase=${now}>
          ${(VIEWS[now] ?? VIEWS.loading)()}
        </main>
        <footer class="foot">${language.view()}</footer>`;
  const key = now === "guide" ? `guide${location.hash}` : now;
  const changed = page.show(content, { key, title: TITLES[now]() });
  if (changed && now === "session") announce(session?.title ?? "");
}

state.addEventListener("change", followVisit);
addEventListener("popstate", redraw);
addEventListener("pagehide", () => state.flush());
document.addEventListener("visibilitychange", () => document.hidden && state.flush());
addEventListener("beforeunload", (event) => state.saving === "waiting" && event.preventDefault());
setTimeout(() => {
  slow = true;
  redraw();
}, SLOW_MS);
// The draft of the sent form is no longer needed.
forgetDrafts();
chat.start();
page.begin();
