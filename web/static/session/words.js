/* Returns the sentences of the video session page about the other side, this side, and the network. The
   functions use only their arguments. Some results are lit templates with an element <since-clock>, which
   shows for how long the state has lasted. */
import { foundNow } from "../shared/devices.js";
import { html } from "../shared/lit.js";
import { inEach, t } from "../shared/text.js";

/**
 * Return the other side's state: a sentence, a detail, and a tone, which decides on the sentence's colour.
 *
 * @param {Protocol.PartyPart} party the state of the other side; one of the visit's parties
 * @param {{ role: Role }} own the role of the person on this page
 * @returns {{ text: string, detail: Drawn | string, tone: Tone }}
 */
export function otherInWords(party, { role }) {
  if (party.left)
    return {
      text: t("{name} has left the call", party),
      detail: party.present ? t("They can rejoin") : t("Their page is closed"),
      tone: "amber",
    };
  if (party.present && party.started)
    return { text: t("{name} is here", party), detail: t("Has pressed Start Session"), tone: "good" };
  if (party.present)
    return {
      text: t("{name} is here", party),
      detail: t("Has not pressed Start Session yet"),
      tone: "quiet",
    };
  if (party.away_since_ms) {
    return {
      text: t("{name} is away", party),
      detail: html`${t("Away since")} <since-clock since=${party.away_since_ms}></since-clock>`,
      tone: "amber",
    };
  }
  const coming =
    role === "provider" ? t("Their page is brought here by itself") : t("Will be here in a moment");
  return { text: t("{name} is on the way", party), detail: coming, tone: "quiet" };
}

/**
 * Return the other side's state in one sentence, for a screen reader.
 *
 * @param {Protocol.PartyPart} party the state of the party
 */
export function otherSpoken(party) {
  if (party.left) return t("{name} has left the call.", party);
  if (party.present)
    return party.started
      ? t("{name} is here and has pressed Start Session.", party)
      : t("{name} is here.", party);
  return party.away_since_ms ? t("{name} is away.", party) : t("{name} is on the way.", party);
}

/**
 * Return the announcement for a screen reader that the call has begun, and whether the parties see and hear
 * each other: the camera or microphone of each is on, and has a path.
 *
 * @param {import("./media_link.js").MediaLink} link the media of the visit
 * @param {import("./tiles.js").Other[]} others the other parties
 */
export function begunWords(link, others) {
  const own = foundNow(link.found, link.media);
  const both = (/** @type {DeviceKind} */ kind) =>
    link.path === "connected" &&
    own[kind] === "on" &&
    !link.muted[kind] &&
    others.every(([key, { present, started }]) => {
      const off = link.hiddenOf(key);
      return present && started && !off[kind] && !off.missing[kind] && !link.blocked(key) && !link.lost(key);
    });
  if (!both("audio")) return t("The session has begun.");
  return both("video")
    ? t("The session has begun. You see and hear each other.")
    : t("The session has begun. You hear each other.");
}

/**
 * Return the sentence under the button Start Session. The sentence is about what must happen before the call
 * begins.
 *
 * @param {{ me: Protocol.PartyPart, other: Protocol.PartyPart, path: string, cleared: boolean }} sides `me`
 *   and `other`: the parties; `path`: the state of the path to the media, `MediaLink.path`; `cleared`: true
 *   if the person has pressed, but was then absent so long that the press no longer counts
 */
export function ownWords({ me, other, path, cleared }) {
  if (me.left) return t("You left the call. {name} is told so. Nobody sees or hears you.", other);
  if (!me.started && cleared)
    return t("Your connection was lost for too long. Press Start Session to go on with the session.");
  if (!me.started) return t("Neither side sees or hears the other until both have pressed Start Session.");
  if (other.left) return t("The session goes on when {name} rejoins.", other);
  if (!other.present)
    return t("You have pressed Start Session. It begins when {name} is back and presses too.", other);
  return path === "reconnecting"
    ? t("You have pressed Start Session. The media connection is being repaired.")
    : t("You have pressed Start Session. It begins as soon as {name} presses too.", other);
}

/**
 * @typedef {"good" | "fair" | "poor" | "paused" | "quiet" | "lost"} Quality the quality of the call in one
 *   word; `paused`: pictures are not sent because the network is weak; `quiet`: no packets arrive
 */
/**
 * @typedef {{ name: string, stopped: import("../media/arrivals.js").Stopped }} Standstill the name of a
 *   party, and what has stopped in their media
 */

const QUALITY = inEach(
  /**
   * Return the words and the tone for each quality.
   *
   * @returns {Record<Quality, [string, Tone]>}
   */ () => ({
    good: [t("Connection good"), "good"],
    fair: [t("Connection fair"), "quiet"],
    poor: [t("Connection poor: sound comes first"), "amber"],
    paused: [t("Picture paused: weak network"), "amber"],
    quiet: [t("Connected"), "quiet"],
    lost: [t("Connection lost, reconnecting…"), "amber"],
  }),
);

/**
 * Return the text over the tile of a party whose sound or picture has stopped.
 *
 * @param {Standstill} standstill the party, and what has stopped
 */
export function veilWords({ name, stopped }) {
  return stopped === "silent"
    ? t("Nothing arrives from {name}. The call goes on by itself when they are back.", { name })
    : t("{name}’s picture has stopped.", { name });
}

/**
 * Return the quality of the connection in words.
 *
 * @param {{ path: string, blocked: boolean, words: Quality | null, standstill: Standstill | null }} call
 *   `blocked`: true if this person's network blocks the call; `standstill`: the party whose sound or
 *   picture has stopped, or null
 * @returns {[text: string, tone: Tone]}
 */
export function qualityWords({ path, blocked, words, standstill }) {
  if (path === "unable") return [t("No video in this browser"), "amber"];
  if (blocked) return [t("No connection yet"), "amber"];
  if (path === "reconnecting") return QUALITY().lost;
  if (path === "joining") return [t("Connecting…"), "quiet"];
  if (standstill?.stopped === "silent") return [t("Nothing arrives from {name}", standstill), "amber"];
  if (standstill) return [t("{name}’s picture has stopped", standstill), "amber"];
  return words ? QUALITY()[words] : [t("Connected"), "good"];
}
