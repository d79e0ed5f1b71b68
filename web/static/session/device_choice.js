/* Choice of camera, microphone and speaker, a speaker test, and words for a device that does not work: the
   same before and during the call. */
import { playNotes, soundTrouble, troubleWords } from "../shared/devices.js";
import { html, live, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { toast } from "../shared/ui.js";
import { speakersOf } from "./sound.js";

const KINDS = inEach(
  /** @returns {[DeviceKind, string][]} */ () => [
    ["video", t("Camera")],
    ["audio", t("Microphone")],
  ],
);

/** @param {string} speaker */
async function testSpeaker(speaker) {
  try {
    await playNotes({ speaker });
  } catch (error) {
    toast(soundTrouble(error), { bad: true });
  }
}

/**
 * @param {string} name
 * @param {{ id: string, label: string }[]} list
 * @param {string} chosen
 * @param {(id: string) => void} choose
 */
function select(name, list, chosen, choose) {
  const onChange = (/** @type {On<HTMLSelectElement>} */ event) => choose(event.target.value);
  return html`<label class="device"><span>${name}</span>
    <select class="input" .value=${live(chosen)} @change=${onChange}>
      ${list.map(
        ({ id, label }, index) =>
          html`<option value=${id} ?selected=${id === chosen}>${label || `${name} ${index + 1}`}</option>`,
      )}
    </select></label>`;
}

/**
 * `devices` are those of `MediaSession.devices`, `speaker` that of `Sound`.
 *
 * @param {{
 *   devices: Device[],
 *   found: Found,
 *   speaker: string | null,
 *   choose: (kind: Device["kind"], id: string) => void,
 * }} choice
 */
export function deviceChoice({ devices, found, speaker, choose }) {
  const speakers = speakersOf(devices);
  return html`<div class="devices">
    ${KINDS().map(([kind, name]) => {
      const list = devices.filter((device) => device.kind === kind);
      if (found[kind] !== "on" || !list.length) return nothing;
      const chosen = list.find(({ selected }) => selected)?.id ?? "";
      return select(name, list, chosen, (id) => choose(kind, id));
    })}
    ${
      speaker === null || !speakers.length
        ? nothing
        : select(t("Speaker"), [{ id: "", label: t("As the system has it") }, ...speakers], speaker, (id) =>
            choose("speaker", id),
          )
    }
    <button type="button" class="btn" @click=${() => testSpeaker(speaker ?? "")}>
      ${t("Test speaker")}
    </button>
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
