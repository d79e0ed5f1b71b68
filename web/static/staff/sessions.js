/* Draws three tabs of the Sessions List: Mine (this person's sessions), Live now (all claimed or live
   visits), and Past (ended visits with a search). */
import { contactWords } from "../shared/contacts.js";
import { minutes, moment } from "../shared/format.js";
import { html, nothing, repeat } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { quoted } from "../shared/ui.js";
import { tagLine } from "./tags.js";

/** @type {Record<string, () => string>} outcome of a visit -> a function that returns it in words */
export const OUTCOMES = {
  completed: () => t("Completed"),
  by_phone: () => t("Held by phone"),
  declined: () => t("Declined"),
  withdrawn: () => t("Patient left"),
  expired: () => t("Expired"),
  closed: () => t("Clinic closed"),
};
/** @type {Set<string | null>} the outcomes of visits that took place */
export const HELD = new Set(["completed", "by_phone"]);
const DAY_MS = 86_400_000;
const AGAIN_MS = 500;

/**
 * @typedef {Omit<Protocol.SessionsPast, "type" | "id" | "before_visit">} Filters the filters of a search for
 *   ended visits
 */

/** Holds the claimed and live visits that this browser knows; it does not draw them. */
export class Sessions {
  /** @type {Protocol.SessionRow[]} the claimed and live visits, the earliest claim first */
  rows = [];

  /**
   * Apply a message of the topic `sessions`.
   *
   * @param {Protocol.Topics["sessions"]} message a message of the topic
   */
  take(message) {
    if (message.type === "sessions.snapshot") this.rows = message.rows;
    else if (message.type === "sessions.row") {
      const rows = [...this.rows.filter(({ visit }) => visit !== message.row.visit), message.row];
      this.rows = rows.sort((a, b) => (a.claimed_ms ?? 0) - (b.claimed_ms ?? 0));
    } else this.rows = this.rows.filter(({ visit }) => visit !== message.visit);
  }

  /**
   * Return the rows of the visits that a member of staff has claimed.
   *
   * @param {string} person the id of the member of staff
   */
  of(person) {
    return this.rows.filter((row) => row.claimant?.id === person);
  }
}

/**
 * A search for ended visits: the filters, the results, whether there are more results, and how many ended
 * visits the server has not yet looked through.
 */
export class Past {
  /** @type {Protocol.PastRow[] | null} the visits that were found; null until the first answer */
  rows = null;
  more = false;
  unread = 0;
  busy = false;
  /** @type {Filters} what the person searches for */
  filters = {};
  #searches = 0;
  #client;
  #changed;

  /**
   * Prepare a search, which reads nothing yet.
   *
   * @param {import("../signalling.js").SignallingClient} client the connection to the server
   * @param {() => void} changed is called after each change
   */
  constructor(client, changed) {
    this.#client = client;
    this.#changed = changed;
  }

  /**
   * Set the new tags of a visit in the results of the search.
   *
   * @param {string} visit the visit's id
   * @param {string[]} tags the tags
   */
  tagged(visit, tags) {
    this.rows = this.rows?.map((row) => (row.visit === visit ? { ...row, tags } : row)) ?? null;
    this.#changed();
  }

  async search(filters = this.filters, { further = false } = {}) {
    const search = ++this.#searches;
    this.filters = filters;
    this.busy = true;
    this.#changed();
    try {
      do {
        if (further && this.unread) await new Promise((done) => setTimeout(done, AGAIN_MS));
        if (search !== this.#searches) return;
        const oldest = further ? this.rows?.at(-1) : undefined;
        const last = oldest ? { before_ms: oldest.ended_ms, before_visit: oldest.visit } : {};
        const found = await this.#client.request({ type: "sessions.past", ...filters, ...last });
        if (search !== this.#searches) return;
        this.rows = further ? [...(this.rows ?? []), ...found.rows] : found.rows;
        this.more = found.more;
        this.unread = found.unread ?? 0;
        further = true;
        this.#changed();
      } while (this.unread);
    } finally {
      if (search === this.#searches) {
        this.busy = false;
        this.unread = 0;
        this.#changed();
      }
    }
  }
}

/**
 * Draw a row of any of these tabs: the time, the patient, the buttons, and a button for the visit's history.
 *
 * @param {Protocol.SessionRow | Protocol.PastRow} row the row of the visit
 * @param {ListView} view the state of the page
 * @param {{ when: Drawn, about: Drawn, acts: Drawn }} parts the drawn parts of the row: `when` the time,
 *   `about` the details, `acts` the buttons
 */
function card(row, view, { when, about, acts }) {
  return html`<li class="card req">
    ${when}
    <div class="who">${about}</div>
    <div class="acts">
      ${acts}
      <button type="button" class="btn" @click=${() => view.act.story(row.visit)}>
        ${t("History")}<span class="sr"> ${row.name}</span>
      </button>
    </div>
  </li>`;
}

/**
 * Draw the row of a claimed or live visit.
 *
 * @param {Protocol.SessionRow} row the row of the visit
 * @param {ListView} view the state of the page
 */
function taken(row, view) {
  const own = row.claimant?.id === view.me.id;
  const present = ["patient", "provider"].filter((party) => row.present.includes(party));
  const who =
    present.length === 2
      ? t("Both are there")
      : present.length
        ? present[0] === "patient"
          ? t("The patient is there")
          : t("The provider is there")
        : t("Nobody is there");
  return card(row, view, {
    when: html`<div class="waited">
      <since-clock class="wait" since=${row.live_ms ?? row.claimed_ms}></since-clock>
      <span class="chip ${row.status === "live" ? "" : "off"}"
        >${row.status === "live" ? t("Live") : t("Claimed")}</span>
    </div>`,
    about: html`<h2><bdi>${row.name}</bdi></h2>
      <p class="meta"><bdi>${row.claimant?.name ?? ""}</bdi><span>${who}</span>${row.contacts?.map(
        (contact) => html`<span>${contactWords(contact)}</span>`,
      )}</p>`,
    acts: html`${
      own
        ? html`<a
              class="btn main"
              href=${view.visitPath(row.visit)}
              @click=${view.follows(view.visitPath(row.visit))}
              >${t("Open")}<span class="sr"> ${row.name}</span></a>`
        : nothing
    }
      ${
        view.me.role === "admin" && !own
          ? html`<button type="button" class="btn" @click=${() => view.act.release(row)}>
              ${t("Return to queue")}<span class="sr"> ${row.name}</span>
            </button>`
          : nothing
      }
      ${own ? nothing : emergency(row, view)}`,
  });
}

/**
 * Draw the link to emergency access, for a provider to whom the roles do not show the visit.
 *
 * @param {{ visit: string, name: string }} row the row of the visit
 * @param {ListView} view the state of the page
 */
const emergency = (row, view) =>
  view.emergency && view.me.role !== "admin"
    ? html`<a class="btn plain" href="${view.visitPath(row.visit)}/emergency"
        >${t("Emergency access")}<span class="sr"> ${row.name}</span></a>`
    : nothing;

/**
 * Draw the tab "Mine" or the tab "Live now".
 *
 * @param {Protocol.SessionRow[]} rows the rows of the tab
 * @param {ListView} view the state of the page
 * @param {string} emptyText the text if there is no row
 */
export function takenTab(rows, view, emptyText) {
  return html`${
    rows.length
      ? nothing
      : html`<div class="card empty">
            <h2>${t("No sessions")}</h2>
            <p class="quiet">${emptyText}</p>
          </div>`
  }
    <ul role="list" class="requests">
      ${repeat(
        rows,
        ({ visit }) => visit,
        (row) => taken(row, view),
      )}
    </ul>`;
}

/**
 * Return true if this person may change the tags of an ended visit.
 *
 * @param {Protocol.PastRow} row the row of the ended visit
 * @param {ListView} view the state of the page
 */
function mayTag(row, { me, tags }) {
  const its = me.role === "admin" || row.claimant?.id === me.id;
  return its && (tags.length > 0 || (row.tags ?? []).length > 0);
}

/**
 * Draw the row of an ended visit.
 *
 * @param {Protocol.PastRow} row the row of the ended visit
 * @param {ListView} view the state of the page
 */
function ended(row, view) {
  const mayReopen =
    row.claimant?.id === view.me.id && row.reopen_until_ms && row.reopen_until_ms > view.now_ms;
  return card(row, view, {
    when: html`<div class="waited num">
      <span>${row.ended_ms ? moment(row.ended_ms) : nothing}</span>
    </div>`,
    about: html`<div class="row">
        <h2><bdi>${row.name}</bdi></h2>
        <span class="chip ${HELD.has(row.outcome) ? "" : "off"}"
          >${OUTCOMES[row.outcome ?? ""]?.() ?? row.outcome}</span>
      </div>
      <p class="meta">
        <bdi>${row.claimant?.name ?? t("Nobody claimed it")}</bdi>${
          row.talked_ms
            ? html`<span>${t("Talked for {time}", { time: minutes(row.talked_ms) })}</span>`
            : nothing
        }
        ${quoted(row.reason)}
      </p>
      ${tagLine(row.tags ?? [], mayTag(row, view) ? () => view.act.tag(row) : null, row.name)}`,
    acts: html`${
      mayReopen
        ? html`<button type="button" class="btn main" @click=${() => view.act.reopen(row)}>
              ${t("Reopen")}<span class="sr"> ${row.name}</span>
            </button>`
        : nothing
    }
    ${row.claimant?.id === view.me.id ? nothing : emergency(row, view)}`,
  });
}

/**
 * Return the filters that a person has filled in.
 *
 * @param {HTMLFormElement} form the form with the filters
 * @returns {Filters}
 */
function filtersOf(form) {
  const data = new FormData(form);
  const field = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
  const midnight_ms = (/** @type {string} */ day) => new Date(`${day}T00:00`).getTime();
  const given = {
    text: field("text"),
    provider: field("provider"),
    outcome: field("outcome"),
    tag: field("tag"),
    since_ms: field("since") && midnight_ms(field("since")),
    before_ms: field("until") && midnight_ms(field("until")) + DAY_MS,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value));
}

/**
 * Draw the tab "Past".
 *
 * @param {Past} past the search for ended visits
 * @param {ListView} view the state of the page
 */
export function pastTab(past, view) {
  const people = [...view.staff.values()].sort((a, b) => a.name.localeCompare(b.name));
  const search = (/** @type {On<HTMLFormElement>} */ event) => {
    event.preventDefault();
    past.search(filtersOf(event.currentTarget)).catch(view.failed);
  };
  return html`<form
      class="card filters"
      role="search"
      aria-label=${t("Past sessions")}
      @submit=${search}
      @change=${(/** @type {On<HTMLFormElement>} */ event) => event.currentTarget.requestSubmit()}>
      <div class="field">
        <label for="past-text">${t("Patient")}</label
        ><input class="input" id="past-text" name="text" type="search" maxlength="100" autocomplete="off" />
      </div>
      <div class="field">
        <label for="past-provider">${t("Provider")}</label
        ><select class="input" id="past-provider" name="provider">
          <option value="">${t("Anyone")}</option>
          ${people.map((person) => html`<option value=${person.id} dir="auto">${person.name}</option>`)}
        </select>
      </div>
      <div class="field">
        <label for="past-outcome">${t("Outcome")}</label
        ><select class="input" id="past-outcome" name="outcome">
          <option value="">${t("Any")}</option>
          ${Object.entries(OUTCOMES).map(([code, words]) => html`<option value=${code}>${words()}</option>`)}
        </select>
      </div>
      ${
        view.tags.length
          ? html`<div class="field">
              <label for="past-tag">${t("Tag")}</label
              ><select class="input" id="past-tag" name="tag">
                <option value="">${t("Any")}</option>
                ${view.tags.map((tag) => html`<option value=${tag}>${tag}</option>`)}
              </select>
            </div>`
          : nothing
      }
      <div class="field">
        <label for="past-since">${t("From")}</label
        ><input class="input" id="past-since" name="since" type="date" />
      </div>
      <div class="field">
        <label for="past-until">${t("To")}</label
        ><input class="input" id="past-until" name="until" type="date" />
      </div>
      <button class="btn">${t("Search")}</button>
    </form>
    <p class="sr" role="status">
      ${past.rows && !past.busy ? t("{n} sessions found", { n: past.rows.length }) : ""}
    </p>
    ${past.rows === null ? html`<p class="quiet">${t("Opening the list…")}</p>` : nothing}
    ${
      past.rows && !past.rows.length && !past.unread
        ? html`<div class="card empty">
            <h2>${t("Nothing found")}</h2>
            <p class="quiet">${t("Try other words or a longer time.")}</p>
          </div>`
        : nothing
    }
    <ul role="list" class="requests" aria-label=${t("Past sessions, newest first")}>
      ${repeat(
        past.rows ?? [],
        ({ visit }) => visit,
        (row) => ended(row, view),
      )}
    </ul>
    ${
      past.unread
        ? html`<p class="quiet" role="status">
            ${t("Still reading older sessions: {n} left.", {
              n: past.unread,
            })}
          </p>`
        : nothing
    }
    ${
      past.more && !past.unread
        ? html`<p>
            <button
              type="button"
              class="btn"
              ?disabled=${past.busy}
              @click=${() => past.search(past.filters, { further: true }).catch(view.failed)}>
              ${t("Show more")}
            </button>
          </p>`
        : nothing
    }`;
}
