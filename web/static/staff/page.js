/* What the staff's other pages (calendar, reports, set-up, settings) share with the Sessions List: the bell,
   the chime, and that one stays on call while one works there. A small live part in the head of a page that
   the server drew; knows nothing of what is on the page. */
import { html, nothing, render } from "../shared/lit.js";
import { one, told } from "../shared/page.js";
import { t, tn } from "../shared/text.js";
import { announce, clearToasts, Drawer, prepareRegions, redrawing, toast } from "../shared/ui.js";
import { SignallingClient } from "../signalling.js";
import { Alerts } from "./alerts.js";
import { Bell, inWords } from "./bell.js";
import { Queue } from "./queue.js";

/** @type {StaffBoot} */
const boot = told();
const { me, home } = boot;
const place = one("#live", HTMLElement);
const client = new SignallingClient(boot.ws, { role: "staff" });
const queue = new Queue();
const bell = new Bell();
const drawer = new Drawer();
const redraw = redrawing(draw);
const follow = (/** @type {Protocol.BellPart} */ { visit }) => location.assign(`${home}#of=${visit}`);
const alerts = new Alerts(boot.organisation, () => location.assign(home), { wanted: boot.notify });
const onCall = () => queue.staff.get(me.id)?.on_call ?? false;

async function mark() {
  if (bell.unread) await client.request({ type: "bell.mark", until_ms: bell.newest_ms }).catch(() => {});
}

function openBell() {
  clearToasts();
  drawer.show(
    "bell-title",
    (close) => bell.list({ now_ms: client.now(), close, go: (item) => mark().then(() => follow(item)) }),
    mark,
  );
}

function draw() {
  render(
    html` ${
      onCall()
        ? html`<a class="chip" href=${home}><span class="dot"></span>${t("You are on call.")}
            <span class="num">${tn("{n} waiting", "{n} waiting", queue.rows.length)}</span></a>`
        : nothing
    }
    ${bell.button(openBell)}`,
    place,
  );
}

client.subscribe("queue", (message) => {
  const { fresh } = queue.take(message);
  if (fresh.length && onCall()) {
    alerts.ring(queue.rows.length);
    announce(
      fresh.length === 1
        ? t("New request: {name}.", fresh[0])
        : tn("{n} new request.", "{n} new requests.", fresh.length),
    );
  }
  redraw();
});
client.subscribe("bell", (message) => {
  const item = bell.take(message);
  if (item) {
    if (!drawer.open) toast(inWords(item));
    if (item.kind === "assigned" || item.kind === "transferred") alerts.assigned(() => follow(item));
  }
  drawer.redraw();
  redraw();
});
prepareRegions();
// On a phone the set-up's sections stand in one row that scrolls: the one that is open is in sight.
const tab = document.querySelector(".tabs [aria-current]");
const row = tab?.parentElement;
if (row && tab instanceof HTMLElement)
  row.scrollLeft = tab.offsetLeft - row.offsetLeft - (row.clientWidth - tab.offsetWidth) / 2;
redraw();
client.connect();
