/* Choice of camera and microphone, a speaker test, and words for a device that does not work: the same before
   and during the call. */
import { playNotes, soundTrouble, troubleWords } from "../shared/devices.js";
import { html, live, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

const KINDS = inEach(
  /** @returns {[DeviceKind, string][]} */ () => [
    ["video", t("Camera")],
    ["audio", t("Microphone")],
  ],
);

async function testSpeaker() {
  try {
    await playNotes();
  } catch (error) {
    toast(soundTrouble(error), { bad: true });
  }
}

/**
 * @param {{ devices: Device[], found: Found, choose: (kind: DeviceKind, id: string) => void }} choice
 *   `devices` are those of `MediaSession.devices`
 */
export function deviceChoice({ devices, found, choose }) {
  return html`<div class="devices">
    ${KINDS().map(([kind, name]) => {
      const list = devices.filter((device) => device.kind === kind);
      if (found[kind] !== "on" || !list.length) return nothing;
      const onChange = (/** @type {On<HTMLSelectElement>} */ event) => choose(kind, event.target.value);
      const chosen = list.find(({ selected }) => selected)?.id ?? "";
      return html`<label class="device"><span>${name}</span>
        <select class="input" .value=${live(chosen)} @change=${onChange}>
          ${list.map(
            ({ id, label }, index) =>
              html`<option value=${id} ?selected=${id === chosen}>${
                label || `${name} ${index + 1}`
              }</option>`,
          )}
        </select></label>`;
    })}
    <button type="button" class="btn" @click=${testSpeaker}>${t("Test speaker")}</button>
  </div>`;
}

/**
 * What does not work, what to do, and that one can join all the same.
 *
 * @param {{ found: Found, again: () => void }} options
 */
export function deviceTroubles({ found, again }) {
  const troubles = troubleWords(found);
  if (!troubles.length) return nothing;
  const works = (/** @type {DeviceKind} */ kind) => found[kind] === null || found[kind] === "on";
  const joins = works("audio")
    ? t("You can join without a camera.")
    : works("video")
      ? t("You can join without a microphone.")
      : t("You can join all the same: you will see and hear the other side.");
  return html`<div class="notice amber troubles" role="status">
    ${troubles.map(({ what, todo }) => html`<p><b>${what}</b> ${todo}</p>`)}
    <p>${joins}</p>
    <button type="button" class="btn" @click=${again}>${t("Try again")}</button>
  </div>`;
}
