/* Makes the sentences above On-Demand Requests about waits that exceed the clinic's limits now. The result
   depends only on the arguments. */
import { t } from "../shared/text.js";

/**
 * Return a sentence for each limit that is exceeded. The number of patients is counted per area if the person
 * works only in some areas: the patients of the area, and those without an area. The sentence has the largest
 * of these numbers.
 *
 * @param {Protocol.Row[]} rows the rows of all waiting patients
 * @param {Protocol.QueueLimits} limits the settings of the queue
 * @param {number} now_ms the time now, in ms since 1970
 * @param {string[]} [areas] the areas where this person works; empty for all
 */
export function overLimits(rows, { alert_waiting, alert_wait_ms }, now_ms, areas = []) {
  const sentences = [];
  const lines = areas.map((id) => rows.filter(({ area }) => !area || area.id === id).length);
  const waiting = areas.length ? Math.max(...lines) : rows.length;
  if (alert_waiting && waiting > alert_waiting)
    sentences.push(t("{n} patients are waiting, more than {most}.", { n: waiting, most: alert_waiting }));
  const longest_ms = Math.max(0, ...rows.map(({ arrived_ms }) => now_ms - arrived_ms));
  if (alert_wait_ms && longest_ms > alert_wait_ms)
    sentences.push(
      t("Somebody has been waiting for more than {n} min.", { n: Math.round(alert_wait_ms / 60_000) }),
    );
  return sentences;
}
