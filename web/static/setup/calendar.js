/* Improves the form of the public-facing calendar: it adds a row for an opening time or closed day when
   the last row is used, copies Monday's hours to all weekdays, and previews the colour. The form works
   without this script. */
import "../staff/page.js";
import { one } from "../shared/page.js";
import { t } from "../shared/text.js";

const form = one("form[data-once]", HTMLFormElement);

/** Return the fields of a row; some rows have only one field. */
const inputsOf = (/** @type {Element} */ row) =>
  row instanceof HTMLInputElement ? [row] : [...row.querySelectorAll("input")];

/** Return a copy of an element with all its content, typed as Element. */
const copyOf = (/** @type {Element} */ original) => /** @type {Element} */ (original.cloneNode(true));

/**
 * Add a copy of the last row, with empty fields, whenever the last row is filled in.
 *
 * @param {Element} list the list of rows
 */
function grow(list) {
  list.addEventListener("change", () => {
    const last = list.lastElementChild;
    if (!last || !inputsOf(last).some((input) => input.value)) return;
    const next = copyOf(last);
    for (const input of inputsOf(next)) input.value = "";
    list.append(next);
  });
}

for (const list of form.querySelectorAll(".spans, .dates")) grow(list);

/** Show a note beside each closing time that is on the next day. */
function showNights() {
  for (const span of form.querySelectorAll(".span")) {
    const [opens, closes] = inputsOf(span).map(({ value }) => value);
    span.querySelector(".night")?.toggleAttribute("hidden", !closes || closes === "00:00" || closes >= opens);
  }
}
form.addEventListener("change", showNights);

const copy = one("#copy-monday", HTMLButtonElement);
copy.hidden = false;
copy.addEventListener("click", () => {
  const [monday, ...others] = form.querySelectorAll(".weekday .spans");
  for (const day of others.slice(0, 4)) {
    const [opens, closes] = [...day.querySelectorAll("input")].map(({ name }) => name);
    const rows = copyOf(monday);
    for (const [index, input] of [...rows.querySelectorAll("input")].entries()) {
      const original = day.querySelector(`[name="${index % 2 ? closes : opens}"]`);
      input.name = index % 2 ? closes : opens;
      input.setAttribute("aria-label", original?.getAttribute("aria-label") ?? "");
    }
    day.replaceChildren(...rows.children);
  }
  showNights();
});

const accent = one("#accent", HTMLInputElement);
const swatch = one("#swatch", HTMLElement);

const luminance = (/** @type {number[]} */ rgb) => {
  const [r, g, b] = rgb
    .map((part) => part / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};

/**
 * Show white text on the chosen colour (darkened if it is too light, as in accent.js), with a sentence about
 * the contrast.
 */
function show() {
  const wanted = /^#([0-9a-f]{6})$/i.exec(accent.value.trim());
  if (!wanted) return swatch.replaceChildren();
  picker.value = wanted[0].toLowerCase();
  const given = [0, 2, 4].map((at) => parseInt(wanted[1].slice(at, at + 2), 16));
  let parts = given;
  while (1.05 / (luminance(parts) + 0.05) < 5) parts = parts.map((part) => Math.floor(part * 0.94));
  const sample = document.createElement("span");
  sample.className = "swatch";
  sample.textContent = t("Meet Now");
  sample.style.setProperty("background", `rgb(${parts.join(" ")})`);
  sample.style.setProperty("color", "#ffffff");
  const words = document.createElement("span");
  const ratio = (1.05 / (luminance(given) + 0.05)).toFixed(1);
  words.textContent =
    parts === given
      ? t("White text has a contrast of {ratio} to 1 on it: good to read.", { ratio })
      : t("White text would have a contrast of {ratio} to 1 only; pages use this darker one.", { ratio });
  return swatch.replaceChildren(sample, words);
}

/** The browser's colour picker is added beside the field; a change of one changes the other. */
const picker = document.createElement("input");
picker.type = "color";
picker.setAttribute("aria-label", t("Choose the colour from a palette"));
picker.addEventListener("input", () => {
  accent.value = picker.value;
  show();
});
const both = document.createElement("div");
both.className = "colour";
accent.before(both);
both.append(accent, picker);

accent.addEventListener("input", show);
show();
