/* Draws the frame of the staff's pages whose content comes from the server (calendar, reports, set-up,
   settings): the On-Call switch, the bell, the chime. A person stays on call while they use these pages.
   This script replaces the frame that the server drew, except for auditors. */
import "../pages/form.js";
import "./forms.js";
import "./idle.js";
import { nothing, render } from "../shared/lit.js";
import { one, pageData } from "../shared/page.js";
import { prepareRegions, redrawing } from "../shared/ui.js";
import { SignallingClient } from "../signalling.js";
import { Alerts } from "./alerts.js";
import { side, tendSide } from "./frame.js";
import { News } from "./news.js";
import { OnCall } from "./on_call.js";
import { clearAtSignOut } from "./signed_out.js";

/** @type {StaffBoot} the server's data for the scripts of this page */
const boot = pageData();
const { me, home } = boot;
/**
 * @type {HTMLElement | null} the banner of a visit that is read by emergency access. The page loads itself
 *   anew when an administrator has ended the access: it then shows nothing of the visit
 */
const access = document.querySelector("[data-emergency]");

/** Draw the frame anew, with a connection to the server, for the On-Call switch and the bell. */
function live() {
  const place = one(".side", HTMLElement);
  const client = new SignallingClient(boot.ws, { role: "staff" });
  const redraw = redrawing(draw);
  const alerts = new Alerts(boot.organisation, () => location.assign(home), { wanted: boot.notify });
  const news = new News({
    client,
    me,
    alerts,
    follow: async ({ visit }, marked) => {
      // The next line leaves this page. Before that, the server must have recorded that the notification was
      // read.
      await marked;
      location.assign(`${home}#of=${visit}`);
    },
    redraw,
  });
  const onCall = new OnCall({ client, news, alerts, redraw });

  function draw() {
    render(
      side({
        boot,
        onCall,
        loaded: news.queue.loaded,
        waiting: news.queue.rows.length,
        here: boot.here,
        bell: news.button(),
        // The server draws the languages at the foot of these pages.
        languages: nothing,
        follows: () => () => {},
        signOut: () => alerts.hush(),
      }),
      place,
    );
  }

  tendSide();
  place.replaceChildren();
  place.classList.add("live");
  redraw();
  /* After a sign-out the page is cleared, unless it has a set-up form. Such a page has no patient data,
     and the values typed into it can be sent after a new sign-in. */
  if (!document.querySelector("form[data-keep], #guide-form"))
    clearAtSignOut(client, { signIn: `${home}/sign-in`, cleared: () => alerts.hush() });
  if (access)
    client.subscribe("bell", (message) => {
      const items =
        message.type === "bell.item" ? [message.item] : message.type === "bell.snapshot" ? message.items : [];
      const { emergency, since } = access.dataset;
      const ended = items.some(
        ({ kind, visit, at_ms }) =>
          kind === "emergency_ended" && visit === emergency && at_ms > Number(since),
      );
      if (ended) location.reload();
    });
  client.connect();
}

prepareRegions();
/* An auditor has no requests, no bell and no On-Call switch: the frame that the server drew stays. */
if (me.role !== "auditor") live();
