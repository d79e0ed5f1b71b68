/* The video session page in words: the other side's state, the own side's, the network's. Pure, but for templates with ticking figures. */
import { html } from "../shared/lit.js";

/** What the other side is doing: {text, detail, tone}. `party` is one of visit.parties; `detail` may tick. */
export function otherInWords(party, { role }) {
  if (party.present && party.started) return { text: `${party.name} is here`, detail: "Has pressed Start Session", tone: "good" };
  if (party.present) return { text: `${party.name} is here`, detail: "Has not pressed Start Session yet", tone: "quiet" };
  if (party.away_since_ms) {
    return {
      text: `${party.name} is away`,
      detail: html`Away since <since-clock since=${party.away_since_ms}></since-clock>`,
      tone: "amber",
    };
  }
  const coming = role === "provider" ? "Their page is brought here by itself" : "Will be here in a moment";
  return { text: `${party.name} is on the way`, detail: coming, tone: "quiet" };
}

/** The same in one sentence, for a screen reader. */
export function otherSpoken(party) {
  if (party.present) return `${party.name} is here${party.started ? " and has pressed Start Session" : ""}.`;
  return party.away_since_ms ? `${party.name} is away.` : `${party.name} is on the way.`;
}

/** What one's own press is waiting for: a sentence under the button. */
export function ownWords({ me, other, path }) {
  if (!me.started) return "Neither side sees or hears the other until both have pressed Start Session.";
  if (!other.present) return `You have pressed Start Session. It begins when ${other.name} is back and presses too.`;
  return path === "connected" || path === "joining"
    ? `You have pressed Start Session. It begins as soon as ${other.name} presses too.`
    : "You have pressed Start Session. The media connection is being repaired.";
}

const QUALITY = {
  good: ["Connection good", "good"],
  fair: ["Connection fair", "quiet"],
  poor: ["Connection poor: sound comes first", "amber"],
  lost: ["Connection lost, reconnecting…", "amber"],
};

/** Connection quality in words: [text, tone]. */
export function qualityWords(path, words) {
  if (path === "reconnecting") return QUALITY.lost;
  if (path === "joining") return ["Connecting…", "quiet"];
  return QUALITY[words] ?? ["Connected", "good"];
}
