/* Draws the pictures of a call with several other parties: a tile for each, with name and role. If there
   is only one other party, the page's own large tile is used instead. */
import { initials } from "../shared/format.js";
import { html, live as kept, nothing, repeat } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";
import { noPictureWords, veil } from "./pair.js";

const RELATIONS = inEach(
  /**
   * Return the word for each relation of a guest to the patient.
   *
   * @returns {Record<string, string>}
   */ () => ({
    interpreter: t("Interpreter"),
    family: t("Family"),
    specialist: t("Specialist"),
    trainee: t("Trainee"),
  }),
);
// The patient and the provider come before guests.
const ORDER = ["patient", "provider"];

/** @typedef {import("../media/arrivals.js").Stopped} Stopped */
/** @typedef {[key: string, party: Protocol.PartyPart]} Other another party, and its key */

/**
 * Return the role of a guest in a word; empty for the patient and the provider.
 *
 * @param {Protocol.PartyPart} party the state of the party
 */
export function relationWords(party) {
  return party.relation ? (RELATIONS()[party.relation] ?? party.relation) : "";
}

/**
 * Return all parties except `me`: the patient and the provider first, then the guests.
 *
 * @param {Protocol.VisitPart} visit the state of the visit
 * @param {string} me the key of the party on this page
 * @returns {Other[]}
 */
export function othersOf(visit, me) {
  const rank = (/** @type {string} */ key) => (ORDER.indexOf(key) + ORDER.length + 1) % (ORDER.length + 1);
  return Object.entries(visit.parties)
    .filter(([key]) => key !== me)
    .sort(([a], [b]) => rank(a) - rank(b) || a.localeCompare(b));
}

/**
 * Return why there is no picture of a party, in a few words, and whether these words are a warning.
 *
 * @param {Protocol.PartyPart} party the state of the party
 * @param {{ live: boolean, off: import("./pair.js").Hidden }} call `off`: the kinds that are not sent
 * @returns {[words: string, warning: boolean]}
 */
function absence(party, { live, off }) {
  if (!party.present && party.relation) return [t("Not here"), false];
  if (!party.present) return party.away_since_ms ? [t("Away"), true] : [t("On the way"), false];
  if (!party.started) return [t("Has not pressed Start Session yet"), false];
  if (!live) return [t("Has pressed Start Session"), false];
  return [noPictureWords(off), false];
}

/** Draws the tiles, and records which parties' pictures are shown. */
export class Tiles {
  #redraw;
  /** @type {Set<string>} the keys of the parties whose picture is shown */
  #seen = new Set();

  /**
   * Prepare the tiles; no picture of any party has been seen yet.
   *
   * @param {() => void} redraw draws the page again
   */
  constructor(redraw) {
    this.#redraw = redraw;
  }

  /**
   * Record whether an element shows a picture of the party, and redraw after a change.
   *
   * @param {string} key the party's key
   * @param {HTMLVideoElement} video the element that shows the party
   */
  #look(key, video) {
    if (this.#seen.has(key) === video.videoWidth > 0) return;
    if (video.videoWidth > 0) this.#seen.add(key);
    else this.#seen.delete(key);
    this.#redraw();
  }

  /**
   * Draw the tiles. `others`: the result of `othersOf`; `opposite`: the role of the opposite party, which is
   * the provider for the patient, and the patient for all other parties.
   *
   * @param {{
   *   others: Other[],
   *   link: import("./media_link.js").MediaLink,
   *   live: boolean,
   *   opposite: Role,
   *   stopped: (key: string) => Stopped | null,
   * }} call `live`: true during the call; `stopped(key)`: what has stopped in the media of a party, or null
   */
  view({ others, link, live, opposite, stopped }) {
    /** @type {Map<string, MediaStream>} party -> the stream with its media */
    const streams = link.media?.remotes ?? new Map();
    const stream = (/** @type {string} */ key) =>
      streams.get(key) ?? (key === opposite ? streams.get("remote") : null) ?? null;
    return repeat(
      others,
      ([key]) => key,
      ([key, party]) =>
        this.#tile(key, party, {
          stream: stream(key),
          live,
          off: link.hiddenOf(key),
          screen: link.screen.sharing === key,
          speaks: link.speaker === key,
          stopped: stopped(key),
        }),
    );
  }

  /**
   * Draw the tile of one party.
   *
   * @param {string} key the party's key
   * @param {Protocol.PartyPart} party the state of the party
   * @param {{
   *   stream: MediaStream | null,
   *   live: boolean,
   *   off: import("./pair.js").Hidden,
   *   screen: boolean,
   *   speaks: boolean,
   *   stopped: Stopped | null,
   * }} media `stream`: the party's media, or null; `live`: true during the call; `off`: the kinds that are
   *   not sent; `screen`: true if the picture is the party's screen; `speaks`: true if the party speaks now;
   *   `stopped`: what has stopped, or null
   */
  #tile(key, party, { stream, live, off, screen, speaks, stopped }) {
    const taking = live && party.present && party.started;
    const picture = taking && stream && !off.video && this.#seen.has(key);
    const [why, warn] = absence(party, { live, off });
    const relation = relationWords(party);
    const name = html`<bdi>${party.name}</bdi>${relation ? html` · ${relation}` : nothing}`;
    const label = screen ? t("Screen of {name}", party) : name;
    const quiet =
      taking && off.audio ? html`<span class="chip amber">${t("Microphone is off")}</span>` : nothing;
    return html`<section
      class="tile other"
      aria-label=${speaks && taking ? t("{name}, speaking", party) : party.name}
      ?data-speaking=${speaks && taking}
      data-party=${key}
      ?data-screen=${screen}
      ?data-picture=${picture}
      ?data-stopped=${stopped !== null}>
      <video
        class="remote"
        autoplay
        playsinline
        @resize=${(/** @type {On<HTMLVideoElement>} */ event) => this.#look(key, event.currentTarget)}
        aria-label=${t("Picture of {name}", party)}
        .srcObject=${kept(stream)}></video>
      ${
        picture
          ? html`<span class="tag"><span>${label}</span>${quiet}</span>`
          : html`<div class="who">
              <span class="face large" aria-hidden="true">${initials(party.name)}</span>
              <p class="name">${name}</p>
              <p class="chip ${warn ? "amber" : "off"}">${why}</p>
              ${quiet}
            </div>`
      }
      ${veil(party.name, stopped)}
    </section>`;
  }
}

/**
 * Return the sentence above the devices. The sentence is about what must happen after the guest has pressed
 * Start Session and before the call begins.
 *
 * @param {{ visit: Protocol.VisitPart, me: Protocol.PartyPart }} own `visit`: the state of the visit; `me`:
 *   the guest on this page
 */
export function guestWords({ visit, me }) {
  const { patient, provider } = visit.parties;
  if (!me.started) return t("Nobody sees or hears you until you press Start Session.");
  if (visit.status === "live") return t("You take part now.");
  const missing = [patient, provider].filter((party) => party && !party.started).map(({ name }) => name);
  return missing.length === 1
    ? t("You have pressed Start Session. It begins when {name} presses too.", { name: missing[0] })
    : t("You have pressed Start Session. It begins when the patient and the clinician have both pressed.");
}
