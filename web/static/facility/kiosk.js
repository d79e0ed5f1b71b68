/* A kiosk's page: the list is taken in anew every few seconds, and the screen is cleared when nobody has
   touched it for a while. The page works without this; then the list is as old as the page. */
import { t } from "../shared/text.js";

const EVERY_MS = 3_000;

const rows = document.querySelector("#rows");
const idle_ms = Number(rows.dataset.idle) * 1000;
const warned_ms = Number(rows.dataset.warned) * 1000;
const said = document.querySelector("#said");
let shown = rows.innerHTML.trim();
let lost = false;

/** Who is being called, as texts. */
const called = () =>
  // biome-ignore lint/performance/useDomNodeTextContent: as it is read, without line breaks
  [...rows.querySelectorAll(".called")].map((row) => row.querySelector("p").innerText.trim());

async function refresh() {
  if (document.visibilityState !== "visible") return;
  let answer;
  try {
    answer = await fetch(rows.dataset.list, { signal: AbortSignal.timeout(10_000) });
  } catch {
    if (!lost) said.textContent = t("Connection lost. The list is tried again by itself.");
    lost = true;
    return;
  }
  if (answer.status === 404) return location.reload(); // the link was revoked: the page says so
  if (!answer.ok) return;
  const fresh = (await answer.text()).trim();
  if (lost) said.textContent = "";
  lost = false;
  if (fresh === shown) return;
  const before = new Set(called());
  const focus = rows.contains(document.activeElement) ? document.activeElement.id : "";
  rows.innerHTML = shown = fresh; // of this server, drawn by the template that drew the page
  if (focus) document.getElementById(focus)?.focus();
  const news = called().filter((text) => !before.has(text));
  if (news.length) said.textContent = news.join(". ");
}

setInterval(refresh, EVERY_MS);
document.addEventListener("visibilitychange", refresh);

/* --- privacy: what was typed, and who stands in line, is not for the next one */
const form = document.querySelector("form[data-once]");
let timer = 0;
let warning = null;

const anythingToHide = () =>
  [...form.elements].some((field) => field.matches("input:not([type=hidden]), textarea") && field.value) ||
  (rows.querySelector("li") && !rows.closest("details:not([open])"));

function clear() {
  form.reset();
  location.replace(rows.dataset.cleared);
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
