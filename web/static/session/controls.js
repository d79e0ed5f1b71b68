/* Draws the buttons of the video session page, before and during the call, and asks for confirmation
   before an action that other parties notice. */
import { html, nothing } from "../shared/lit.js";
import { one } from "../shared/page.js";
import { inEach, t } from "../shared/text.js";
import { settle } from "../shared/ui.js";
import { tryAgain } from "./device_news.js";
import { icons } from "./icons.js";

const RETURN = inEach(() => ({
  title: t("Return to the queue?"),
  text: t(
    "The patient goes back to their old place in line and is told so. Another clinician may claim the visit.",
  ),
  yes: t("Return to queue"),
  no: t("Stay in the session"),
}));
const END = inEach(() => ({
  title: t("End the session?"),
  text: t("It ends for both of you, and the patient leaves this page."),
  yes: t("End session"),
  also: t("End it as held by phone"),
  no: t("Stay in the session"),
  danger: true,
}));

const LEAVE = inEach(() => ({
  title: t("Leave the visit?"),
  text: t(
    "Your request ends, and the clinician is told so. To be seen later you would start again at the end of " +
      "the line.",
  ),
  yes: t("Leave the visit"),
  no: t("Stay"),
  danger: true,
}));

/**
 * Draw a button of the call's bar, with a picture above the word.
 *
 * @param {{
 *   icon: keyof typeof icons,
 *   word: string,
 *   act: (event: On<HTMLButtonElement>) => void,
 *   pressed?: boolean | null,
 *   danger?: boolean,
 *   main?: boolean,
 * }} button `pressed`: whether it is switched on, null for a button without such a state; `danger`: true if
 *   it ends something; `main`: true for the most important button
 */
function control({ icon, word, act, pressed = null, danger = false, main = false }) {
  return html`<button
    type="button"
    class="control ${danger ? "danger" : ""} ${main ? "main" : ""}"
    aria-pressed=${pressed === null ? nothing : String(pressed)}
    @click=${act}>
    ${icons[icon]}<span>${word}</span>
  </button>`;
}

/**
 * Return the menu entries by which a person leaves a visit before the call. They are entries of a menu and
 * not buttons, so that the page looks the same for both roles.
 *
 * @param {Role} role the role of the person on this page
 * @param {Protocol.PartyPart} me the party on this page
 * @param {Leave} leave leaves the visit in the given way, after a confirmation
 * @returns {Entry[]}
 */
export function waysOut(role, me, leave) {
  if (role === "provider")
    return [
      { words: t("Return to queue"), act: () => leave("visit.release", RETURN()) },
      { words: t("End session"), act: () => leave("visit.end", END()) },
    ];
  if (role === "guest" || me.left) return [];
  return [{ words: t("Leave the visit"), act: () => leave("visit.withdraw", LEAVE()) }];
}

/**
 * Draw the button Start Session. For a person who has left the call, draw a button to rejoin the call, and a
 * button to leave the visit.
 *
 * @param {{
 *   role: Role,
 *   me: Protocol.PartyPart,
 *   pressing: boolean,
 *   other: string,
 *   start: () => void,
 *   leave: Leave,
 * }} session `pressing`: true while a press is being sent; `other`: the name of the other side; `start()`
 *   sends the press; `leave()` leaves the visit or the call
 */
export function startButtons({ role, me: { started, left }, pressing, other, start, leave }) {
  return html` ${
    started && role === "guest"
      ? html`<button type="button" class="btn big" aria-disabled="true">
          ${t("Waiting for the others")}
        </button>`
      : started
        ? html`<button type="button" class="btn big" aria-disabled="true">
            ${t("Waiting for {name}", { name: other })}
          </button>`
        : html`<button
            type="button"
            class="btn main big"
            aria-disabled=${pressing ? "true" : "false"}
            @click=${start}>
            ${left ? t("Rejoin") : t("Start Session")}
          </button>`
  }
  ${
    left
      ? html`<button type="button" class="btn" @click=${() => leave("visit.withdraw", null)}>
          ${t("I am done")}
        </button>`
      : nothing
  }`;
}

/**
 * Open the dialog in which devices are chosen.
 *
 * @param {On<HTMLButtonElement>} event the press of the button
 */
function openDevices(event) {
  one("#call-devices", HTMLDialogElement).showModal();
  event.currentTarget.blur();
}

/**
 * Draw the buttons of the call.
 *
 * @param {{
 *   role: Role,
 *   link: import("./media_link.js").MediaLink,
 *   other: string,
 *   full: boolean,
 *   canFull: boolean,
 *   toggleFull: () => void,
 *   screen: { word: string, act: () => void } | null,
 *   devices: () => Drawn,
 *   leave: Leave,
 * }} session `other`: the name of the other side; `full`: true on the full screen; `canFull`: true if the
 *   browser has a full screen; `screen`: the button that shares a screen, or null; `devices()` draws the
 *   lists of devices; `leave()` leaves the call, after a confirmation
 */
export function callButtons({ role, link, other, full, canFull, toggleFull, screen, devices, leave }) {
  const { found, muted } = link;
  return html` ${
    found.audio === "on"
      ? control({
          icon: muted.audio ? "microphoneOff" : "microphone",
          word: muted.audio ? t("Unmute") : t("Mute"),
          pressed: muted.audio,
          act: () => link.mute("audio", !muted.audio),
        })
      : control({ icon: "microphoneOff", word: t("No microphone"), act: () => tryAgain(link) })
  }
    ${
      found.video === "on"
        ? control({
            icon: muted.video ? "cameraOff" : "camera",
            word: muted.video ? t("Camera on") : t("Camera off"),
            act: () => link.mute("video", !muted.video),
          })
        : control({ icon: "cameraOff", word: t("No camera"), act: () => tryAgain(link) })
    }
    ${screen ? control({ icon: "screen", ...screen }) : nothing}
    ${control({ icon: "devices", word: t("Devices"), act: openDevices })}
    ${
      canFull
        ? control({
            icon: full ? "notFull" : "full",
            word: full ? t("Smaller") : t("Full screen"),
            act: toggleFull,
          })
        : nothing
    }
    ${
      role === "provider"
        ? html`${control({
            icon: "back",
            word: t("To queue"),
            act: () => leave("visit.release", RETURN()),
          })}${control({
            icon: "leave",
            word: t("End"),
            danger: true,
            act: () => leave("visit.end", END()),
          })}`
        : control({
            icon: "leave",
            word: t("Leave the call"),
            danger: true,
            act: () => leave("visit.hang_up", null),
          })
    }
    <dialog class="ask" id="call-devices" aria-labelledby="call-devices-title" @close=${settle}>
      <h2 id="call-devices-title">${t("Devices")}</h2>
      <p class="quiet">
        ${t("A change of camera or microphone is seen and heard by {name} at once.", { name: other })}
      </p>
      ${devices()}
      <form method="dialog" class="row"><button class="btn main">${t("Done")}</button></form>
    </dialog>`;
}
