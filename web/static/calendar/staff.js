/* Keeps the staff's calendar current: when a person returns to the page, new bookings and check-ins are
   shown. It asks the server only then, because regular requests would count as activity and prolong the
   sign-in of an absent person. */
import "../staff/page.js";
import { one } from "../shared/page.js";
import { t } from "../shared/text.js";

const place = one("#bookings", HTMLElement);
let looking = false;

/** True while the person does something that drawing the list again would interrupt. */
const busy = () => place.querySelector("details[open]") !== null;

async function look() {
  if (looking || busy() || document.visibilityState !== "visible") return;
  looking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    // The person has signed out meanwhile.
    if (answer.redirected) return location.reload();
    const fresh = new DOMParser()
      .parseFromString(await answer.text(), "text/html")
      .querySelector("#bookings");
    if (!fresh || fresh.innerHTML === place.innerHTML || busy()) return;
    const held = document.activeElement?.closest("#bookings a[href]")?.getAttribute("href");
    place.replaceChildren(...fresh.childNodes);
    /** @type {HTMLElement | null} */
    const link = held ? place.querySelector(`a[href="${CSS.escape(held)}"]`) : null;
    link?.focus();
    one("#news", HTMLElement).textContent = t("The calendar has changed.");
  } catch {
    // The browser is offline. When the person returns to the page, it asks again.
  } finally {
    looking = false;
  }
}

addEventListener("focus", look);
addEventListener("online", look);
document.addEventListener("visibilitychange", look);
