/* Draws and handles the switch "Notify me on this device" of a member of staff, above the list of their
   devices. */
import { html, live, nothing, render } from "../shared/lit.js";
import { one } from "../shared/page.js";
import { canPush, fieldsOf, subscribe, subscribed } from "../shared/push.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

const section = one("#devices", HTMLElement);
const place = one("#this-device", HTMLElement, section);
const { action } = one("form", HTMLFormElement, section);
const { key = "", worker = "" } = section.dataset;
let busy = false;
/** @type {string | null} the id of this device in the list; null if the list does not have this device */
let own = null;

/**
 * Return the id that the server gives a device: the first digits of the SHA-256 of the device's address.
 *
 * @param {string} endpoint the address of the device at its push service
 */
async function idOf(endpoint) {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(endpoint));
  return [...new Uint8Array(hash, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Send the form of this page with these fields, then reload the page. Throw if the server refuses it.
 *
 * @param {Record<string, string>} fields the form's fields by name
 */
async function send(fields) {
  const signal = AbortSignal.timeout(20_000);
  const answer = await fetch(action, { method: "POST", body: new URLSearchParams(fields), signal });
  if (!answer.ok) throw new Error(`${answer.status}`);
  location.reload();
}

async function turnOn() {
  const subscription = await subscribe({ worker, key });
  if (subscription) await send({ do: "add", ...fieldsOf(subscription) });
}

/**
 * Switch the notifications on this device on or off, and show a message if that fails.
 *
 * @param {boolean} on true to get notifications on this device
 */
async function turn(on) {
  busy = true;
  draw();
  try {
    await (on ? turnOn() : send({ remove: own ?? "" }));
  } catch {
    toast(t("This could not be changed. Please try again."), { bad: true });
  } finally {
    busy = false;
    draw();
  }
}

const blocked = () =>
  t(
    "This browser blocks them for this site: allow notifications in the settings at the left of the " +
      "address, then reload.",
  );

function draw() {
  const denied = Notification.permission === "denied";
  render(
    html`<label class="option">
        <input
          type="checkbox"
          role="switch"
          .checked=${live(own !== null)}
          ?disabled=${busy || denied}
          @change=${(/** @type {On<HTMLInputElement>} */ { currentTarget: { checked } }) => turn(checked)} />
        <span>${t("Notify me on this device")}</span>
      </label>
      ${denied ? html`<p class="small quiet">${blocked()}</p>` : nothing}`,
    place,
  );
}

async function begin() {
  if (!canPush()) {
    place.textContent = t("This browser shows no notifications while its pages are closed.");
    return;
  }
  const subscription = await subscribed(worker);
  const id = subscription && (await idOf(subscription.endpoint));
  const row = id && section.querySelector(`[data-device="${id}"]`);
  if (row) {
    own = id;
    row.querySelector(".own")?.removeAttribute("hidden");
  }
  draw();
}

begin();
