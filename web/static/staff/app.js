/* The staff's app: the frame with the On-Call switch, the Sessions List, and one's own video session page.
   Routed by pushState, so that a claim needs no reload, and a session goes on while the list is looked at. */
import { Session } from "../session/session.js";
import { mark } from "../shared/brand.js";
import { caseInformation } from "../shared/case.js";
import { tickBy } from "../shared/clock.js";
import { clock, initials, minutes, stateName } from "../shared/format.js";
import { Language } from "../shared/language.js";
import { html, nothing, render } from "../shared/lit.js";
import { ownField } from "../shared/own.js";
import { refusalWords } from "../shared/refusals.js";
import { inEach, t, tn } from "../shared/text.js";
import {
  announce,
  ask,
  clearToasts,
  connectionBar,
  Drawer,
  drawKeepingFocus,
  followConnection,
  prepareRegions,
  redrawing,
  tendMenus,
  toast,
} from "../shared/ui.js";
import { SignallingClient } from "../signalling.js";
import { Acts } from "./acts.js";
import { Alerts } from "./alerts.js";
import { Bell, inWords } from "./bell.js";
import { Cases } from "./cases.js";
import { Queue } from "./queue.js";
import { isLicensed, listHead, requestsTab } from "./requests.js";
import { Past, pastTab, Sessions, takenTab } from "./sessions.js";

const boot = JSON.parse(document.querySelector("#boot").textContent);
const { me, organisation } = boot;
const root = document.querySelector("#app");
const client = new SignallingClient(boot.ws, { role: "staff" });
const queue = new Queue();
const sessions = new Sessions();
const bell = new Bell();
const drawer = new Drawer();
const claiming = new Set();
const redraw = redrawing(() => drawKeepingFocus(root, draw));
const cases = new Cases(client, redraw);
const past = new Past(client, redraw);
const acts = new Acts({ client, queue, sessions, drawer, me, guests: boot.guests, claimed });
const connection = followConnection(client, redraw);
const alerts = new Alerts(organisation, () => go(boot.home), { wanted: boot.notify });
const ROLES = inEach(() => ({ provider: t("Provider"), admin: t("Administrator") }));
const signIn = () => location.assign(`${boot.home}/sign-in`);
const language = new Language(boot.languages, redraw);
const bar = inEach(() => ({
  kept: t("The list is brought up to date as soon as it is back."),
  closed: {
    4203: {
      text: t("These pages went on in another tab."),
      label: t("Use them here"),
      act: () => client.connect(),
    },
    other: { text: t("You are signed out."), label: t("Sign in"), act: signIn },
  },
}));

let mine = null; // {id, visit, session, drop}: one's own current visit
let over = null; // the visit that was shown and is over
let switching = false;
let shown = "";

const PAGES = {
  calendar: () => t("Calendar"),
  reports: () => t("Reports"),
  setup: () => t("Set-up"),
  preferences: () => t("My settings"),
};
const TABS = ["", "mine", "live", "past"];
const tabPath = (tab) => (tab ? `${boot.home}#${tab}` : boot.home);
const routeTab = () => (TABS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "");
const visitPath = (visit) => `${boot.home}/visits/${visit}`;
const failed = (error) => toast(refusalWords(error), { bad: true });
const routeVisit = () => /\/visits\/([^/]+)$/.exec(location.pathname)?.[1] ?? null;
const onCall = () => queue.staff.get(me.id)?.on_call ?? false;

function go(path) {
  if (location.pathname + location.hash !== path) history.pushState(null, "", path);
  followRoute();
}

/** Open the session that the address names, if it is not open yet. */
function followRoute() {
  const id = routeVisit();
  if (!id && routeTab() === "past" && client.status === "open") past.search().catch(failed);
  if (id && mine?.id !== id) hold(id);
  if (id && mine && !mine.session) openSession();
  redraw();
}

/** Follow one's own visit: for the link back to it, and for the session page. */
function hold(id) {
  letGo();
  over = null;
  const held = { id, visit: null, session: null, drops: [] };
  mine = held;
  held.drops.push(
    client.subscribe(
      `visit/${id}`,
      ({ visit }) => mine === held && follow(visit),
      (error) => mine === held && lost(error),
    ),
  );
}

function letGo() {
  mine?.session?.close();
  for (const drop of mine?.drops ?? []) drop();
  cases.keepOnly(queue.rows.map(({ visit }) => visit));
  mine = null;
}

function lost(error) {
  letGo();
  if (routeVisit()) {
    toast(refusalWords(error), { bad: true });
    history.replaceState(null, "", boot.home);
  }
  redraw();
}

/** What one's own visit has become. */
function follow(visit) {
  mine.visit = visit;
  const taken = visit.status === "claimed" || visit.status === "live";
  if (taken && visit.claimant?.id === me.id) {
    if (routeVisit() === mine.id && !mine.session) openSession();
    mine.session?.update(visit);
    return redraw();
  }
  const atIt = routeVisit() === mine.id;
  letGo();
  if (atIt && visit.status === "ended") over = visit;
  else if (atIt) {
    toast(
      taken
        ? t("{name} has claimed this visit.", visit.claimant)
        : t("{name} is back in the queue.", visit.parties.patient),
    );
    history.replaceState(null, "", boot.home);
  }
  return redraw();
}

function openSession() {
  if (!mine?.visit || mine.visit.claimant?.id !== me.id) return;
  const { id } = mine;
  cases.open(id);
  mine.session = new Session({
    client,
    visit: id,
    role: "provider",
    organisation,
    language,
    redraw,
    asideOpen: matchMedia("(min-width: 1100px)").matches,
    aside: () => ({
      label: t("Case Information"),
      view: () =>
        html`<h2>${t("Case Information")}</h2>
          ${caseInformation(cases.get(id)?.info, client.now())}`,
    }),
    more: () => acts.inSession(mine?.visit),
    back: () =>
      html`<a class="btn plain" href=${boot.home} @click=${follows(boot.home)}>${t("Sessions List")}</a>`,
  });
  mine.session.open();
  mine.session.update(mine.visit);
  enter();
}

function openBell() {
  clearToasts();
  const mark = () =>
    bell.unread && client.request({ type: "bell.mark", until_ms: bell.newest_ms }).catch(() => {});
  drawer.show(
    "bell-title",
    (close) =>
      bell.list({
        now_ms: client.now(),
        close,
        go: (item) => {
          close();
          followNotice(item);
        },
      }),
    mark,
  );
}

/** Where a notification leads: to the row while the patient waits, else to the story. */
function followNotice(item) {
  if (!queue.rows.some(({ visit }) => visit === item.visit)) return acts.story(item.visit);
  go(boot.home);
  queueMicrotask(() => {
    const row = root.querySelector(`[data-visit="${CSS.escape(item.visit)}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("button")?.focus();
  });
  return undefined;
}

function takeBell(message) {
  const item = bell.take(message);
  if (item) {
    if (!drawer.open) toast(inWords(item));
    if (item.kind === "assigned" || item.kind === "transferred") alerts.assigned(() => followNotice(item));
  }
  drawer.redraw();
  redraw();
}

function enter() {
  if (!mine?.session) return;
  client.request({ type: "visit.enter", visit: mine.id }).catch((error) => {
    if (["unavailable", "timeout"].includes(error.code)) setTimeout(enter, 2_000);
  });
}

/** A click that stays in the app; with a modifier key the browser opens a tab of its own. */
function follows(path) {
  return (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(path);
  };
}

async function claim(request) {
  if (
    !isLicensed(me, request) &&
    !(await ask({
      title: t("Claim {name} all the same?", { name: request.name }),
      yes: t("Claim"),
      no: t("Cancel"),
      text: t("You are not licensed in {state}, where the patient is now.", {
        state: stateName(request.state),
      }),
    }))
  )
    return;
  claiming.add(request.visit);
  redraw();
  try {
    await client.request({ type: "visit.claim", visit: request.visit });
    claimed(request.visit);
  } catch (error) {
    if (error.code === "already_claimed" && error.details?.by?.id === me.id) claimed(request.visit);
    else
      toast(
        error.code === "already_claimed"
          ? t("{by} has claimed {name}.", { by: error.details.by.name, name: request.name })
          : refusalWords(error),
        { bad: true },
      );
  } finally {
    claiming.delete(request.visit);
    redraw();
  }
}

function claimed(visit) {
  hold(visit);
  go(`${boot.home}/visits/${visit}`);
}

async function switchOnCall() {
  if (switching) return;
  const on = !onCall();
  switching = true;
  alerts.unlock();
  if (on) {
    alerts.askToNotify();
    go(boot.home);
  } else {
    alerts.hush();
  }
  redraw();
  try {
    await client.request({ type: "on_call", on });
    announce(on ? t("You are on call.") : t("You are off call."));
  } catch (error) {
    toast(`${refusalWords(error)} ${on ? t("You are still off call.") : t("You are still on call.")}`, {
      bad: true,
    });
  } finally {
    switching = false;
    redraw();
  }
}

function takeQueue(message) {
  const { fresh, gone } = queue.take(message);
  const asked = /^#of=(.+)$/.exec(location.hash)?.[1]; // a notification that was followed from another page
  if (asked && !routeVisit()) {
    history.replaceState(null, "", boot.home);
    followNotice({ visit: decodeURIComponent(asked) });
  }
  cases.keepOnly([...queue.rows.map(({ visit }) => visit), mine?.id]);
  if (fresh.length && onCall()) {
    alerts.ring(queue.rows.length);
    announce(
      fresh.length === 1
        ? t("New request: {name}.", fresh[0])
        : tn("{n} new request.", "{n} new requests.", fresh.length),
    );
  }
  if (gone?.why === "claimed" && gone.by && gone.by.id !== me.id)
    announce(t("{by} has claimed {name}.", { by: gone.by.name, name: gone.name }));
  redraw();
}

function frame(content) {
  const own = mine?.visit && ["claimed", "live"].includes(mine.visit.status) ? mine : null;
  const path = own && `${boot.home}/visits/${own.id}`;
  return html`<div class="staff">
    <header class="side">
      <p class="org">${mark(organisation)}<span>${organisation.name}</span></p>
      <div class="me">
        <button
          type="button"
          class="switch"
          role="switch"
          aria-checked=${onCall() ? "true" : "false"}
          aria-busy=${switching ? "true" : "false"}
          ?disabled=${!queue.loaded}
          @click=${switchOnCall}>
          <i></i>${t("On-Call")}
        </button>
        <span class="face" aria-hidden="true">${initials(me.name)}</span>
        <p class="name"><b>${me.name}</b><span class="small quiet">${ROLES()[me.role] ?? me.role}</span></p>
      </div>
      <nav aria-label=${t("Main")}>
        <a href=${boot.home} aria-current=${routeVisit() ? nothing : "page"} @click=${follows(boot.home)}
          >${t("Sessions List")}
          <span class="chip num">${queue.rows.length}<span class="sr"> ${t("waiting")}</span></span></a>
        ${bell.button(openBell)}
        ${Object.entries(PAGES).map(([name, words]) =>
          boot[name] ? html`<a href=${boot[name]}>${words()}</a>` : nothing,
        )}
      </nav>
      ${language.view()}
      <form method="post" action=${boot.sign_out} @submit=${() => alerts.hush()}>
        ${ownField()}<button class="btn plain">${t("Sign out")}</button>
      </form>
    </header>
    <div class="content">
      ${
        own
          ? html`<a class="notice own" href=${path} @click=${follows(path)}
              ><span><b>${t("Back to session with {name}", own.visit.parties.patient)}</b></span
              ><since-clock since=${own.visit.live_ms ?? own.visit.claimed_ms}></since-clock></a>`
          : nothing
      }
      <main id="main" tabindex="-1" class="stack">${content}</main>
    </div>
  </div>`;
}

function list() {
  const tab = routeTab();
  const own = sessions.of(me.id);
  const view = {
    rows: queue.rows,
    staff: queue.staff,
    limits: queue.limits,
    loaded: queue.loaded,
    cases,
    claiming,
    me,
    now_ms: client.now(),
    onCall: onCall(),
    mayClaim: onCall() || me.role === "admin",
    silent: !alerts.audible,
    follows,
    visitPath,
    failed,
    act: { ...acts.onRequests, claim, toggleCase: (visit) => cases.toggle(visit) },
  };
  const contents = {
    "": () => requestsTab(view),
    mine: () => takenTab(own, view, t("A session that you claim stands here until it ends.")),
    live: () => takenTab(sessions.rows, view, t("Nobody is in a session right now.")),
    past: () => pastTab(past, view),
  };
  const entry = (name, words, count) => ({ path: tabPath(name), words, count, current: tab === name });
  return html`${listHead(view, [
    entry("", t("On-Demand Requests"), queue.rows.length),
    entry("mine", t("Mine"), own.length),
    entry("live", t("Live now"), sessions.rows.length),
    entry("past", t("Past")),
  ])}${contents[tab]()}`;
}

function afterSession() {
  const { patient } = over.parties;
  const until_ms = over.ended_ms + boot.reopen_ms;
  const mayReopen = over.outcome === "completed" && over.claimant?.id === me.id && client.now() < until_ms;
  return html`<section class="card stack after">
    <h1 tabindex="-1" data-focus>${t("Session with {name} has ended", patient)}</h1>
    <p>
      ${over.talked_ms ? t("You talked for {time}.", { time: minutes(over.talked_ms) }) : nothing}
      ${t("Camera and microphone are off.")}
    </p>
    <p class="row">
      <a class="btn main" href=${boot.home} @click=${follows(boot.home)}
        >${t("Back to On-Demand Requests")}</a>
      ${
        mayReopen
          ? html`<button type="button" class="btn" @click=${() => acts.onRequests.reopen({ visit: over.id })}>
              ${t("Reopen")}
            </button>`
          : nothing
      }
    </p>
    ${
      mayReopen
        ? html`<p class="small quiet">
            ${t(
              "Pressed End too early? Reopen brings the patient’s page back; it is possible until {time}.",
              { time: clock(until_ms) },
            )}
          </p>`
        : nothing
    }
  </section>`;
}

function draw() {
  const id = routeVisit();
  if (!id) over = null;
  const page =
    id && mine?.id === id && mine.session ? "session" : id && over ? "over" : id && mine ? "opening" : "list";
  const contents = {
    list,
    over: afterSession,
    opening: () =>
      html`<h1>${t("Your session")}</h1>
        <p class="quiet">${t("Opening…")}</p>`,
    session: () => nothing,
  };
  render(
    html`${connectionBar(connection, bar())} ${page === "session" ? nothing : frame(contents[page]())}
    ${
      mine?.session
        ? html`<div class="parked" ?hidden=${page !== "session"}>${mine.session.view()}</div>`
        : nothing
    }`,
    root,
  );
  const count = queue.rows.length;
  const titles = {
    session: mine?.session?.title,
    over: t("Session ended"),
    opening: t("Your session"),
    list: t("On-Demand Requests"),
  };
  document.title = `${count && onCall() ? `(${count}) ` : ""}${titles[page]} · ${organisation.name}`;
  if (page === shown) return;
  const first = shown === "";
  shown = page;
  if (!first) {
    scrollTo(0, 0);
    root.querySelector("[data-focus]:not([hidden] *)")?.focus({ preventScroll: true });
  }
}

prepareRegions();
tendMenus();
tickBy(() => client.now());
client.subscribe("queue", takeQueue);
client.subscribe("sessions", (message) => {
  sessions.take(message);
  redraw();
});
client.subscribe("bell", takeBell);
client.addEventListener("welcome", ({ detail }) => {
  if (detail.visit && !mine) hold(detail.visit);
  if (!detail.resumed) enter();
  if (routeTab() === "past" && past.rows === null) past.search().catch(failed);
});
addEventListener("popstate", followRoute);
addEventListener("hashchange", followRoute);
root.replaceChildren();
followRoute();
client.connect();
