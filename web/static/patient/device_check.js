/* The setup guide's device check, which tests camera, microphone, speaker and network. No picture or sound
   leaves the device; only a word for each part is stored. It is a custom element, because it must release
   the camera when it is removed from the page. */
import { canCall, MediaSession } from "../media.js";
import {
  blockedWords,
  foundNow,
  networkWord,
  noCallWords,
  playNotes,
  soundTrouble,
  troubleWords,
  watchLevel,
} from "../shared/devices.js";
import { html, live as kept, nothing, render } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";

/** @typedef {keyof AnswerOf["device_check"]} Part a tested part: camera, microphone, speaker or network */

const PARTS = inEach(
  /**
   * Return the name of each part.
   *
   * @returns {Record<Part, string>}
   */ () => ({
    camera: t("Camera"),
    microphone: t("Microphone"),
    speaker: t("Speaker"),
    network: t("Network"),
  }),
);
const BAD = inEach(
  /**
   * Return the words for each quality of the network.
   *
   * @returns {Record<string, string>}
   */ () => ({
    poor: t("Poor"),
    "not heard": t("Not heard"),
    blocked: t("Blocks video"),
  }),
);

class DeviceCheck extends HTMLElement {
  /**
   * @type {import("../signalling.js").SignallingClient | null} the connection to the server, which the page
   *   sets
   */
  client = null;
  /**
   * @type {(answer: AnswerOf["device_check"]) => void} is called with the results after each test; the page
   *   sets it
   */
  typed = () => {};
  /** @type {AnswerOf["device_check"]} the result of each part that was tested */
  #answer = {};
  // The patient's phone number, which is shown if a call is not possible; "" if there is none.
  phone = "";
  /** @type {MediaSession | null} has the tested camera and microphone; null before the test */
  #media = null;
  /** @type {Found} the result for each device; null until the browser has answered the request for it */
  #found = { video: null, audio: null };
  #level = 0;
  #stopLevel = () => {};
  /**
   * @type {"idle" | "playing" | "asked" | "silent"} the state of the speaker's test: not begun, the sound
   *   plays, the patient is asked whether it was heard, or it cannot be played
   */
  #speaker = "idle";
  /**
   * @type {unknown} the error of `playNotes` when the sound of the test could not be played; null if there
   *   was none
   */
  #silence = null;
  #translate = () => this.#draw();

  /**
   * Set the results of an earlier check, and draw them.
   *
   * @param {AnswerOf["device_check"] | null | undefined} value the result of each part; null if nothing was
   *   tested
   */
  set answer(value) {
    this.#answer = value ?? {};
    if (this.isConnected) this.#draw();
  }

  connectedCallback() {
    this.#draw();
    document.addEventListener("language", this.#translate);
    this.#look();
    this.#try();
  }

  async #try() {
    if (!canCall()) this.#know({ network: "unsupported" });
    else if (this.client) this.#know({ network: await networkWord(this.client) });
  }

  #again() {
    this.#look();
    if (this.#answer.network === "blocked") {
      this.#know({ network: undefined });
      this.#try();
    }
  }

  disconnectedCallback() {
    document.removeEventListener("language", this.#translate);
    this.#stopLevel();
    this.#media?.close();
    this.#media = null;
  }

  async #look() {
    this.#stopLevel();
    this.#media?.close();
    const media = new MediaSession({ sendAnswer: async () => {} });
    this.#media = media;
    media.addEventListener(
      "devicechange",
      () =>
        this.#media === media &&
        (this.#found.video === "missing" || this.#found.audio === "missing") &&
        this.#look(),
    );
    media.addEventListener("tracksilent", () => this.#media === media && this.#knowDevices());
    this.#found = { video: null, audio: null };
    this.#draw();
    const found = await media.prepare({ audio: true, video: true });
    if (this.#media !== media) return media.close();
    this.#found = found;
    this.#stopLevel = watchLevel(media.preview, (level) => {
      this.#level = level;
      const meter = this.querySelector("meter");
      if (meter) meter.value = level;
    });
    return this.#knowDevices();
  }

  #knowDevices() {
    const { video, audio } = foundNow(this.#found, this.#media);
    this.#know({ camera: video ?? undefined, microphone: audio ?? undefined });
  }

  /**
   * Add new results to the results of earlier tests, pass all results to the page (`typed`), and draw them.
   *
   * @param {AnswerOf["device_check"]} news the new result of one or several parts
   */
  #know(news) {
    if (!this.isConnected) return;
    this.#answer = { ...this.#answer, ...news };
    this.typed(this.#answer);
    this.#draw();
  }

  async #testSpeaker() {
    this.#speaker = "playing";
    this.#draw();
    try {
      await playNotes();
      this.#speaker = "asked";
    } catch (error) {
      this.#speaker = "silent";
      this.#silence = error;
    }
    this.#draw();
  }

  /**
   * Record whether the person has heard the notes of the speaker test.
   *
   * @param {boolean} yes true if the person has heard them
   */
  #heard(yes) {
    this.#speaker = "idle";
    this.#know({ speaker: yes ? "on" : "not heard" });
  }

  /**
   * Draw the result of a part as a coloured word.
   *
   * @param {Part} part the checked part
   */
  #chip(part) {
    const word = this.#answer[part];
    if (!word)
      return html`<span class="chip off">${part === "speaker" ? t("Not tested") : t("Looking…")}</span>`;
    if (word === "on") return html`<span class="chip"><span class="dot"></span>${t("Works")}</span>`;
    if (part === "network" && (word === "good" || word === "fair"))
      return html`<span class="chip"
        ><span class="dot"></span>${word === "good" ? t("Good") : t("Fair")}</span>`;
    return html`<span class="chip amber">${BAD()[word] ?? t("Does not work")}</span>`;
  }

  #draw() {
    const found = foundNow(this.#found, this.#media);
    const troubles = canCall()
      ? [...(this.#answer.network === "blocked" ? [blockedWords()] : []), ...troubleWords(found)]
      : [noCallWords(this.phone)];
    const seen = found.video === "on";
    render(
      html`<div class="check">
        <div class="mirror">
          <video
            muted
            playsinline
            autoplay
            aria-label=${t("Your own picture")}
            ?hidden=${!seen}
            ?data-mirrored=${this.#media?.mirrored}
            .srcObject=${kept(this.#media?.preview ?? null)}></video>
          ${
            seen
              ? nothing
              : html`<p>${
                  this.#found.video
                    ? t("No picture")
                    : t(
                        "Your browser may ask whether this page may use your camera and microphone. " +
                          "Please allow it.",
                      )
                }</p>`
          }
          <span class="tag">${t("Only you see this")}</span>
        </div>
        <ul role="list" class="parts">
          ${
            /** @type {[Part, string][]} */ (Object.entries(PARTS())).map(
              ([part, name]) =>
                html`<li class="row apart">
                <span class="name">${name}</span>${this.#chip(part)}
                ${
                  part === "microphone" && this.#found.audio === "on"
                    ? html`<div class="level">
                        <meter
                          min="0"
                          max="1"
                          .value=${this.#level}
                          aria-label=${t("How loud your microphone hears you")}></meter>
                        <span class="small quiet">${t("Say something: the bar moves.")}</span>
                      </div>`
                    : nothing
                }
                ${part === "speaker" ? this.#speakerTest() : nothing}
              </li>`,
            )
          }
        </ul>
        ${
          troubles.length
            ? html`<div class="notice amber stack" role="status">
                ${troubles.map(({ what, todo }) => html`<p><b>${what}</b> ${todo}</p>`)}
                <p>${t("You can go on all the same: the visit works with what you have.")}</p>
                <div>
                  <button type="button" class="btn" @click=${() => this.#again()}>${t("Try again")}</button>
                </div>
              </div>`
            : nothing
        }
      </div>`,
      this,
    );
  }

  #speakerTest() {
    if (this.#speaker === "asked") {
      return html`<div class="level row" role="group" aria-label=${t("Did you hear two notes?")}>
        <span>${t("Did you hear two notes?")}</span>
        <button type="button" class="btn" @click=${() => this.#heard(true)}>${t("Yes")}</button>
        <button type="button" class="btn" @click=${() => this.#heard(false)}>${t("No")}</button>
      </div>`;
    }
    const words = {
      playing: t("Playing…"),
      silent: soundTrouble(this.#silence),
      idle: nothing,
    }[this.#speaker];
    const advice =
      this.#answer.speaker === "not heard"
        ? t("Turn up the volume, or check which speaker or headphones are chosen.")
        : nothing;
    return html`<div class="level row">
      <button
        type="button"
        class="btn"
        aria-disabled=${this.#speaker === "playing"}
        @click=${() => this.#speaker !== "playing" && this.#testSpeaker()}>
        ${t("Play a sound")}
      </button>
      <span class="small quiet" role="status">${words === nothing ? advice : words}</span>
    </div>`;
  }
}

customElements.define("device-check", DeviceCheck);
