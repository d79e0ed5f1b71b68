/* Keeps the staff's calendar current: when a person returns to the page, this script asks the server for
   new bookings and check-ins. It asks only then, because regular requests would count as activity and
   prolong the sign-in of an absent person. */
import "../staff/page.js";
import { one } from "../shared/page.js";
import { t } from "../shared/text.js";

const place = one("#bookings", HTMLElement);
let looking = false;

/** Return true while a row of the calendar is open. Drawing the list again would close it. */
const busy = () => place.querySelector("details[open]") !== null;

async function look() {
  if (looking || busy() || document.visibilityState !== "visible") return;
  looking = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    // The server redirects to the sign-in page, because the person has signed out meanwhile.
    if (answer.redirected) return location.reload();
    const fresh = new DOMParser()
      .parseFromString(await answer.text(), "text/html")
      .querySelector("#bookings");
    if (!fresh || fresh.innerHTML === place.innerHTML || busy()) return;
    const held = document.activeElement?.closest("#bookings a[href]")?.getAttribute("href");
    place.replaceChildren(...fresh.childNodes);
    /** @type {HTMLElement | null} the link to focus again, if the new list has it */
    const link = held ? place.querySelector(`a[href="${CSS.escape(held)}"]`) : null;
    link?.focus();
    one("#news", HTMLElement).textContent = t("The calendar has changed.");
  } catch {
    // The request failed because the browser is offline. The request is sent again when the person returns
    // to the page.
  } finally {
    looking = false;
  }
}

addEventListener("focus", look);
addEventListener("online", look);
document.addEventListener("visibilitychange", look);
