/* Shares the screen of one side in place of its camera. Sharing begins only by a press. Sharing ends when
   the person presses the button, when the browser or the server ends it, or when the call ends. This script
   also draws the notice about who shares. */
import { html, nothing } from "../shared/lit.js";
import { refusalWords } from "../shared/refusals.js";
import { t } from "../shared/text.js";
import { toast } from "../shared/ui.js";

/**
 * The settings of a shared screen. A shared screen rarely changes, and its text must be readable. Therefore
 * few pictures are sent per second, and each is sharp.
 */
const HOW = { video: { frameRate: { ideal: 10, max: 15 } }, audio: false };

/** Return true if this browser can share its screen. Browsers of phones cannot. */
const canShare = () => Boolean(navigator.mediaDevices?.getDisplayMedia);

export class Screen {
  #link;
  #role;
  #party;
  #redraw;
  /** @type {MediaStreamTrack | null} the screen that this page shares; null if it shares none */
  #track = null;
  #choosing = false;
  #wasAsked = false;
  /**
   * @type {Protocol.PartyPart | null} the patient of the visit; null until the server has sent the parties
   */
  #patient = null;
  #live = false;

  /**
   * Prepare the sharing of a screen, which does not begin yet, and follow the state of the media.
   *
   * @param {{
   *   link: import("./media_link.js").MediaLink,
   *   role: Role,
   *   party: string,
   *   redraw: () => void,
   * }} options `link`: the media of the visit; `party`: the key of the party on this page; `redraw()` draws
   *   the page again
   */
  constructor({ link, role, party, redraw }) {
    this.#link = link;
    this.#role = role;
    this.#party = party;
    this.#redraw = redraw;
    link.addEventListener("change", () => this.#look());
  }

  /** True if this page sends a screen in place of the camera now. */
  get on() {
    return this.#track !== null;
  }

  /** Ask the person to choose a screen, and send it. Browsers allow this only when a button is pressed. */
  async begin() {
    if (this.#choosing || this.#track || !canShare()) return;
    this.#choosing = true;
    /** @type {MediaStreamTrack | undefined} the screen that the person has chosen; undefined until then */
    let track;
    try {
      [track] = (await navigator.mediaDevices.getDisplayMedia(HOW)).getVideoTracks();
      const shown = track;
      shown.contentHint = "detail";
      shown.addEventListener("ended", () => this.#track === shown && this.end());
      await this.#link.share("share");
      if (shown.readyState === "ended" || this.#link.screen.sharing !== this.#party) {
        shown.stop();
        return this.#endShare();
      }
      this.#track = shown;
      await this.#link.show(shown);
    } catch (error) {
      track?.stop();
      // If the person has closed the browser's dialog without a choice, no message is shown.
      if (track) toast(refusalWords(error), { bad: true });
    } finally {
      this.#choosing = false;
      this.#redraw();
    }
    return undefined;
  }

  /** End the sharing of this page's screen, and send the camera again. */
  async end() {
    await this.#release();
    this.#endShare();
  }

  #endShare() {
    // An error is ignored: the sharing may have ended already.
    this.#link.share("end").catch(() => {});
    this.#redraw();
  }

  /**
   * Send an act to the server, and show a message if it is refused.
   *
   * @param {"ask" | "decline"} act `ask`: ask the patient to share; `decline`: refuse such a request
   */
  #share(act) {
    this.#link.share(act).catch((error) => toast(refusalWords(error), { bad: true }));
  }

  async #release() {
    const track = this.#track;
    this.#track = null;
    track?.stop();
    await this.#link.show(null);
  }

  /**
   * Apply the visit's newest state. The sharing ends when the call ends.
   *
   * @param {Protocol.VisitPart} visit the state of the visit
   * @param {boolean} live true during the call
   */
  follow({ parties }, live) {
    this.#patient = parties.patient ?? null;
    this.#live = live;
    this.#look();
  }

  /** End the sharing of this page's screen if the server's newest state (`media.shared`) no longer has it. */
  #look() {
    const { sharing, asked } = this.#link.screen;
    if (this.#track && (sharing !== this.#party || !this.#live)) {
      this.#release();
      toast(t("Your screen is no longer shared."));
    }
    const refused = this.#wasAsked && !asked && sharing !== "patient";
    if (refused && this.#role === "provider" && this.#live && this.#patient)
      toast(t("{name} does not share the screen.", this.#patient));
    this.#wasAsked = asked;
  }

  close() {
    this.#track?.stop();
    this.#track = null;
  }

  /** The button in the call's bar; null if sharing is not possible. */
  get button() {
    if (this.#role !== "provider" || !canShare()) return null;
    return this.on
      ? { word: t("Stop sharing"), act: () => this.end() }
      : { word: t("Share screen"), act: () => this.begin() };
  }

  /**
   * The menu entries with which a provider asks the patient to share their screen; empty for other roles.
   *
   * @returns {Entry[]}
   */
  get entries() {
    const { sharing, asked } = this.#link.screen;
    if (this.#role !== "provider" || !this.#patient || asked || sharing === "patient") return [];
    return [{ words: t("Ask {name} to share the screen", this.#patient), act: () => this.#share("ask") }];
  }

  /**
   * Draw who shares a screen, and the buttons for the patient's answer. The empty region is always there,
   * so that screen readers announce its text.
   *
   * @param {Record<string, Protocol.PartyPart>} parties the parties by key
   */
  notice(parties) {
    const [words, buttons] = this.#notice(parties);
    return html`<div class="blocked notice" data-screen-notice ?data-empty=${!words}>
      <p role="status">${words}</p>
      ${buttons.length ? html`<p class="row">${buttons}</p>` : nothing}
    </div>`;
  }

  /**
   * Return the sentence about a shared or requested screen, with its buttons; an empty sentence if no screen
   * is shared or requested.
   *
   * @param {Record<string, Protocol.PartyPart>} parties the parties by key
   * @returns {[words: string, buttons: Drawn[]]}
   */
  #notice(parties) {
    const { sharing, asked } = this.#link.screen;
    const button = (/** @type {string} */ words, /** @type {() => void} */ act, main = false) =>
      html`<button type="button" class="btn ${main ? "main" : ""}" @click=${act}>${words}</button>`;
    if (this.on) return [t("You share your screen."), [button(t("Stop sharing"), () => this.end(), true)]];
    if (asked && this.#role === "patient" && parties.provider) {
      const no = () => this.#share("decline");
      return canShare()
        ? [
            t(
              "{name} asks to see your screen. You choose what is shown, and can stop at any time.",
              parties.provider,
            ),
            [button(t("Choose what to show"), () => this.begin(), true), button(t("Not now"), no)],
          ]
        : [
            t("{name} asks to see your screen, but this browser cannot show it.", parties.provider),
            [button(t("Tell {name}", parties.provider), no)],
          ];
    }
    if (sharing && parties[sharing]) return [t("{name} shares the screen.", parties[sharing]), []];
    if (asked && this.#role === "provider" && parties.patient)
      return [t("You asked {name} to share the screen.", parties.patient), []];
    return ["", []];
  }
}
