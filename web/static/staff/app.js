/* The staff's app: the frame with the On-Call switch, the Sessions List, and one's own video session page.
   Routed by pushState, so that a claim needs no reload, and a session goes on while the list is looked at. */
import { Session } from "../session/session.js";
import { caseInformation } from "../shared/case.js";
import { tickBy } from "../shared/clock.js";
import { stateName } from "../shared/format.js";
import { Language } from "../shared/language.js";
import { html, nothing, render } from "../shared/lit.js";
import { one, told } from "../shared/page.js";
import { refusalWords } from "../shared/refusals.js";
import { inEach, t, tn } from "../shared/text.js";
import {
  announce,
  ask,
  clearToasts,
  connectionBar,
  Drawer,
  drawKeepingFocus,
  focusHeading,
  followConnection,
  prepareRegions,
  redrawing,
  tendMenus,
  toast,
} from "../shared/ui.js";
import { codeOf, detailsOf } from "../signalling/errors.js";
import { SignallingClient } from "../signalling.js";
import { Acts } from "./acts.js";
import { Alerts } from "./alerts.js";
import { Bell, inWords } from "./bell.js";
import { Cases } from "./cases.js";
import { afterSession, frame } from "./frame.js";
import { Queue } from "./queue.js";
import { isLicensed, listHead, requestsTab } from "./requests.js";
import { Past, pastTab, Sessions, takenTab } from "./sessions.js";

/** @type {ListBoot} */
const boot = told();
const { me, organisation } = boot;
const root = one("#app", HTMLElement);
const client = new SignallingClient(boot.ws, { role: "staff" });
const queue = new Queue();
const sessions = new Sessions();
const bell = new Bell();
const drawer = new Drawer();
/** @type {Set<string>} */
const claiming = new Set();
const redraw = redrawing(() => drawKeepingFocus(root, draw));
const cases = new Cases(client, redraw);
const past = new Past(client, redraw);
const acts = new Acts({ client, queue, sessions, drawer, me, guests: boot.guests, claimed });
const connection = followConnection(client, redraw);
const alerts = new Alerts(organisation, () => go(boot.home), { wanted: boot.notify });
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

/**
 * @typedef {object} Mine one's own current visit
 * @property {string} id
 * @property {Protocol.VisitPart | null} visit
 * @property {Session | null} session
 * @property {(() => void)[]} drops
 */

/** @type {Mine | null} */
let mine = null;
/** @type {Protocol.VisitPart | null} the visit that was shown and is over */
let over = null;
let switching = false;
let shown = "";

/** @typedef {"" | "mine" | "live" | "past"} TabName */
/** @type {TabName[]} */
const TABS = ["", "mine", "live", "past"];
const tabPath = (/** @type {TabName} */ tab) => (tab ? `${boot.home}#${tab}` : boot.home);
const routeTab = () => TABS.find((tab) => tab === location.hash.slice(1)) ?? "";
const visitPath = (/** @type {string} */ visit) => `${boot.home}/visits/${visit}`;
const failed = (/** @type {unknown} */ error) => toast(refusalWords(error), { bad: true });
const routeVisit = () => /\/visits\/([^/]+)$/.exec(location.pathname)?.[1] ?? null;
const onCall = () => queue.staff.get(me.id)?.on_call ?? false;

/** @param {string} path */
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

/**
 * Follow one's own visit: for the link back to it, and for the session page.
 *
 * @param {string} id
 */
function hold(id) {
  letGo();
  over = null;
  /** @type {Mine} */
  const held = { id, visit: null, session: null, drops: [] };
  mine = held;
  held.drops.push(
    client.subscribe(
      `visit/${id}`,
      ({ visit }) => mine === held && follow(held, visit),
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

/** @param {import("../signalling/errors.js").SignallingError} error */
function lost(error) {
  letGo();
  if (routeVisit()) {
    toast(refusalWords(error), { bad: true });
    history.replaceState(null, "", boot.home);
  }
  redraw();
}

/**
 * What one's own visit has become.
 *
 * @param {Mine} held
 * @param {Protocol.VisitPart} visit
 */
function follow(held, visit) {
  held.visit = visit;
  const taken = visit.status === "claimed" || visit.status === "live";
  if (taken && visit.claimant?.id === me.id) {
    if (routeVisit() === held.id && !held.session) openSession();
    held.session?.update(visit);
    return redraw();
  }
  const atIt = routeVisit() === held.id;
  letGo();
  if (atIt && visit.status === "ended") over = visit;
  else if (atIt) {
    toast(
      taken && visit.claimant
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
    phone: () => cases.get(id)?.info?.patient.phone ?? null,
    back: () =>
      html`<a class="btn plain" href=${boot.home} @click=${follows(boot.home)}>${t("Sessions List")}</a>`,
  });
  mine.session.open();
  mine.session.update(mine.visit);
  enter();
}

function openBell() {
  clearToasts();
  const mark = () => {
    if (bell.unread) client.request({ type: "bell.mark", until_ms: bell.newest_ms }).catch(() => {});
  };
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

/**
 * Where a notification leads: to the row while the patient waits, else to the story.
 *
 * @param {{ visit: string | null }} item
 */
function followNotice({ visit: id }) {
  if (id === null) return undefined;
  if (!queue.rows.some(({ visit }) => visit === id)) return acts.story(id);
  go(boot.home);
  queueMicrotask(() => {
    const row = root.querySelector(`[data-visit="${CSS.escape(id)}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("button")?.focus();
  });
  return undefined;
}

/** @param {Protocol.Topics["bell"]} message */
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
    if (["unavailable", "timeout"].includes(codeOf(error))) setTimeout(enter, 2_000);
  });
}

/**
 * A click that stays in the app; with a modifier key the browser opens a tab of its own.
 *
 * @param {string} path
 */
function follows(path) {
  return (/** @type {MouseEvent} */ event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(path);
  };
}

/** @param {QueuedRow} request */
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
    const by = codeOf(error) === "already_claimed" ? detailsOf(error).by : undefined;
    if (by?.id === me.id) claimed(request.visit);
    else
      toast(by ? t("{by} has claimed {name}.", { by: by.name, name: request.name }) : refusalWords(error), {
        bad: true,
      });
  } finally {
    claiming.delete(request.visit);
    redraw();
  }
}

/** @param {string} visit */
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

/** @param {Protocol.Topics["queue"]} message */
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

/** The page but for what is in it. */
function framed(/** @type {Drawn} */ content) {
  const visit = mine?.visit;
  return frame(content, {
    boot,
    onCall: onCall(),
    switching,
    loaded: queue.loaded,
    waiting: queue.rows.length,
    own: visit && ["claimed", "live"].includes(visit.status) ? { visit, path: visitPath(visit.id) } : null,
    atList: !routeVisit(),
    bell: bell.button(openBell),
    languages: language.view(),
    follows,
    switchOnCall,
    signOut: () => alerts.hush(),
  });
}

function list() {
  const tab = routeTab();
  const own = sessions.of(me.id);
  /** @type {ListView} */
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
    act: { ...acts.onRequests, claim, toggleCase: (id) => cases.toggle(id) },
  };
  const contents = {
    "": () => requestsTab(view),
    mine: () => takenTab(own, view, t("A session that you claim stands here until it ends.")),
    live: () => takenTab(sessions.rows, view, t("Nobody is in a session right now.")),
    past: () => pastTab(past, view),
  };
  /** @type {[name: TabName, words: string, count?: number][]} */
  const tabs = [
    ["", t("On-Demand Requests"), queue.rows.length],
    ["mine", t("Mine"), own.length],
    ["live", t("Live now"), sessions.rows.length],
    ["past", t("Past")],
  ];
  return html`${listHead(
    view,
    tabs.map(([name, words, count]) => ({ path: tabPath(name), words, count, current: tab === name })),
  )}${contents[tab]()}`;
}

/** @param {Protocol.VisitPart} visit */
function ended(visit) {
  const { home, reopen_ms } = boot;
  const reopen = () => acts.onRequests.reopen({ visit: visit.id });
  return afterSession(visit, { home, me, reopen_ms, now_ms: client.now(), follows, reopen });
}

function draw() {
  const id = routeVisit();
  if (!id) over = null;
  const page =
    id && mine?.id === id && mine.session ? "session" : id && over ? "over" : id && mine ? "opening" : "list";
  const contents = {
    list,
    over: () => (over ? ended(over) : nothing),
    opening: () =>
      html`<h1>${t("Your session")}</h1>
        <p class="quiet">${t("Opening…")}</p>`,
    session: () => nothing,
  };
  render(
    html`${connectionBar(connection, bar())} ${page === "session" ? nothing : framed(contents[page]())}
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
    focusHeading(root);
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
