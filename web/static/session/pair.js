/* Draws the pictures of a call of two: the large tile of the other side, and the small one of this side.
   This script also draws the page for a call that continues on another device. */
import { foundNow } from "../shared/devices.js";
import { initials } from "../shared/format.js";
import { html, live as kept, nothing, ref } from "../shared/lit.js";
import { t } from "../shared/text.js";
import { TONES } from "./bar.js";
import { otherInWords, veilWords } from "./words.js";

/** @typedef {import("../media/arrivals.js").Stopped} Stopped */
/** @typedef {Muted & { missing: Muted, paused?: boolean }} Hidden which media of a party are off */
/**
 * @typedef {HTMLVideoElement & { webkitEnterFullscreen?: () => void }} Video the element of a picture; only
 *   Safari on iOS has the extra method
 */

/**
 * Draw the notices over the pictures: a notice if the browser needs a press before it plays sound, and a
 * notice if the call is interrupted.
 *
 * @param {{ soundBlocked: boolean, sound: string, listen: () => void, interrupted: boolean }} call
 *   `soundBlocked`: true if a press is needed; `sound`: the text of the button; `listen()` is called when the
 *   button is pressed; `interrupted`: true if the call is interrupted
 */
export function overTiles({ soundBlocked, sound, listen, interrupted }) {
  return html`${
    soundBlocked
      ? html`<button type="button" class="btn main sound" @click=${listen}>${sound}</button>`
      : nothing
  }
    ${
      interrupted
        ? html`<p class="veil" role="status">
            ${t("Picture and sound are interrupted. Reconnecting by itself…")}
          </p>`
        : nothing
    }`;
}

/**
 * Draw the large tile of the other side.
 *
 * @param {{
 *   party: Protocol.PartyPart,
 *   role: Role,
 *   live: boolean,
 *   seen: boolean,
 *   stream: MediaStream | null,
 *   muted: Hidden,
 *   screen: boolean,
 *   resized: () => void,
 *   held: (video: Video | null) => void,
 *   over: Drawn,
 *   stopped: Stopped | null,
 * }} other `live`: true during the call; `seen`: true after a picture of the party has been decoded; `muted`:
 *   the kinds that are off; `screen`: true if the picture is the screen of the party; `resized()` is called
 *   when the picture's size changes; `held()` is called with the element that shows the party; `over`:
 *   notices to draw over the picture; `stopped`: what has stopped, or null
 */
export function otherTile({ party, role, live, seen, stream, muted, screen, resized, held, over, stopped }) {
  const words = otherInWords(party, { role });
  const here = live && party.present;
  const picture = here && !muted.video && seen;
  const label = screen ? t("Screen of {name}", party) : party.name;
  return html`<section
    class="tile other"
    aria-label=${party.name}
    ?data-picture=${picture}
    ?data-stopped=${stopped !== null}>
    <video
      class="remote"
      autoplay
      playsinline
      @resize=${resized}
      aria-label=${t("Picture of {name}", party)}
      .srcObject=${kept(stream)}
      ${ref((element) => held(/** @type {Video | undefined} */ (element) ?? null))}></video>
    ${
      picture
        ? nothing
        : html`<div class="who">
            <span class="face large" aria-hidden="true">${initials(party.name)}</span>
            <p class="name">${here ? html`<bdi>${party.name}</bdi>` : words.text}</p>
            <p class="chip ${here ? "off" : TONES[words.tone]}">
              ${here ? noPictureWords(muted) : words.detail}
            </p>
            ${
              live && !party.present
                ? html`<p class="quiet small">
                    ${t(
                      "The session goes on when they are back. Nobody needs to press again for a short " +
                        "break.",
                    )}
                  </p>`
                : nothing
            }
          </div>`
    }
    ${
      live
        ? html`<span class="tag"><span><bdi>${label}</bdi></span> ${
            muted.audio ? html`<span class="chip amber">${t("Microphone is off")}</span>` : nothing
          }</span>`
        : nothing
    }
    ${veil(party.name, stopped)}${over}
  </section>`;
}

/**
 * Draw the notice over the picture of a party whose sound or picture has stopped. The header announces to
 * screen readers that media have stopped, so the notice does not.
 *
 * @param {string} name the name of the party
 * @param {Stopped | null} stopped what has stopped, or null
 */
export function veil(name, stopped) {
  return stopped ? html`<p class="veil">${veilWords({ name, stopped })}</p>` : nothing;
}

/**
 * Return the reason why there is no picture of a party who is present.
 *
 * @param {Hidden} off what of the party's media is absent, and why
 */
export function noPictureWords({ video, missing, paused = false }) {
  if (missing.video) return missing.audio ? t("No camera, no microphone") : t("No camera");
  if (paused) return t("Picture paused: weak network");
  return video ? t("Camera is off") : t("No picture yet");
}

/**
 * Return in a word why the other parties do not hear this microphone; null if they hear it, or while
 * permission is being asked for.
 *
 * @param {DeviceWord | null} found the result for the microphone
 * @param {boolean} muted true if it is switched off
 */
function soundWords(found, muted) {
  if (muted) return t("Muted");
  if (found === null || found === "on") return null;
  return found === "silent" ? t("No sound") : t("No microphone");
}

const lacks = (/** @type {DeviceWord | null} */ found) => found !== null && !["on", "silent"].includes(found);

/**
 * Draw the small tile with this side's own picture.
 *
 * @param {{ link: import("./media_link.js").MediaLink, live: boolean, started: boolean }} own `link`: the
 *   media of the visit; `live`: true during the call; `started`: true if this person has pressed Start
 *   Session
 */
export function ownTile({ link, live, started }) {
  const { media, muted } = link;
  const found = foundNow(link.found, media);
  const on = found.video === "on" && !muted.video;
  const sent = live
    ? on
      ? t("You")
      : null
    : started
      ? t("You · sent when both have pressed")
      : t("You, as you will be seen · not sent yet");
  const why =
    found.video === null
      ? t("Waiting for the camera. Your browser may ask you to allow it.")
      : muted.video
        ? t("Camera is off")
        : found.video === "silent"
          ? t("No picture from the camera")
          : noPictureWords({ ...muted, missing: { audio: lacks(found.audio), video: true } });
  const quiet = !on && lacks(found.video) && lacks(found.audio) ? null : soundWords(found.audio, muted.audio);
  return html`<section class="tile self" aria-label=${t("You")} ?data-picture=${on}>
    <video
      muted
      .muted=${true}
      autoplay
      playsinline
      aria-label=${t("Your own picture")}
      ?hidden=${!on}
      ?data-mirrored=${media?.mirrored}
      .srcObject=${kept(media?.preview ?? null)}></video>
    ${on ? nothing : html`<p class="why">${why}</p>`}
    ${
      sent || quiet
        ? html`<span class="tag">${sent ? html`<span>${sent}</span>` : nothing}${
            quiet ? html`<span class="chip amber">${quiet}</span>` : nothing
          }</span>`
        : nothing
    }
  </section>`;
}

/**
 * Draw the page for a session that is open in another tab or on another device.
 *
 * @param {{ here: () => void, back: Drawn }} options `here()` moves the media back to this page; `back` is
 *   the drawn link that leaves this page
 */
export function elsewhere({ here, back }) {
  return html`<div class="session" data-phase="elsewhere">
    <main id="main" tabindex="-1" class="floor">
      <section class="card stack">
        <h1 tabindex="-1" data-focus>${t("This session is open in another tab or device")}</h1>
        <p>${t("Picture and sound go there. Camera and microphone are off here.")}</p>
        <p class="row">
          <button type="button" class="btn main big" @click=${here}>${t("Use it here")}</button>${back}
        </p>
      </section>
    </main>
  </div>`;
}
