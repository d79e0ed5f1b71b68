/* The week of bookable times by the visitor's own clock. The server has drawn it by the clinic's, and that
   stays where this does not run; here the same times are put on the visitor's days, and a day is chosen
   without a reload. */
import { html, nothing, render } from "../shared/lit.js";
import { ownField } from "../shared/own.js";
import { intlLocale, t, tn } from "../shared/text.js";

const root = document.querySelector("#week");
const { zone, starts_ms: starts } = JSON.parse(document.querySelector("#week-data").textContent);
const mine = Intl.DateTimeFormat().resolvedOptions().timeZone;
const DAY_MS = 86_400_000;

const format = (options) => new Intl.DateTimeFormat(intlLocale(), { timeZone: mine, ...options });
/** Writes 2026-11-24. */
const dateIn = (timeZone) => new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short" });
const clock = format({ hour: "numeric", minute: "2-digit" });
const zoneName = (at) =>
  format({ timeZoneName: "long" })
    .formatToParts(at)
    .find(({ type }) => type === "timeZoneName")?.value ?? mine;

/** Whether the two clocks show the same at all these times. */
function sameClocks() {
  const wall = (timeZone) =>
    new Intl.DateTimeFormat("en-CA", { timeZone, dateStyle: "short", timeStyle: "short" });
  const [theirs, ours] = [wall(zone), wall(mine)];
  return starts.every((at) => theirs.format(at) === ours.format(at));
}

/** The visitor's dates that the week touches, each with its times. */
function byDay() {
  const days = new Map();
  const iso = dateIn(mine);
  for (const at of starts) {
    const date = iso.format(at);
    if (!days.has(date)) days.set(date, []);
    days.get(date).push(at);
  }
  const [first, last] = [starts[0], starts.at(-1)].map((at) => Date.parse(iso.format(at)));
  for (let day = first; day <= last; day += DAY_MS) {
    const date = new Date(day).toISOString().slice(0, 10);
    if (!days.has(date)) days.set(date, []);
  }
  return new Map([...days].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function start() {
  root.querySelector("form").append(hidden());
  if (!starts.length) return;
  const days = byDay();
  const pick = root.querySelector(".pick");
  const wanted = new URLSearchParams(location.search).get("day");
  let chosen = days.get(wanted)?.length ? wanted : [...days].find(([, times]) => times.length)[0];
  const same = sameClocks();
  if (!same)
    root.querySelector("#zone").textContent = t("Times are for where you are: {zone}.", {
      zone: zoneName(starts[0]),
    });

  root.querySelector("#range").textContent = format({ month: "short", day: "numeric" }).formatRange(
    starts[0],
    starts.at(-1),
  );

  const words = (date, options) =>
    new Intl.DateTimeFormat(intlLocale(), { timeZone: "UTC", ...options }).format(Date.parse(date));
  const say = (date, options) => words(date, { weekday: "long", month: "long", day: "numeric", ...options });
  const choose = (date) => (event) => {
    event.preventDefault();
    chosen = date;
    history.replaceState(null, "", `?day=${date}${location.hash}`);
    draw();
  };
  const count = (times) => (times.length ? tn("{n} time", "{n} times", times.length) : t("none"));
  const day = ([date, times]) =>
    html`<li>
      <a
        class="day"
        href=${`${root.dataset.path}?day=${date}#week`}
        aria-current=${date === chosen ? "date" : nothing}
        @click=${choose(date)}><span>${words(date, { weekday: "short" })}</span><b class="num"
          >${words(date, { day: "numeric" })}<span class="sr"> ${words(date, { month: "long" })},</span></b
        ><span class="small">${count(times)}</span></a>
    </li>`;

  function draw() {
    const times = days.get(chosen);
    render(
      html`<ul role="list" class="days">
          ${[...days].map(day)}
        </ul>
        <form method="post" action=${root.dataset.action} class="stack">
          ${ownField()}
          <h3 aria-live="polite">${say(chosen, { year: "numeric" })}</h3>
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
