/* The script of the kiosk, the page of a facility on which several people use one device. This script loads
   the list of patients every few seconds, and clears the form if nobody has touched the screen for a while.
   The page works without this script, but then its list changes only with a reload. */
import "../pages/form.js";
import { playNotes } from "../shared/devices.js";
import { forgetDrafts } from "../shared/drafts.js";
import { one } from "../shared/page.js";
import { t } from "../shared/text.js";
import { ask } from "../shared/ui.js";

const EVERY_MS = 3_000;
// All drafts of this tab are removed, because several people use this device.
forgetDrafts();

const rows = one("#rows", HTMLElement);
const { list = "", cleared = "" } = rows.dataset;
const idle_ms = Number(rows.dataset.idle) * 1000;
const warned_ms = Number(rows.dataset.warned) * 1000;
const said = one("#said", HTMLElement);
let shown = rows.innerHTML.trim();
let lost = false;

/** Return the text of each row whose patient is called now. */
const called = () =>
  // biome-ignore lint/performance/useDomNodeTextContent: textContent would contain the template's line breaks
  [...rows.querySelectorAll(".called")].map((row) => one("p", HTMLElement, row).innerText.trim());

async function refresh() {
  if (document.visibilityState !== "visible") return;
  let answer;
  try {
    answer = await fetch(list, { signal: AbortSignal.timeout(10_000) });
  } catch {
    if (!lost) said.textContent = t("Connection lost. The list is tried again by itself.");
    lost = true;
    return;
  }
  // The kiosk's link was revoked. The page that is loaded now shows a sentence about that.
  if (answer.status === 404) return location.reload();
  if (!answer.ok) return;
  const fresh = (await answer.text()).trim();
  if (lost) said.textContent = "";
  lost = false;
  if (fresh === shown) return;
  const before = new Set(called());
  const held = document.activeElement;
  const focus = held && rows.contains(held) ? held.id : "";
  shown = fresh;
  // The HTML is safe to insert: it comes from this server, drawn by the template of the page.
  rows.innerHTML = fresh;
  if (focus) document.getElementById(focus)?.focus();
  const news = called().filter((text) => !before.has(text));
  if (!news.length) return;
  said.textContent = news.join(". ");
  // Browsers forbid sound before the first press.
  if (navigator.userActivation?.hasBeenActive) playNotes().catch(() => {});
}

/**
 * Ask the person for confirmation before a patient is removed from the queue.
 *
 * @param {SubmitEvent} event the submission of the form
 */
async function takeOut(event) {
  const { submitter } = event;
  if (!(submitter instanceof HTMLButtonElement) || submitter.value !== "withdraw") return;
  event.preventDefault();
  const sure = await ask({
    title: t("Take {name} out of the line?", { name: submitter.dataset.name ?? "" }),
    text: t("The place is given up. To come back, the patient starts again at the end of the line."),
    yes: t("Take out of the line"),
    no: t("Keep the place"),
    danger: true,
  });
  // The button is searched again, because the list may have been replaced while the question was open.
  const button = document.getElementById(submitter.id);
  if (!sure || !(button instanceof HTMLButtonElement)) return;
  rows.removeEventListener("submit", takeOut);
  button.form?.requestSubmit(button);
  rows.addEventListener("submit", takeOut);
}

rows.addEventListener("submit", takeOut);

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);

/* --- privacy: the next person at the kiosk must not see typed text, or which patients are in the queue */
const form = one("form[data-once]", HTMLFormElement);
let timer = 0;
/**
 * @type {HTMLElement | null} the warning that the typed text will be cleared soon; null while no warning is
 *   shown
 */
let warning = null;

/**
 * @type {() => Iterable<HTMLInputElement | HTMLTextAreaElement>} returns the fields of the form in which a
 *   person can type
 */
const fields = () => form.querySelectorAll("input:not([type=hidden]), textarea");
const anythingToHide = () =>
  [...fields()].some((field) => field.value) ||
  (rows.querySelector("li") && !rows.closest("details:not([open])"));

function clear() {
  form.reset();
  location.replace(cleared);
}

function warn() {
  if (!anythingToHide()) return touched();
  warning = document.createElement("div");
  warning.className = "notice amber clearing";
  warning.setAttribute("role", "alert");
  warning.textContent = t("This screen will be cleared in a moment. Touch it or press any key to go on.");
  document.body.append(warning);
  timer = setTimeout(clear, warned_ms);
}

function touched() {
  clearTimeout(timer);
  warning?.remove();
  warning = null;
  timer = setTimeout(warn, idle_ms);
}

for (const kind of ["pointerdown", "pointermove", "keydown", "input", "scroll"])
  addEventListener(kind, touched, { passive: true });
addEventListener("pageshow", (event) => event.persisted && clear());
touched();
