/* Asks for permission to show desktop notifications when the person presses the button, never when the page
   loads. The script also shows whether notifications are allowed. */
import "../staff/page.js";
import "./devices.js";
import { one } from "../shared/page.js";
import { t } from "../shared/text.js";

const WORDS = {
  granted: () => t("This browser shows them."),
  denied: () =>
    t(
      "This browser blocks them for this site: allow notifications in the settings at the left of the " +
        "address, then reload.",
    ),
  default: () => t("This browser has not been asked yet."),
};
const place = one("#notify", HTMLElement);

function draw() {
  const { permission } = Notification;
  const said = document.createElement("p");
  said.className = "small quiet";
  said.setAttribute("role", "status");
  said.textContent = WORDS[permission]();
  place.replaceChildren(said);
  if (permission === "default") {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = t("Allow them in this browser");
    button.addEventListener("click", () => Notification.requestPermission().then(draw));
    const row = document.createElement("div");
    row.append(button);
    place.append(row);
  }
  place.hidden = false;
}

if (globalThis.Notification) draw();
