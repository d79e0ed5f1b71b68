/* Ends or prolongs the sign-in of a person on a staff page. Presses and keys on the page prolong it, and a
   dialog warns before it ends, early enough to answer (WCAG 2.2.1). Requests go to the address boot.session,
   which reports how long the sign-in lasts and prolongs it. The WebSocket's heartbeats do not count as
   activity. A live call counts: the server then prolongs the sign-in by itself. */
import { ownBody } from "../shared/own.js";
import { one, pageData } from "../shared/page.js";
import { t } from "../shared/text.js";
import { settle } from "../shared/ui.js";

/** @type {StaffBoot} the server's data for the scripts of this page */
const boot = pageData();
const WARN_MS = 60_000;
// The time in ms between two reports of activity.
const REPORT_MS = 30_000;
/* The shortest time in ms between two requests shortly before the sign-in ends. These requests find out
   whether another tab has prolonged the sign-in. */
const ASK_MS = 5_000;

let endsAt = Infinity;
let warnMs = WARN_MS;
let active = false;
let asking = false;
// True if a request with POST must follow the request that is under way.
let owed = false;
let askedAt = -Infinity;

const dialog = document.createElement("dialog");
dialog.className = "ask";
dialog.setAttribute("role", "alertdialog");
dialog.setAttribute("aria-labelledby", "idle-heading");
dialog.setAttribute("aria-describedby", "idle-text");
dialog.innerHTML = `<h2 id="idle-heading"></h2>
  <p id="idle-text"><span></span> <b class="num"></b>.</p>
  <p class="row"><button class="btn main" type="button"></button></p>`;
const [heading, text, left, stay] = ["h2", "span", "b", "button"].map((part) =>
  one(part, HTMLElement, dialog),
);
document.body.append(dialog);

function write() {
  heading.textContent = t("Are you still here?");
  text.textContent =
    boot.me.role === "auditor"
      ? t("To keep what you read here safe you will be signed out in")
      : t("To keep patients’ information safe you will be signed out, and off call, in");
  stay.textContent = t("Stay signed in");
}

write();
document.addEventListener("language", write);

/**
 * Ask the server how long the sign-in lasts, and keep the time of its end. If it has ended, go to the sign-in
 * page. While a request is under way, send no other; a POST is then sent after it.
 *
 * @param {"GET" | "POST"} method GET only asks; POST also prolongs the sign-in
 */
async function ask(method) {
  owed ||= asking && method === "POST";
  if (asking) return;
  asking = true;
  askedAt = performance.now();
  try {
    const answer = await fetch(boot.session, {
      method,
      headers: { Accept: "application/json" },
      body: method === "POST" ? ownBody() : undefined,
    });
    if (!answer.ok) return;
    const { ends_in_ms: ms } = await answer.json();
    if (!ms) return location.assign(`${boot.home}/sign-in`);
    if (endsAt === Infinity) warnMs = Math.min(WARN_MS, ms / 2);
    endsAt = performance.now() + ms;
  } catch {
    // The request has failed because there is no connection. Another part of the page shows this; `look`
    // sends the request again.
  } finally {
    asking = false;
    if (owed) {
      owed = false;
      ask("POST").then(look);
    }
  }
}

function look() {
  const now = performance.now();
  const leftMs = endsAt - now;
  const near = leftMs < warnMs;
  if (active && !dialog.open && now - askedAt > Math.min(REPORT_MS, warnMs)) {
    active = false;
    ask("POST");
  } else if ((near || endsAt === Infinity) && now - askedAt > Math.min(ASK_MS, warnMs / 4)) ask("GET");
  if (near && !dialog.open && dialog.isConnected && leftMs > 0) dialog.showModal();
  if (!near && dialog.open) dialog.close();
  const seconds = Math.max(0, Math.ceil(leftMs / 1000));
  if (near) left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

for (const event of ["pointerdown", "keydown"])
  addEventListener(event, () => (active = true), { capture: true, passive: true });
stay.addEventListener("click", () => ask("POST").then(look));
dialog.addEventListener("close", settle);
dialog.addEventListener("cancel", (event) => {
  // Escape prolongs the sign-in too, because it shows that the person is present.
  event.preventDefault();
  stay.click();
});
setInterval(look, 1000);
ask("GET");
