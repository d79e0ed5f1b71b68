/* Draws the frame of every page of the staff: the On-Call switch, the bell, and links to the other pages and
   to this person's session. This script also draws the page after a session. It keeps no data. On a phone
   the links are in a menu. */
import { mark } from "../shared/brand.js";
import { clock, initials, minutes } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { ownField } from "../shared/own.js";
import { inEach, t } from "../shared/text.js";
import { HELD } from "./sessions.js";

/** @type {() => Record<string, string>} the names of the roles; an auditor's frame is drawn by the server */
const ROLES = inEach(() => ({ provider: t("Provider"), admin: t("Administrator") }));

/**
 * @type {() => Record<string, string>} The names of the pages in the menu; the server decides which of these
 *   pages a person gets.
 */
const PAGES = inEach(() => ({
  sessions: t("Sessions List"),
  calendar: t("Calendar"),
  reports: t("Reports"),
  setup: t("Set-up"),
  preferences: t("My settings"),
}));

/**
 * @typedef {{
 *   boot: StaffBoot,
 *   onCall: import("./on_call.js").OnCall,
 *   loaded: boolean,
 *   waiting: number,
 *   here: string,
 *   bell: Drawn,
 *   languages: Drawn,
 *   follows: ListView["follows"],
 *   signOut: () => void,
 * }} Side what the header needs. `loaded`: true when the state of the queue has arrived; `waiting`: the
 *   number of patients who wait; `here`: the page that is open, "" for none of those in the menu; `bell` and
 *   `languages`: drawn parts; `follows(path)` returns the handler of a link
 */

/** @type {() => HTMLElement | null} returns the button of the phone's menu, if there is one */
const menuButton = () => document.querySelector(".side .menu-button");

/**
 * Open or close the phone's menu.
 *
 * @param {boolean} open true to open the menu
 */
const showMenu = (open) => menuButton()?.setAttribute("aria-expanded", String(open));

/** Close the phone's menu at Escape, and when an element outside of it is pressed or gets the focus. */
export function tendSide() {
  const isOpen = () => menuButton()?.getAttribute("aria-expanded") === "true";
  document.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !isOpen()) return;
    showMenu(false);
    menuButton()?.focus();
  });
  for (const type of ["pointerdown", "focusin"]) {
    document.addEventListener(type, ({ target }) => {
      if (isOpen() && !(target instanceof Element && target.closest(".side"))) showMenu(false);
    });
  }
}

/**
 * Draw the frame's header.
 *
 * @param {Side} view the data to show, and the functions that its links and switches call
 */
export function side({ boot, onCall, loaded, waiting, here, bell, languages, follows, signOut }) {
  const { me, organisation } = boot;
  const toggle = (/** @type {On<HTMLButtonElement>} */ { currentTarget: button }) =>
    showMenu(button.getAttribute("aria-expanded") !== "true");
  const followed = (/** @type {On<Element>} */ { target }) => target.closest("a") && showMenu(false);
  const count = html`<span class="chip num">${waiting}<span class="sr"> ${t("waiting")}</span></span>`;
  return html`<p class="org">${mark(organisation)}<bdi>${organisation.name}</bdi></p>
      <div class="me">
        <button
          type="button"
          class="switch"
          role="switch"
          aria-checked=${onCall.on ? "true" : "false"}
          aria-busy=${onCall.switching ? "true" : "false"}
          ?disabled=${!loaded}
          @click=${() => onCall.turn()}>
          <i></i>${t("On-Call")}
        </button>
        <span class="face" aria-hidden="true">${initials(me.name)}</span>
        <p class="name"><b><bdi>${me.name}</bdi></b>
          <span class="small quiet">${ROLES()[me.role] ?? me.role}</span></p>
      </div>
      ${bell}
      <button
        type="button"
        class="btn menu-button"
        aria-expanded="false"
        aria-controls="side-menu"
        @click=${toggle}>
        ${t("Menu")} ${waiting ? count : nothing}
      </button>
      <div class="menu" id="side-menu" @click=${followed}>
        <nav aria-label=${t("Main")}>
          ${boot.pages.map(
            ({ key, path }) =>
              html`<a
                href=${path}
                aria-current=${key === here ? "page" : nothing}
                @click=${path === boot.home ? follows(path) : nothing}
                >${PAGES()[key]} ${key === "sessions" ? count : nothing}</a>`,
          )}
        </nav>
        ${languages}
        <form method="post" action=${boot.sign_out} @submit=${signOut}>
          ${ownField()}<button class="btn plain">${t("Sign out")}</button>
        </form>
      </div>`;
}

/**
 * Draw a page of the staff's app, with the frame around its content.
 *
 * @param {Drawn} content the drawn page
 * @param {Side & { own: { visit: Protocol.VisitPart, path: string } | null }} view what the frame's
 *   header needs; `own`: the session of this person, or null
 */
export function frame(content, view) {
  const { own, follows } = view;
  return html`<div class="staff">
    <header class="side live">${side(view)}</header>
    <div class="content">
      ${
        own
          ? html`<a class="notice own" href=${own.path} @click=${follows(own.path)}
              ><span><b>${t("Back to session with {name}", own.visit.parties.patient)}</b></span
              ><since-clock since=${own.visit.live_ms ?? own.visit.claimed_ms}></since-clock></a>`
          : nothing
      }
      <main id="main" tabindex="-1" class="stack">${content}</main>
    </div>
  </div>`;
}

/**
 * Draw the page of this person's visit after its end.
 *
 * @param {Protocol.VisitPart} visit the state of the visit
 * @param {{
 *   home: string,
 *   me: Account,
 *   reopen_ms: number,
 *   now_ms: number,
 *   follows: ListView["follows"],
 *   reopen: () => void,
 * }} view `home`: the path of the list; `me`: the signed-in person; `reopen_ms`: the time in ms after the end
 *   in which the visit can be reopened; `now_ms`: the time now, in ms since 1970; `follows(path)` returns the
 *   handler of a link; `reopen()` reopens the visit
 */
export function afterSession(visit, { home, me, reopen_ms, now_ms, follows, reopen }) {
  const { patient } = visit.parties;
  const until_ms = (visit.ended_ms ?? 0) + reopen_ms;
  const mayReopen = HELD.has(visit.outcome) && visit.claimant?.id === me.id && now_ms < until_ms;
  return html`<section class="card stack after">
    <h1 tabindex="-1" data-focus>${t("Session with {name} has ended", patient)}</h1>
    <p>
      ${visit.outcome === "withdrawn" ? t("{name} has left the visit.", patient) : nothing}
      ${visit.talked_ms ? t("You talked for {time}.", { time: minutes(visit.talked_ms) }) : nothing}
      ${t("Camera and microphone are off.")}
    </p>
    <p class="row">
      <a class="btn main" href=${home} @click=${follows(home)}>${t("Back to On-Demand Requests")}</a>
      ${
        mayReopen ? html`<button type="button" class="btn" @click=${reopen}>${t("Reopen")}</button>` : nothing
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
