/* The frame of the staff's app: the On-Call switch, the way to the other pages, the way back to one's own
   session; and what is shown after it. Draws what it is given. */
import { mark } from "../shared/brand.js";
import { clock, initials, minutes } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { ownField } from "../shared/own.js";
import { inEach, t } from "../shared/text.js";
import { HELD } from "./sessions.js";

const ROLES = inEach(() => ({ provider: t("Provider"), admin: t("Administrator") }));

/** The other pages; which of them there are for this person, the server says. */
const PAGES = inEach(() => [
  { key: /** @type {const} */ ("calendar"), words: t("Calendar") },
  { key: /** @type {const} */ ("reports"), words: t("Reports") },
  { key: /** @type {const} */ ("setup"), words: t("Set-up") },
  { key: /** @type {const} */ ("preferences"), words: t("My settings") },
]);

/**
 * @param {Drawn} content
 * @param {{
 *   boot: ListBoot,
 *   onCall: boolean,
 *   switching: boolean,
 *   loaded: boolean,
 *   waiting: number,
 *   own: { visit: Protocol.VisitPart, path: string } | null,
 *   atList: boolean,
 *   bell: Drawn,
 *   languages: Drawn,
 *   follows: ListView["follows"],
 *   switchOnCall: () => void,
 *   signOut: () => void,
 * }} view `own` is one's own session; `waiting` is how many patients wait
 */
export function frame(content, view) {
  const { boot, own, follows } = view;
  const { me, organisation } = boot;
  return html`<div class="staff">
    <header class="side">
      <p class="org">${mark(organisation)}<span>${organisation.name}</span></p>
      <div class="me">
        <button
          type="button"
          class="switch"
          role="switch"
          aria-checked=${view.onCall ? "true" : "false"}
          aria-busy=${view.switching ? "true" : "false"}
          ?disabled=${!view.loaded}
          @click=${view.switchOnCall}>
          <i></i>${t("On-Call")}
        </button>
        <span class="face" aria-hidden="true">${initials(me.name)}</span>
        <p class="name"><b><bdi>${me.name}</bdi></b>
          <span class="small quiet">${ROLES()[me.role] ?? me.role}</span></p>
      </div>
      <nav aria-label=${t("Main")}>
        <a href=${boot.home} aria-current=${view.atList ? "page" : nothing} @click=${follows(boot.home)}
          >${t("Sessions List")}
          <span class="chip num">${view.waiting}<span class="sr"> ${t("waiting")}</span></span></a>
        ${view.bell}
        ${PAGES().map(({ key, words }) => (boot[key] ? html`<a href=${boot[key]}>${words}</a>` : nothing))}
      </nav>
      ${view.languages}
      <form method="post" action=${boot.sign_out} @submit=${view.signOut}>
        ${ownField()}<button class="btn plain">${t("Sign out")}</button>
      </form>
    </header>
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
 * What is shown of one's own visit that is over; `reopen()` takes it up again while that is possible.
 *
 * @param {Protocol.VisitPart} visit
 * @param {{
 *   home: string,
 *   me: Account,
 *   reopen_ms: number,
 *   now_ms: number,
 *   follows: ListView["follows"],
 *   reopen: () => void,
 * }} view
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
