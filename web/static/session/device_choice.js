/* Choice of camera and microphone, a speaker test, and words for a device that does not work: the same before
   and during the call. */
import { playNotes, troubleWords } from "../shared/devices.js";
import { html, live, nothing } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

const KINDS = inEach(() => [
  ["video", t("Camera")],
  ["audio", t("Microphone")],
]);

async function testSpeaker() {
  try {
    await playNotes();
  } catch {
    toast(t("The browser blocked the sound. Press once more."), { bad: true });
  }
}

/** `devices` from MediaSession.devices(); `choose(kind, id)`. */
export function deviceChoice({ devices, found, choose }) {
  return html`<div class="devices">
    ${KINDS().map(([kind, name]) => {
      const list = devices.filter((device) => device.kind === kind);
      if (found[kind] !== "on" || !list.length) return nothing;
      const chosen = list.find(({ selected }) => selected)?.id ?? "";
      return html`<label class="device"><span>${name}</span>
        <select class="input" .value=${live(chosen)} @change=${(event) => choose(kind, event.target.value)}>
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

/** What does not work, what to do, and that one can join all the same. */
export function deviceTroubles({ found, again }) {
  const troubles = ["video", "audio"]
    .map((kind) => [kind, troubleWords(kind, found[kind])])
    .filter(([, words]) => words);
  if (!troubles.length) return nothing;
  const both = troubles.length === 2;
  const joins = both
    ? t("You can join all the same: you will see and hear the other side.")
    : troubles[0][0] === "video"
      ? t("You can join without a camera.")
      : t("You can join without a microphone.");
  const same = both && troubles[0][1].todo === troubles[1][1].todo;
  return html`<div class="notice amber troubles" role="status">
    ${
      same
        ? html`<p>
            <b>${t("This browser does not let the page use camera and microphone.")}</b>
            ${troubles[0][1].todo}
          </p>`
        : troubles.map(([, { what, todo }]) => html`<p><b>${what}</b> ${todo}</p>`)
    }
    <p>${joins}</p>
    <button type="button" class="btn" @click=${again}>${t("Try again")}</button>
  </div>`;
}
