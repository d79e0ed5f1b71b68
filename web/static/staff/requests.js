/* Draws the tab On-Demand Requests: one row per patient in the queue, the longest wait first, with Case
   Information inside the row. A row is drawn again only if its data have changed; the clocks in it are
   elements that update themselves. */
import { caseInformation } from "../shared/case.js";
import { clock, languageName, stateName } from "../shared/format.js";
import { guard, html, nothing, render, repeat } from "../shared/lit.js";
import { one } from "../shared/page.js";
import { inEach, t } from "../shared/text.js";
import { closeMenu } from "../shared/ui.js";
import { closingNotices } from "./closing.js";
import { escalationWords } from "./escalations.js";
import { isLicensed } from "./licences.js";
import { overLimits } from "./over_limits.js";
import { siftFields } from "./sift.js";
import { urgencyChip } from "./urgency.js";

/** Draw how far the patient is in the setup guide. */
function progress(/** @type {QueuedRow} */ row) {
  if (row.guide_done)
    return html`<span class="chip"><span class="dot"></span>${t("In the waiting room")}</span>`;
  return html`<span class="progress"><span class="num">${t("Step {step} of {steps}", row)}</span>
    <progress max=${row.steps} .value=${row.step} aria-label=${t("Setup guide")}></progress></span>`;
}

/** Draw whether the patient is online, or for how long they have been offline. */
function presence(/** @type {QueuedRow} */ row) {
  if (row.online) return html`<span class="online"><span class="dot"></span>${t("Online")}</span>`;
  return html`<span class="chip off">${t("Offline")}
    ${row.away_since_ms ? html`<since-clock since=${row.away_since_ms}></since-clock>` : nothing}</span>`;
}

/**
 * Return the entries of a row's menu.
 * @param {QueuedRow} request the row of the request
 * @param {ListView} view the state of the page
 */
function entries(request, { act, areas, me, conversations }) {
  /**
   * Draw an entry of the menu.
   * @param {string} words the text of the entry
   * @param {(request: QueuedRow) => void} run is called when the entry is pressed
   */
  const entry = (words, run) =>
    html`<button
      type="button"
      class="btn plain"
      @click=${(/** @type {On<HTMLButtonElement>} */ event) => {
        closeMenu(event.currentTarget);
        run(request);
      }}>
      ${words}
    </button>`;
  return html`${entry(t("Send a message"), (row) => conversations.open(row))}
  ${entry(t("Set the urgency…"), act.urgency)}
  ${Object.keys(areas).length ? entry(t("Move to another waiting area…"), act.move) : nothing}
  ${me.role === "admin" && request.assignee ? entry(t("Take the assignment back"), act.unassign) : nothing}`;
}

/**
 * Return an administrator's buttons Assign and Decline, which are shown beside Claim.
 * @param {QueuedRow} request the row of the request
 * @param {ListView["act"]} act the functions that the buttons call
 */
function decisions(request, act) {
  return html`<button
      type="button"
      class="btn"
      aria-label=${t("Assign {name}", request)}
      @click=${() => act.assign(request)}>
      ${t("Assign")}</button
    ><button
      type="button"
      class="btn danger"
      aria-label=${t("Decline {name}", request)}
      @click=${() => act.decline(request)}>
      ${t("Decline")}
    </button>`;
}

/**
 * Draw the button of a row's menu. The menu's entries are drawn when it opens, because there may be hundreds
 * of rows with such a button.
 * @param {QueuedRow} request the row of the request
 * @param {ListView} view the state of the page
 */
function more(request, view) {
  const fill = (/** @type {On<HTMLDetailsElement>} */ { currentTarget: menu }) => {
    // The style sheet needs `data-menu`. Without this attribute, a menu that is larger than its row would be
    // cut off.
    menu.closest("li")?.toggleAttribute("data-menu", menu.open);
    render(menu.open ? entries(request, view) : nothing, one(".card", HTMLElement, menu));
  };
  return html`<details class="more" @toggle=${fill}>
    <summary class="btn" aria-label=${t("More for {name}", { name: request.name })}>${t("More")}</summary>
    <div class="card"></div>
  </details>`;
}

/** Draw a coloured label if `shown` is true, otherwise nothing. */
/** @type {(shown: boolean | undefined, colour: string, words: string) => unknown} */
const chip = (shown, colour, words) => (shown ? html`<span class="chip ${colour}">${words}</span>` : nothing);

const LANGUAGE = inEach(() => ({}));
const DAY_MS = 86_400_000;

/**
 * Return the values on which the content of a row depends. lit draws the row again if one of them has
 * changed. The date of today is one of them, because the age in Case Information depends on it.
 * @param {QueuedRow} request the row of the request
 * @param {ListView} view the state of the page
 */
function shown(request, view) {
  const open = view.cases.get(request.visit);
  return [
    request,
    view.limits,
    view.me,
    view.mayClaim,
    view.claims.isOpen(request.visit),
    view.claims.foundNoPlace(request.visit),
    view.conversations.isUnread(request),
    open !== undefined,
    open?.info,
    open?.refused,
    open && Math.floor(view.now_ms / DAY_MS),
    LANGUAGE(),
  ];
}

/**
 * Draw the content of a row.
 * @param {QueuedRow} request the row of the request
 * @param {ListView} view the state of the page
 */
function content(request, view) {
  const { limits, act } = view;
  const open = view.cases.get(request.visit);
  const claiming = view.claims.isOpen(request.visit);
  const panel = `case-${request.visit}`;
  return html`<div class="waited">
      <wait-clock
        class="wait"
        since=${request.arrived_ms}
        amber=${limits.amber_ms}
        red=${limits.red_ms}></wait-clock>
      <span class="sr"> ${t("waiting")}</span>
      <span class="chip amber over amber-only"
        >${t("Over {n} min", { n: Math.round(limits.amber_ms / 60_000) })}</span>
      <span class="chip red over red-only"
        >${t("Over {n} min", { n: Math.round(limits.red_ms / 60_000) })}</span>
    </div>
    <div class="who">
      <div class="row">
        <h2><bdi>${request.name}</bdi></h2>
        ${presence(request)} ${urgencyChip(request, limits)}
        ${
          request.booked_ms
            ? html`<span class="chip">${t("Booked {at}", { at: clock(request.booked_ms) })}</span>`
            : nothing
        }
        ${chip(request.blocked, "amber", t("No video: network or browser"))}
        ${chip(view.claims.foundNoPlace(request.visit), "red", t("No free place for a call"))}
        ${
          request.returned
            ? html`<span class="chip amber"
                >${t("Returned")}${request.returned > 1 ? ` ${request.returned}×` : ""}</span>`
            : nothing
        }
        ${
          request.assignee
            ? html`<span class="chip">${
                request.assignee.id === view.me.id ? t("For you") : t("For {name}", request.assignee)
              }</span>`
            : nothing
        }
      </div>
      <p class="reason"><bdi>${request.reason}</bdi></p>
      <div class="meta">
        ${progress(request)}<span>${request.state ? stateName(request.state) : nothing}${
          isLicensed(view.me, request)
            ? nothing
            : html` <b class="unlicensed">· ${t("you are not licensed there")}</b>`
        }</span><span class="num" dir="ltr">${request.phone_shown || request.phone}</span>
        <span>${languageName(request.language)}</span>
        ${request.area ? html`<bdi class="area">${request.area.name}</bdi>` : nothing}
        ${request.facility ? html`<span>${t("At {place}", { place: request.facility })}</span>` : nothing}
        ${
          request.filled_in_by
            ? html`<span>${t("By {name}", { name: request.filled_in_by })}</span>`
            : nothing
        }
        ${
          request.escalations?.length
            ? html`<span class="num">${escalationWords(request.escalations)}</span>`
            : nothing
        }
      </div>
    </div>
    <div class="acts ${view.me.role === "admin" ? "decide" : ""}">
      ${
        view.mayClaim && view.conversations.isUnread(request)
          ? html`<button
              type="button"
              class="btn answered"
              aria-label=${t("New answer of {name}", request)}
              @click=${() => view.conversations.open(request)}>
              <span class="dot"></span>${t("New answer")}
            </button>`
          : nothing
      }
      <button
        type="button"
        class="btn case-of"
        aria-expanded=${open ? "true" : "false"}
        aria-controls=${open ? panel : nothing}
        ?disabled=${!view.mayClaim}
        aria-label=${t("Case Information of {name}", request)}
        @click=${() => act.toggleCase(request.visit)}>
        ${t("Case Information")}
      </button>
      ${view.mayClaim ? more(request, view) : nothing}
      <button
        type="button"
        class="btn main"
        ?disabled=${!view.mayClaim}
        aria-disabled=${claiming ? "true" : nothing}
        aria-label=${t("Claim {name}", request)}
        @click=${() => !claiming && act.claim(request)}>
        ${claiming ? t("Claiming…") : t("Claim")}
      </button>
      ${view.me.role === "admin" ? decisions(request, act) : nothing}
    </div>
    ${
      open
        ? html`<section class="panel" id=${panel} aria-label=${t("Case Information of {name}", request)}>
            ${
              open.refused
                ? html`<p class="quiet">${open.refused}</p>`
                : caseInformation(open.info, view.now_ms)
            }
          </section>`
        : nothing
    }`;
}

/**
 * Draw a row. A row that does not match the search stays in the document, hidden, because building hundreds
 * of rows again takes long.
 * @param {QueuedRow} request the row of the request
 * @param {ListView} view the state of the page
 * @param {boolean} hidden true if the row does not match the search
 */
function row(request, view, hidden) {
  return html`<li
    class="card req ${request.arriving ? "arrive" : ""}"
    data-visit=${request.visit}
    ?data-open=${view.cases.has(request.visit)}
    ?hidden=${hidden}>
    ${guard(shown(request, view), () => content(request, view))}
  </li>`;
}

/** The greatest number of people on call whose names are above the list; a button opens the list of all. */
const NAMED = 6;

/** Draw the list of all staff on call or in a session, with their state. */
function onCallList(/** @type {ListView} */ view) {
  const people = [...view.staff.values()]
    .filter((person) => person.on_call || person.in_session)
    .sort((a, b) => a.name.localeCompare(b.name));
  if (!people.length)
    return html`<p class="quiet small">${t("Nobody is on call: patients are told so on the calendar.")}</p>`;
  const list = html`<ul role="list" class="people" aria-label=${t("Staff on call")}>
    ${repeat(
      people,
      ({ id }) => id,
      (person) =>
        html`<li class="chip ${person.in_session ? "off" : ""}">
          <span class="dot"></span><bdi>${person.name}</bdi>${
            person.id === view.me.id ? ` ${t("(you)")}` : ""
          }<span class="quiet">${person.in_session ? t("in a session") : t("on call")}</span>
        </li>`,
    )}
  </ul>`;
  if (people.length <= NAMED) return list;
  return html`<details class="more on-call">
    <summary class="btn">${t("{n} on call", { n: people.length })}</summary>
    <div class="card">${list}</div>
  </details>`;
}

/**
 * Draw the notice about what a person does not get while off call; draw nothing for a person on call.
 * @param {ListView} view the state of the page
 */
export function offCallNotice(view) {
  if (view.onCall || !view.loaded) return nothing;
  return html`<div class="notice">
    <p>
      <b>${t("You are off call.")}</b> ${
        view.mayClaim
          ? t("Turn on On-Call to hear new requests.")
          : t("Turn on On-Call: the tab On-Demand Requests opens, and you hear new requests.")
      }
    </p>
  </div>`;
}

/**
 * Draw the sentence for an empty queue.
 * @param {ListView} view the state of the page
 */
function empty(view) {
  return html`<div class="card empty">
    <h2>${t("Nobody is waiting")}</h2>
    <p class="quiet">
      ${
        view.onCall
          ? t(
              "A new request appears here by itself, with a chime. You may leave this page open in the " +
                "background.",
            )
          : t("Turn on On-Call, and a new request appears here with a chime.")
      }
    </p>
  </div>`;
}

/**
 * Draw what is above the list: the tabs, and the staff on call.
 * @param {ListView} view the state of the page
 * @param {Tab[]} tabs the tabs of the list
 */
export function listHead(view, tabs) {
  return html`<div class="head">
      <h1 tabindex="-1" data-focus>${t("Sessions List")}</h1>
      ${onCallList(view)}
    </div>
    <nav class="tabs" aria-label=${t("Sessions")}>
      ${tabs.map(
        (tab) =>
          html`<a
            href=${tab.path}
            aria-current=${tab.current ? "page" : nothing}
            @click=${view.follows(tab.path)}>${tab.words}${
              tab.count === undefined ? nothing : html` · <span class="num">${tab.count}</span>`
            }</a>`,
      )}
    </nav>`;
}

/**
 * Return the name of the list for screen readers. It contains the order of the rows.
 * @param {Protocol.QueueLimits} limits the settings of the queue
 */
const inOrderWords = ({ urgent_first }) =>
  urgent_first ? t("Patients, most urgent first") : t("Patients, longest waiting first");

/**
 * Return the ids of the areas where this person works; empty for all areas, and for an administrator.
 * @param {ListView} view the state of the page
 */
const ownAreas = ({ me, staff }) => (me.role === "admin" ? [] : (staff.get(me.id)?.areas ?? []));

/**
 * Draw the tab On-Demand Requests.
 * @param {ListView} view the state of the page
 */
export function requestsTab(view) {
  const { rows, shown } = view.parts.of(view.all, view.rows);
  return html`${
    view.onCall && view.silent
      ? html`<div class="notice amber">
            <p>
              <b>${t("The chime is blocked by this browser")}</b>
              ${t("until you press a key or click anywhere on this page.")}
            </p>
          </div>`
      : nothing
  }
    ${view.loaded ? nothing : html`<p class="quiet">${t("Opening the list…")}</p>`}
    <div class="over-limits" role="status">${overLimits(
      view.all,
      view.limits,
      view.now_ms,
      ownAreas(view),
    ).map((said) => html`<p class="notice red">${said}</p>`)}${closingNotices(view)}</div>
    ${view.loaded && !view.all.length ? empty(view) : siftFields(view)}
    <ul
      role="list"
      class="requests"
      aria-label=${view.sift.order ? t("Patients") : inOrderWords(view.limits)}>
      ${repeat(
        rows,
        ({ visit }) => visit,
        (request) => row(request, view, !shown.has(request)),
      )}
    </ul>`;
}
