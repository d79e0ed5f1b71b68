/* Draws the lists in which a person chooses camera, microphone and speaker, a speaker test, and words for a
   device that does not work. All three look the same before and during the call. */
import { playNotes, soundTrouble, troubleWords } from "../shared/devices.js";
import { html, live, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { toast } from "../shared/ui.js";
import { speakersOf } from "./sound.js";

const KINDS = inEach(
  /**
   * Return each kind of device with its name.
   *
   * @returns {[DeviceKind, string][]}
   */ () => [
    ["video", t("Camera")],
    ["audio", t("Microphone")],
  ],
);

/**
 * Play the notes of the speaker test, or show why they cannot be played.
 *
 * @param {string} speaker the id of the speaker
 */
async function testSpeaker(speaker) {
  try {
    await playNotes({ speaker });
  } catch (error) {
    toast(soundTrouble(error), { bad: true });
  }
}

/**
 * Draw a list of devices to choose from.
 *
 * @param {string} name the name of the field
 * @param {{ id: string, label: string }[]} list the devices
 * @param {string} chosen the id of the device in use
 * @param {(id: string) => void} choose is called with the id of the chosen device
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
 * Draws the lists in which a person chooses devices, and updates the lists when devices are plugged in or
 * removed.
 */
export class DeviceChoice {
  /** @type {Device[]} the devices that the person can choose */
  #devices = [];
  #link;
  #sound;
  #redraw;

  /**
   * Prepare the lists of devices, which are empty until the page has permission to use devices.
   *
   * @param {{
   *   link: import("./media_link.js").MediaLink,
   *   sound: import("./sound.js").Sound,
   *   redraw: () => void,
   * }} options `link`: the media of the visit; `sound`: plays the other parties' media on the chosen
   *   speaker; `redraw()` draws the page again
   */
  constructor({ link, sound, redraw }) {
    this.#link = link;
    this.#sound = sound;
    this.#redraw = redraw;
    link.addEventListener("devices", () => this.#list());
  }

  view() {
    const { speaker } = this.#sound;
    const speakers = speakersOf(this.#devices);
    return html`<div class="devices">
      ${KINDS().map(([kind, name]) => {
        const list = this.#devices.filter((device) => device.kind === kind);
        if (this.#link.found[kind] !== "on" || !list.length) return nothing;
        const chosen = list.find(({ selected }) => selected)?.id ?? "";
        return select(name, list, chosen, (id) => this.#use(kind, id));
      })}
      ${
        speaker === null || !speakers.length
          ? nothing
          : select(t("Speaker"), [{ id: "", label: t("As the system has it") }, ...speakers], speaker, (id) =>
              this.#use("speaker", id),
            )
      }
      <button type="button" class="btn" @click=${() => testSpeaker(speaker ?? "")}>
        ${t("Test speaker")}
      </button>
    </div>`;
  }

  async #list() {
    const { media } = this.#link;
    if (!media) return;
    this.#devices = await media.devices();
    this.#sound.take(this.#devices);
    this.#redraw();
  }

  /**
   * Switch to a chosen device, and show a message if it does not work.
   *
   * @param {Device["kind"]} kind audio (microphone), video (camera) or speaker
   * @param {string} deviceId the browser's id of the device
   */
  async #use(kind, deviceId) {
    const result = await (kind === "speaker"
      ? this.#sound.choose(deviceId)
      : this.#link.media?.useDevice(kind, deviceId));
    if (result !== "on") toast(t("That device could not be started. The one before is kept."), { bad: true });
    await this.#list();
  }
}

/**
 * Draw which devices do not work and how to repair them, and a sentence that the person can still join.
 *
 * @param {{ found: Found, again: () => void }} options `again()` asks for the devices once more
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
