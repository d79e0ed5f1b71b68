/* Runs the staff's app: the frame with the On-Call switch, the Sessions List, and this person's video
   session. This script changes between list and session with pushState, without a reload. So a session
   continues while the list is shown. */
import "./idle.js";
import { Session } from "../session/session.js";
import { caseInformation } from "../shared/case.js";
import { nameRegions } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { LivePage } from "../shared/live_page.js";
import { removePhoto } from "../shared/photos.js";
import { refusalWords } from "../shared/refusals.js";
import { inEach, t } from "../shared/text.js";
import { announce, connectionBar, toast } from "../shared/ui.js";
import { Acts } from "./acts.js";
import { Alerts } from "./alerts.js";
import { Cases } from "./cases.js";
import { Claims } from "./claims.js";
import { Conversations } from "./conversations.js";
import { afterSession, frame, tendSide } from "./frame.js";
import { InParts } from "./in_parts.js";
import { News } from "./news.js";
import { OnCall } from "./on_call.js";
import { OwnVisit } from "./own_visit.js";
import { listHead, offCallNotice, requestsTab } from "./requests.js";
import { Past, pastTab, Sessions, takenTab } from "./sessions.js";
import { ALL, ordered, sifted } from "./sift.js";
import { clearAtSignOut } from "./signed_out.js";
import { tagLine } from "./tags.js";

/**
 * @type {LivePage<ListBoot>} connects and draws this page; `page.boot` is the data that the server put into
 *   it
 */
const page = new LivePage("staff", draw);
const { boot, client, connection, language, redraw, root } = page;
const { me, organisation } = boot;
nameRegions(boot.regions);
const alerts = new Alerts(organisation, () => go(boot.home), { wanted: boot.notify });
const news = new News({ client, me, alerts, follow: followNotice, queued, onCall: boot.on_call, redraw });
const { queue, drawer } = news;
const onCall = new OnCall({ client, news, alerts, redraw, turnedOn: () => go(boot.home) });
const sessions = new Sessions();
const claims = new Claims({ client, me, claimed, redraw });
const cases = new Cases(client, redraw, ({ patient }) => toast(t("{name} added a photo.", patient)));
const past = new Past(client, redraw);
const conversations = new Conversations({ client, queue, drawer, me, answers: boot.answers, redraw });
const acts = new Acts({
  client,
  queue,
  sessions,
  drawer,
  me,
  guests: boot.guests,
  areas: boot.areas ?? {},
  tags: boot.tags,
  mails: boot.mails,
  claimed,
});
const own = new OwnVisit({
  client,
  me,
  routed: routeVisit,
  leave: () => history.replaceState(null, "", boot.home),
  begin: newSession,
  released: keepCases,
  redraw,
});
const signIn = `${boot.home}/sign-in`;
const bar = inEach(() => ({
  kept: t("The list is brought up to date as soon as it is back."),
  blocked: t(
    "Pages reach this browser, but live updates do not: most often a proxy between here and the server " +
      "does not pass WebSockets. Please tell whoever runs the server. Trying again by itself.",
  ),
  closed: {
    4203: {
      text: t("These pages went on in another tab."),
      label: t("Use them here"),
      act: () => client.connect(),
    },
    other: { text: t("You are signed out."), label: t("Sign in"), act: () => location.assign(signIn) },
  },
}));
let sift = ALL;
const parts = new InParts(redraw);

/**
 * @typedef {"" | "mine" | "live" | "past"} TabName the name of a tab in the address; "" is On-Demand Requests
 */
/** @type {TabName[]} the names of the tabs, in the order of the page */
const TABS = ["", "mine", "live", "past"];
const tabPath = (/** @type {TabName} */ tab) => (tab ? `${boot.home}#${tab}` : boot.home);
/**
 * Return true if this person sees the tab On-Demand Requests, that is, if the person is on call or an
 * administrator.
 */
const mayClaim = () => onCall.on || me.role === "admin";

/**
 * Return the tab that the address names. For a person who is not allowed to claim, return the tab of their
 * own sessions instead of On-Demand Requests.
 */
function routeTab() {
  const named = TABS.find((tab) => tab === location.hash.slice(1)) ?? "";
  return named || mayClaim() || !queue.loaded ? named : "mine";
}

const visitPath = (/** @type {string} */ visit) => `${boot.home}/visits/${visit}`;
const failed = (/** @type {unknown} */ error) => toast(refusalWords(error), { bad: true });

function routeVisit() {
  return /\/visits\/([^/]+)$/.exec(location.pathname)?.[1] ?? null;
}

/** Change the address, and show the page that it names. */
function go(/** @type {string} */ path) {
  if (location.pathname + location.hash !== path) history.pushState(null, "", path);
  followRoute();
}

/** Open the session that the address names, if it is not open yet. */
function followRoute() {
  const id = routeVisit();
  if (!id && routeTab() === "past" && client.status === "open") past.search().catch(failed);
  if (id && own.id !== id) own.hold(id);
  if (id) own.open();
  redraw();
}

/** Close the Case Information of each visit that is neither in the queue nor this person's own. */
function keepCases() {
  cases.keepOnly([...queue.rows.map(({ visit }) => visit), own.id]);
}

/** Open the Case Information of a visit, and return a new Session for it. */
function newSession(/** @type {string} */ visit) {
  cases.open(visit);
  return new Session({
    client,
    visit,
    role: "provider",
    organisation,
    language,
    redraw,
    asideOpens: matchMedia("(min-width: 1100px)").matches,
    aside: () => ({
      label: t("Case Information"),
      short: t("Case"),
      view: () =>
        html`<h2>${t("Case Information")}</h2>
          ${own.visit ? tagsOf(visit, own.visit.parties.patient.name, own.visit.tags ?? []) : nothing}
          ${caseInformation(cases.get(visit)?.info, client.now(), removePhoto)}`,
    }),
    more: () => acts.inSession(own.visit),
    patient: () => cases.get(visit)?.info?.patient ?? null,
    back: (whose) =>
      whose
        ? html`<a
            class="whose"
            href=${boot.home}
            aria-label=${t("Sessions List")}
            title=${t("Sessions List")}
            @click=${follows(boot.home)}
            >${whose}</a>`
        : html`<a class="btn plain back" href=${boot.home} @click=${follows(boot.home)}
            ><span class="full">${t("Sessions List")}</span
            ><span class="short points" aria-hidden="true">←</span></a>`,
  });
}

/**
 * Draw the tags of this person's session, with a button to change them.
 * @param {string} visit the visit's id
 * @param {string} name the patient's name
 * @param {string[]} tags the tags
 * @param {(tags: string[]) => void} done is called with the new tags
 */
function tagsOf(visit, name, tags, done = () => {}) {
  const may = boot.tags.length || tags.length;
  return tagLine(tags, may ? () => acts.tag({ visit, name, tags }, done) : null, name);
}

/** Show the visit of a notification: its row in the list while the patient waits, otherwise its history. */
function followNotice(/** @type {{ visit: string | null }} */ { visit: id }) {
  if (id === null) return undefined;
  if (!mayClaim() || !queue.rows.some(({ visit }) => visit === id)) return acts.story(id);
  go(boot.home);
  queueMicrotask(() => {
    const row = root.querySelector(`[data-visit="${CSS.escape(id)}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("button")?.focus();
  });
  return undefined;
}

/** Return a handler for links inside the app. With a modifier key, the browser opens a new tab instead. */
function follows(/** @type {string} */ path) {
  return (/** @type {MouseEvent} */ event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(path);
  };
}

/** Show the session of a visit that this person has claimed. */
function claimed(/** @type {string} */ visit) {
  own.hold(visit);
  go(visitPath(visit));
}

/** Ask for the tags of an ended visit, and also set them in the visit's row. */
function tag(/** @type {Protocol.PastRow} */ { visit, name, tags = [] }) {
  acts.tag({ visit, name, tags }, (after) => past.tagged(visit, after));
}

/** Update the page after a message about the queue. `gone`: the visit that has left the queue, or null. */
function queued(/** @type {import("./news.js").QueueNews} */ { gone }) {
  // If the person has pressed a notification on another page, that page has put the visit's id after the `#`
  // of this address.
  const asked = /^#of=(.+)$/.exec(location.hash)?.[1];
  if (asked && !routeVisit()) {
    history.replaceState(null, "", boot.home);
    followNotice({ visit: decodeURIComponent(asked) });
  }
  keepCases();
  if (gone?.name && gone.why === "claimed" && gone.by && gone.by.id !== me.id)
    announce(t("{by} has claimed {name}.", { by: gone.by.name, name: gone.name }));
}

/** Draw a page of the app: the frame, and inside it the given content. */
function framed(/** @type {Drawn} */ content) {
  const visit = own.current;
  return frame(content, {
    boot,
    onCall,
    loaded: queue.loaded,
    waiting: queue.rows.length,
    own: visit && { visit, path: visitPath(visit.id) },
    here: routeVisit() ? "" : boot.here,
    bell: news.button(),
    languages: language.view(),
    follows,
    signOut: () => alerts.hush(),
  });
}

function list() {
  const tab = routeTab();
  const mine = sessions.of(me.id);
  const all = ordered(queue.rows, sift);
  /** @type {ListView} the state of the page, for the functions that draw the tabs */
  const view = {
    all,
    rows: sifted(all, sift, { limits: queue.limits, now_ms: client.now() }),
    parts,
    sift,
    changeSift: (chosen) => {
      const reordered = chosen.order !== sift.order;
      sift = chosen;
      parts.begin({ reordered });
    },
    staff: queue.staff,
    limits: queue.limits,
    areas: boot.areas ?? {},
    loaded: queue.loaded,
    cases,
    claims,
    me,
    now_ms: client.now(),
    onCall: onCall.on,
    mayClaim: mayClaim(),
    conversations,
    silent: !alerts.audible,
    tags: boot.tags,
    emergency: boot.emergency,
    follows,
    visitPath,
    failed,
    act: { ...acts.onRequests, claim: (row) => claims.claim(row), toggleCase: (id) => cases.toggle(id), tag },
  };
  const contents = {
    "": () => requestsTab(view),
    mine: () => takenTab(mine, view, t("A session that you claim stands here until it ends.")),
    live: () => takenTab(sessions.rows, view, t("Nobody is in a session right now.")),
    past: () => pastTab(past, view),
  };
  /** @type {[name: TabName, words: string, count?: number][]} the tabs to show, with their counts */
  const tabs = [
    ["", t("On-Demand Requests"), queue.rows.length],
    ["mine", t("Mine"), mine.length],
    ["live", t("Live now"), sessions.rows.length],
    ["past", t("Past")],
  ];
  return html`${listHead(
    view,
    tabs
      .filter(([name]) => name || view.mayClaim)
      .map(([name, words, count]) => ({ path: tabPath(name), words, count, current: tab === name })),
  )}${tab === "" || !view.mayClaim ? offCallNotice(view) : nothing}${contents[tab]()}`;
}

/** Draw the page of this person's visit after its end. */
function ended(/** @type {Protocol.VisitPart} */ visit) {
  const { home, reopen_ms } = boot;
  const reopen = () => acts.onRequests.reopen({ visit: visit.id });
  const { id, tags = [], parties } = visit;
  const tagged = (/** @type {string[]} */ after) => {
    if (own.over?.id === id) own.over = { ...own.over, tags: after };
    redraw();
  };
  return html`${afterSession(visit, { home, me, reopen_ms, now_ms: client.now(), follows, reopen })}
    ${tagsOf(id, parties.patient.name, tags, tagged)}`;
}

function draw() {
  const id = routeVisit();
  if (!id) own.over = null;
  const key =
    id && own.id === id && own.session
      ? "session"
      : id && own.over
        ? "over"
        : id && own.id
          ? "opening"
          : "list";
  const contents = {
    list,
    over: () => (own.over ? ended(own.over) : nothing),
    opening: () =>
      html`<h1>${t("Your session")}</h1>
        <p class="quiet">${t("Opening…")}</p>`,
    session: () => nothing,
  };
  const count = queue.rows.length;
  const titles = {
    session: own.session?.title,
    over: t("Session ended"),
    opening: t("Your session"),
    list: mayClaim() ? t("On-Demand Requests") : t("Sessions List"),
  };
  page.show(
    html`${connectionBar(connection, bar())} ${key === "session" ? nothing : framed(contents[key]())}
    ${
      own.session
        ? html`<div class="parked" ?hidden=${key !== "session"}>${own.session.view()}</div>`
        : nothing
    }`,
    { key, title: `${count && onCall.on ? `(${count}) ` : ""}${titles[key]}` },
  );
}

client.subscribe("sessions", (message) => {
  sessions.take(message);
  redraw();
});
client.addEventListener("welcome", ({ detail }) => {
  if (detail.visit && !own.id) own.hold(detail.visit);
  if (!detail.resumed) own.enter();
  if (routeTab() === "past" && past.rows === null) past.search().catch(failed);
});
clearAtSignOut(client, {
  signIn,
  cleared: () => {
    alerts.hush();
    own.session?.close();
  },
});
addEventListener("popstate", followRoute);
addEventListener("hashchange", followRoute);
followRoute();
tendSide();
page.begin();
