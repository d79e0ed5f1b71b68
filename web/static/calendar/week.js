/* Shows a week of bookable times by the visitor's own clock. The server draws the week by the clinic's clock;
   this script replaces it and moves each time to the visitor's day. A person can then change to another day
   of the week without a reload. */
import { html, nothing, render } from "../shared/lit.js";
import { ownField } from "../shared/own.js";
import { one, pageData } from "../shared/page.js";
import { intlLocale, t, tn } from "../shared/text.js";

const root = one("#week", HTMLElement);
/** @type {{ zone: string, starts_ms: number[] }} the clinic's time zone, and the times in ms since 1970 */
const { zone, starts_ms: starts } = pageData("#week-data");
const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
const DAY_MS = 86_400_000;

const format = (/** @type {Intl.DateTimeFormatOptions} */ options) =>
  new Intl.DateTimeFormat(intlLocale(), { timeZone: mine, ...options });
/**
 * Return a formatter that writes the date of a time in this time zone, such as 2026-11-24.
 *
 * @param {string} timeZone the IANA name of a time zone
 */
const dateIn = (timeZone) => new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
const clock = format({ hour: "numeric", minute: "2-digit" });
const zoneName = (/** @type {number} */ at) =>
  format({ timeZoneName: "long" })
    .formatToParts(at)
    .find(({ type }) => type === "timeZoneName")?.value ?? mine;

/** Return true if the clinic's clock and the visitor's clock agree at all bookable times of this week. */
function sameClocks() {
  const wall = (/** @type {string} */ timeZone) =>
    new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short", timeStyle: "short" });
  const [theirs, ours] = [wall(zone), wall(mine)];
  return starts.every((at) => theirs.format(at) === ours.format(at));
}

/**
 * Return the dates of this week by the visitor's clock: date, such as 2026-11-24 -> its bookable times, in ms
 * since 1970.
 */
function byDay() {
  /** @type {Map<string, number[]>} date -> its bookable times, in ms since 1970 */
  const days = new Map();
  const iso = dateIn(mine);
  for (const at of starts) {
    const date = iso.format(at);
    days.set(date, [...(days.get(date) ?? []), at]);
  }
  const [first, last] = [starts[0], starts[starts.length - 1]].map((at) => Date.parse(iso.format(at)));
  for (let day = first; day <= last; day += DAY_MS) {
    const date = new Date(day).toISOString().slice(0, 10);
    if (!days.has(date)) days.set(date, []);
  }
  return new Map([...days].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function start() {
  one("form", HTMLFormElement, root).append(hidden());
  if (!starts.length) return;
  const days = byDay();
  const pick = one(".pick", HTMLElement, root);
  const wanted = new URLSearchParams(location.search).get("day") ?? "";
  const [soonest] = [...days.keys()].filter((date) => days.get(date)?.length);
  let chosen = days.get(wanted)?.length ? wanted : soonest;
  const same = sameClocks();
  if (!same)
    one("#zone", HTMLElement, root).textContent = t("Times are for where you are: {zone}.", {
      zone: zoneName(starts[0]),
    });

  const range = format({ month: "short", day: "numeric" });
  one("#range", HTMLElement, root).textContent = range.formatRange(starts[0], starts[starts.length - 1]);

  /**
   * Return a date in words in the language of the page.
   *
   * @param {string} date a date such as 2026-11-24
   * @param {Intl.DateTimeFormatOptions} options the parts of the date to write, such as weekday and month
   */
  const words = (date, options) =>
    new Intl.DateTimeFormat(intlLocale(), { timeZone: "UTC", ...options }).format(Date.parse(date));
  const choose = (/** @type {string} */ date) => (/** @type {Event} */ event) => {
    event.preventDefault();
    chosen = date;
    history.replaceState(null, "", `?day=${date}${location.hash}`);
    draw();
  };
  const count = (/** @type {number} */ n) => (n ? tn("{n} time", "{n} times", n) : t("none"));
  const day = (/** @type {[string, number[]]} */ [date, times]) =>
    html`<li>
      <a
        class="day"
        href=${`${root.dataset.path}?day=${date}#week`}
        aria-current=${date === chosen ? "date" : nothing}
        @click=${choose(date)}><span>${words(date, { weekday: "short" })}</span><b class="num"
          >${words(date, { day: "numeric" })}<span class="sr"> ${words(date, { month: "long" })},</span></b
        ><span class="small">${count(times.length)}</span></a>
    </li>`;

  function draw() {
    const times = days.get(chosen) ?? [];
    const heading = words(chosen, { weekday: "long", month: "long", day: "numeric", year: "numeric" });
    render(
      html`<ul role="list" class="days">
          ${[...days].map(day)}
        </ul>
        <form method="post" action=${root.dataset.action} class="stack">
          ${ownField()}
          <h3 aria-live="polite">${heading}</h3>
          <input type="hidden" name="zone" value=${mine} />
          ${
            times.length
              ? html`<ul role="list" class="times">
                  ${times.map(
                    (at) =>
                      html`<li>
                        <button class="btn num" name="starts" value=${at}>${clock.format(at)}</button>
                      </li>`,
                  )}
                </ul>`
              : html`<p>${t("No time is left on this day.")}</p>`
          }
        </form>`,
      pick,
    );
  }
  pick.replaceChildren();
  draw();
}

function hidden() {
  const field = document.createElement("input");
  Object.assign(field, { type: "hidden", name: "zone", value: mine });
  return field;
}

start();
