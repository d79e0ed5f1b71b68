/* The script of the page of a booked visit: it shows the button Check In when check-in opens, without a
   reload. The page works without this script. */
import "../pages/form.js";
import { forgetDrafts } from "../shared/drafts.js";

// The draft of the sent form is no longer needed.
forgetDrafts();
/** @type {HTMLElement | null} the time until check-in opens; null if it is open */
const early = document.querySelector("#early");
const LONGEST_MS = 2 ** 31 - 1;

if (early) {
  const opens = performance.now() + Number(early.dataset.waitMs);
  const look = () => {
    const left = opens - performance.now();
    if (left <= 0) location.reload();
    else setTimeout(look, Math.min(left + 500, LONGEST_MS));
  };
  look();
  // Timers do not run while a page is in the browser's cache, so a page from the cache is loaded again.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  let hidden = 0;
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") hidden = Date.now();
    else if (hidden && Date.now() - hidden > 60_000) location.reload();
  });
}
