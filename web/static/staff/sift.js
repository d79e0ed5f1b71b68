/* Chooses which rows of On-Demand Requests are shown, and in which order, by the fields above the list.
   The fields do not change the chime and the counts: new patients are announced also if their rows are not
   shown. */
import { stateName } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { inOrder, LEVELS, levelOf } from "./queue.js";
import { levelWords } from "./urgency.js";

/**
 * @typedef {{
 *   text: string,
 *   region: string,
 *   provider: string,
 *   waited: string,
 *   urgency: string,
 *   area: string,
 *   order: string,
 * }} Sift the values of the fields above the list; "" for a field that does not filter
 */
/** @type {Sift} the values with which all rows are shown */
export const ALL = { text: "", region: "", provider: "", waited: "", urgency: "", area: "", order: "" };
/** From this number of rows on, the list has fields to search and sort it. */
export const MANY = 6;
export const UNASSIGNED = "-";
/** The value that chooses the requests without a waiting area; no area has this id. */
export const NO_AREA = "-";

/** @typedef {(a: QueuedRow, b: QueuedRow) => number} Order compares two rows */
/** @type {Record<string, Order>} value of the field `order` -> the order; "" is the queue's own order */
const ORDERS = {
  wait: (a, b) => inOrder(a, b, { urgent_first: false }),
  urgency: (a, b) => inOrder(a, b, { urgent_first: true }),
  newest: (a, b) => b.arrived_ms - a.arrived_ms,
  region: (a, b) => stateName(a.state).localeCompare(stateName(b.state)),
  provider: (a, b) => nameOf(a).localeCompare(nameOf(b)),
};
/** Return the assigned person's name; if nobody is assigned, a text that is sorted last. */
const nameOf = (/** @type {QueuedRow} */ { assignee }) => assignee?.name ?? "\uffff";

/**
 * Return all rows in the chosen order.
 *
 * @param {QueuedRow[]} rows in the queue's order
 * @param {Pick<Sift, "order">} sift the chosen order
 */
export const ordered = (rows, { order }) => (order in ORDERS ? [...rows].sort(ORDERS[order]) : rows);

/**
 * Return the rows that match all fields, in the order in which they were given.
 *
 * @param {QueuedRow[]} rows the rows
 * @param {Sift} sift the values of the fields
 * @param {{ limits: Protocol.QueueLimits, now_ms: number }} facts the settings of the queue, and the time now
 *   in ms since 1970
 */
export function sifted(rows, { text, region, provider, waited, urgency, area }, { limits, now_ms }) {
  const words = text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const least_ms = waited === "amber" ? limits.amber_ms : waited === "red" ? limits.red_ms : 0;
  return rows.filter((row) => {
    const written = [row.name, row.reason, row.phone].join(" ").toLocaleLowerCase();
    return (
      words.every((word) => written.includes(word)) &&
      (!region || row.state === region) &&
      (!provider || (row.assignee?.id ?? UNASSIGNED) === provider) &&
      (!urgency || levelOf(row) === urgency) &&
      (!area || (row.area?.id ?? NO_AREA) === area) &&
      (!least_ms || now_ms - row.arrived_ms >= least_ms)
    );
  });
}

/**
 * Return true if at least one field can hide rows.
 *
 * @param {Sift} sift the values of the fields
 */
const hides = ({ text, region, provider, waited, urgency, area }) =>
  Boolean(text.trim() || region || provider || waited || urgency || area);

const WORDS = inEach(() => ({
  wait: t("Longest waiting first"),
  urgency: t("Most urgent first"),
  order: [
    ["newest", t("Newest first")],
    ["region", t("By region")],
    ["provider", t("By provider")],
  ],
}));

/**
 * Draw one field with options.
 *
 * @param {string} name the name of the field
 * @param {string} label the text that names it
 * @param {string[][]} options the value and the words of each option
 * @param {string} chosen the value of the chosen option
 */
const choice = (name, label, options, chosen) =>
  html`<select class="input" name=${name} aria-label=${label}>
    ${options.map(
      ([value, words]) => html`<option value=${value} ?selected=${value === chosen}>${words}</option>`,
    )}
  </select>`;

/**
 * Return the sort orders that a person can choose; the first is the queue's own order.
 *
 * @param {Protocol.QueueLimits} limits the settings of the queue
 */
function orders({ urgent_first }) {
  const { wait, urgency, order } = WORDS();
  return urgent_first
    ? [["", urgency], ["wait", wait], ...order]
    : [["", wait], ["urgency", urgency], ...order];
}

/**
 * Draw the row of fields above the list; draw nothing while the list is short.
 *
 * @param {ListView} view the state of the page
 */
export function siftFields({ all, rows, sift, changeSift, staff, limits, areas }) {
  if (all.length < MANY && !hides(sift)) return nothing;
  const regions = [...new Set([...all.map(({ state }) => state), ...(sift.region ? [sift.region] : [])])];
  const people = [...staff.values()].sort((a, b) => a.name.localeCompare(b.name));
  const over = (/** @type {number} */ ms) => t("Over {n} min", { n: Math.round(ms / 60_000) });
  const take = (/** @type {On<HTMLFormElement>} */ { currentTarget: form }) =>
    changeSift({ ...ALL, .../** @type {Partial<Sift>} */ (Object.fromEntries(new FormData(form))) });
  return html`<form
      class="sift"
      role="search"
      aria-label=${t("On-Demand Requests")}
      @input=${take}
      @submit=${(/** @type {Event} */ event) => event.preventDefault()}>
      <input
        class="input"
        type="search"
        name="text"
        maxlength="100"
        autocomplete="off"
        .value=${sift.text}
        aria-label=${t("Search by name, reason or phone")}
        placeholder=${t("Search")} />
      ${choice(
        "region",
        t("Region"),
        [
          ["", t("Any region")],
          ...regions.map((code) => [code, stateName(code)]).sort((a, b) => a[1].localeCompare(b[1])),
        ],
        sift.region,
      )}
      ${choice(
        "provider",
        t("Provider"),
        [
          ["", t("For anyone")],
          [UNASSIGNED, t("Not assigned")],
          ...people.map(({ id, name }) => [id, t("For {name}", { name })]),
        ],
        sift.provider,
      )}
      ${
        Object.keys(areas).length
          ? choice(
              "area",
              t("Waiting area"),
              [["", t("All areas")], ...Object.entries(areas), [NO_AREA, t("No area")]],
              sift.area,
            )
          : nothing
      }
      ${choice(
        "urgency",
        t("Urgency"),
        [["", t("Any urgency")], ...LEVELS.map((level) => [level, levelWords(level, limits)])],
        sift.urgency,
      )}
      ${choice(
        "waited",
        t("Wait"),
        [
          ["", t("Any wait")],
          ["amber", over(limits.amber_ms)],
          ["red", over(limits.red_ms)],
        ],
        sift.waited,
      )}
      ${choice("order", t("Order"), orders(limits), sift.order)}
    </form>
    <p class="small quiet" role="status" ?hidden=${!hides(sift)}>
      ${hides(sift) ? t("{n} of {all} shown", { n: rows.length, all: all.length }) : ""}
    </p>`;
}
