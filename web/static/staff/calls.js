/* Draws the quality of each party's call, from the visit's history: one word, and the figures that have
   decided on the word. */
import { minutes } from "../shared/format.js";
import { html, nothing } from "../shared/lit.js";
import { intlLocale, t, tn } from "../shared/text.js";

/**
 * Each row: words for a bad call, and the loss in percent or the round trip in ms from which they apply. The
 * worst call comes first, and the first row that applies gives the words. media/figures.js uses the same
 * limits during the call.
 */
const VERDICTS = [
  {
    tone: "red",
    loss: 8,
    rtt_ms: 500,
    lossy: (/** @type {{ loss: string }} */ values) => t("Much loss: {loss} %", values),
    slow: () => t("Very slow"),
  },
  {
    tone: "amber",
    loss: 2,
    rtt_ms: 250,
    lossy: (/** @type {{ loss: string }} */ values) => t("Some loss: {loss} %", values),
    slow: () => t("Slow"),
  },
];

const figure = (/** @type {number} */ value) =>
  new Intl.NumberFormat(intlLocale(), { maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);

/**
 * Return the words for the quality of a call, with their colour.
 *
 * @param {Protocol.CallPart} call the figures of one party's call
 * @returns {[words: string, tone: string]}
 */
function verdict(call) {
  const loss = Math.max(call.heard_lost?.usual ?? 0, call.sent_lost?.usual ?? 0);
  for (const { tone, lossy, slow, ...limits } of VERDICTS) {
    if (loss >= limits.loss) return [lossy({ loss: figure(loss) }), tone];
    if ((call.round_trip_ms?.usual ?? 0) >= limits.rtt_ms) return [slow(), tone];
  }
  return call.heard_lost || call.round_trip_ms ? [t("Good"), ""] : [t("Not measured"), "off"];
}

/**
 * Return sentences with the figures of a call.
 *
 * @param {Protocol.CallPart} call the figures of one party's call
 */
function figures(call) {
  /**
   * Return the sentence for a figure that may be missing.
   *
   * @param {Protocol.UsualPart | null} found the usual value and a bad value of the figure; null if the
   *   figure was not measured
   * @param {(values: { usual: string, worse: string }) => string} words makes the sentence from the two
   *   values
   */
  const both = (found, words) =>
    found ? words({ usual: figure(found.usual), worse: figure(found.worse) }) : null;
  return [
    t("Connected: {time}", { time: minutes(call.connected_ms) }),
    both(call.heard_lost, (values) => t("lost on the way to them: {usual} %, at times {worse} %", values)),
    both(call.sent_lost, (values) => t("lost on the way from them: {usual} %, at times {worse} %", values)),
    both(call.round_trip_ms, (values) => t("round trip: {usual} ms, at times {worse} ms", values)),
    both(call.picture_kbps, (values) => t("picture: {usual} kbit/s, at times {worse} kbit/s", values)),
    call.interruptions ? tn("{n} interruption", "{n} interruptions", call.interruptions) : null,
  ].filter(Boolean);
}

/**
 * Draw the quality for each party; draw nothing if no party was connected.
 *
 * @param {Protocol.CallPart[] | null} calls the figures of each party's call; null while they load
 */
export function callsView(calls) {
  if (!calls?.length) return nothing;
  return html`<h3 class="of-case" id="calls-title">${t("Quality of the call")}</h3>
    <ul role="list" class="story" aria-labelledby="calls-title">
      ${calls.map((call) => {
        const [words, tone] = verdict(call);
        return html`<li>
          <span><b><bdi>${call.name}</bdi></b><br /><span class="chip ${tone}">${words}</span></span>
          <span class="num quiet small">${figures(call).join(" · ")}</span>
        </li>`;
      })}
    </ul>`;
}
