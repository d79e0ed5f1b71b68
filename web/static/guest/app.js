/* The guest's only page: the video session page while the visit is claimed or live, a sentence otherwise.
   The visit's state on the server decides which of the two is shown. A guest who leaves can come back; a
   guest who was dismissed, or whose visit has ended, cannot. */
import { Session } from "../session/session.js";
import { mark } from "../shared/brand.js";
import { html, nothing } from "../shared/lit.js";
import { LivePage } from "../shared/live_page.js";
import { inEach, t } from "../shared/text.js";
import { announce, connectionBar } from "../shared/ui.js";

/**
 * @type {LivePage<GuestBoot>} connects and draws this page; `page.boot` is the data that the server put into
 *   it
 */
const page = new LivePage("guest", draw);
const { boot, client, connection, language, redraw } = page;
const { organisation } = boot;
const bar = inEach(() => ({
  kept: t("Your place in the session is kept."),
  blocked: t(
    "This network does not let the page stay connected. Please try another one, such as mobile data, or " +
      "call the clinic.",
  ),
  closed: {
    4203: {
      text: t("This session is open in another tab."),
      label: t("Use it here"),
      act: () => client.connect(),
    },
    other: {
      text: t("This browser is no longer in the session."),
      label: t("Try again"),
      act: () => location.reload(),
    },
  },
}));

/** @type {Protocol.VisitPart | null} the visit as the server last sent it; null until its first message */
let visit = null;
// True if the guest was dismissed from the visit, or if the visit has no guest with this link.
let gone = false;
// True if the guest has left the visit with the page's button.
let away = false;
/** @type {Session | null} the video session page of the visit; null while it is not shown */
let session = null;

/**
 * @typedef {"loading" | "waiting" | "over" | "gone" | "left"} Plain a phase in which the page shows only a
 *   sentence
 */

/**
 * Return what the page must show now: the video session page, or a phase that has only a sentence.
 *
 * @returns {Plain | "session"}
 */
function phase() {
  if (gone) return "gone";
  if (away) return "left";
  if (!visit) return "loading";
  if (visit.status === "ended") return "over";
  return visit.status === "queued" ? "waiting" : "session";
}

function enter() {
  if (!away && !gone) client.request({ type: "visit.enter", visit: boot.visit }).catch(() => {});
}

function leave() {
  away = true;
  client.bye();
  follow();
}

function comeBack() {
  away = false;
  client.connect();
  follow();
}

function follow() {
  const now = phase();
  if (now === "session" && !session) {
    session = new Session({
      client,
      visit: boot.visit,
      role: "guest",
      party: boot.guest,
      organisation,
      language,
      redraw,
      left: leave,
    });
    session.open();
  } else if (now !== "session" && session) {
    session.close();
    session = null;
  }
  if (visit) session?.update(visit);
  redraw();
}

/**
 *
 * @typedef {{ heading: string, text: string, act?: () => void, label?: string }} Words the heading and the
 *   sentence of a phase, and what its button does, if it has one
 */

const WORDS = inEach(
  /**
   * Return the words of each phase.
   *
   * @returns {Record<Plain, Words>}
   */ () => ({
    loading: { heading: t("Your session"), text: t("Opening your session…") },
    waiting: {
      heading: t("Please wait"),
      text: t(
        "The clinician has left the session for now. It opens here by itself as soon as somebody takes it " +
          "up again. Nobody sees or hears you.",
      ),
    },
    over: {
      heading: t("The session is over"),
      text: t("Camera and microphone are off. You can close this page."),
    },
    gone: {
      heading: t("You are no longer in this session"),
      text: t(
        "Camera and microphone are off. If you should be in it, ask the person who invited you for a new " +
          "link.",
      ),
    },
    left: {
      heading: t("You have left the session"),
      text: t(
        "Camera and microphone are off. The session goes on without you; while it lasts you can come back.",
      ),
      act: comeBack,
      label: t("Come back"),
    },
  }),
);

/**
 * Draw the page of a phase that shows only a sentence.
 *
 * @param {Plain} now the present phase
 */
function plain(now) {
  const { heading, text, act, label } = WORDS()[now];
  return html`<header class="top">
      <span class="home">${mark(organisation)}<bdi>${organisation.name}</bdi></span>
    </header>
    <main id="main" tabindex="-1" class="page stack" data-phase=${now}>
      <section class="card stack">
        <h1 tabindex="-1" data-focus>${heading}</h1>
        <p role="status">${text}</p>
        ${
          act
            ? html`<p><button type="button" class="btn main big" @click=${act}>${label}</button></p>`
            : nothing
        }
      </section>
    </main>
    <footer class="foot">${language.view()}</footer>`;
}

function draw() {
  const now = phase();
  const banner =
    now === "session" || now === "waiting" || now === "loading" ? connectionBar(connection, bar()) : nothing;
  const changed = page.show(
    html`${banner}${
      now === "session" && session ? session.view() : plain(now === "session" ? "loading" : now)
    }`,
    { key: now, title: now === "session" ? (session?.title ?? t("Your session")) : WORDS()[now].heading },
  );
  if (changed && now === "session") announce(session?.title ?? "");
}

client.addEventListener("welcome", ({ detail }) => detail.resumed || enter());
client.subscribe(
  `visit/${boot.visit}`,
  (message) => {
    visit = message.visit;
    gone = visit.status !== "ended" && !(boot.guest in visit.parties);
    follow();
    if (gone) client.bye();
  },
  () => {
    gone = true;
    follow();
    client.bye();
  },
);
page.begin();
