/* Draws the notice that a network or a browser blocks the call. The notice offers to continue by phone. */
import { byPhoneWords, noCallWords } from "../shared/devices.js";
import { telLink } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { t } from "../shared/text.js";

/**
 * Return the heading and the help for a call that is blocked by a network or a browser.
 *
 * @param {{ role: Role, own: boolean, unable?: boolean, others: string[], phone?: string | null }} blocked
 *   `own`: true if this person's network blocks the call; `others`: the names of the other parties whose
 *   network blocks the call; `unable`: true if a browser is the reason and not a network; `phone`: the
 *   patient's number, if the page knows it
 * @returns {[heading: string, help: string] | null} null if everybody has a path
 */
export function blockedWords({ role, own, unable = false, others, phone }) {
  if (!own && !others.length) return null;
  const browser = noCallWords();
  const name = others.join(", ");
  const [heading, help] = own
    ? unable
      ? [browser.what, browser.todo]
      : [
          t("Your network blocks video calls."),
          t("Try mobile data or another Wi-Fi. The call connects by itself as soon as there is a way."),
        ]
    : [
        unable
          ? t("The browser of {name} cannot make video calls.", { name })
          : t("The network of {name} blocks video calls.", { name }),
        t("They read what they can try. The call connects by itself as soon as there is a way."),
      ];
  const way =
    role === "patient" && phone
      ? byPhoneWords(phone)
      : role === "provider"
        ? t("You can also call the patient, and end the visit as held by phone.")
        : "";
  return [heading, way ? `${help} ${way}` : help];
}

/**
 * Draw the notice about a blocked call over the pictures. The empty region is always there, so that screen
 * readers announce its text.
 *
 * @param {{ words: [heading: string, help: string] | null, call: Protocol.PatientPart | null }} notice
 *   `words`: the result of `blockedWords`; `call`: the patient whom the provider can call, otherwise null
 */
export function blockedNotice({ words, call }) {
  return html`<div class="blocked notice amber" ?data-empty=${!words}>
    <div role="status">
      ${
        words
          ? html`<p><strong>${words[0]}</strong></p>
        <p>${words[1]}</p>`
          : nothing
      }
    </div>
    ${
      words && call
        ? html`<a class="btn" href=${telLink(call.phone)}>${t("Call by phone: {phone}", {
            phone: (call.phone_shown || call.phone).replaceAll(" ", "\u00a0"),
          })}</a>`
        : nothing
    }
  </div>`;
}
