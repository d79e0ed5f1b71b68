/* What the staff's other pages (calendar, reports, set-up, settings) share with the Sessions List: the bell,
   the chime, and that one stays on call while one works there. A small live part in the head of a page that
   the server drew; knows nothing of what is on the page. */
import { html, nothing, render } from "../shared/lit.js";
import { one, told } from "../shared/page.js";
import { t, tn } from "../shared/text.js";
import { prepareRegions, redrawing } from "../shared/ui.js";
import { SignallingClient } from "../signalling.js";
import { Alerts } from "./alerts.js";
import { News } from "./news.js";

/** @type {StaffBoot} */
const boot = told();
const { me, home } = boot;
const place = one("#live", HTMLElement);
const client = new SignallingClient(boot.ws, { role: "staff" });
const redraw = redrawing(draw);
const alerts = new Alerts(boot.organisation, () => location.assign(home), { wanted: boot.notify });
const news = new News({
  client,
  me,
  alerts,
  follow: async ({ visit }, marked) => {
    await marked; // this page is left
    location.assign(`${home}#of=${visit}`);
  },
  redraw,
});

function draw() {
  render(
    html` ${
      news.onCall
        ? html`<a class="chip" href=${home}><span class="dot"></span>${t("You are on call.")}
            <span class="num">${tn("{n} waiting", "{n} waiting", news.queue.rows.length)}</span></a>`
        : nothing
    }
    ${news.button()}`,
    place,
  );
}

prepareRegions();
// On a phone the set-up's sections stand in one row that scrolls: the one that is open is in sight.
const tab = document.querySelector(".tabs [aria-current]");
const row = tab?.parentElement;
if (row && tab instanceof HTMLElement)
  row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
redraw();
client.connect();
