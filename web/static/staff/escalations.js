/* Returns words for a row of On-Demand Requests about the people whom the server has alerted because
   nobody had claimed the request. The result depends only on the arguments. */
import { clock } from "../shared/format.js";
import { t, tn } from "../shared/text.js";

/** The greatest number of people who are named; all further people are only counted. */
const NAMED = 2;

/**
 * Return in words whom the newest alert has reached, such as "Told: Dr Chen, 10:42"; if it has reached
 * nobody, whom it should have reached. Alerts that were sent at the same time are joined. The result is "" if
 * there was no alert.
 *
 * @param {Protocol.EscalationPart[] | undefined} escalations the alerts about the request
 */
export function escalationWords(escalations) {
  const last = escalations?.at(-1);
  if (!last || !escalations) return "";
  const together = escalations.filter(({ at_ms }) => at_ms === last.at_ms);
  const reached = together.filter((one) => one.reached);
  const people = (reached.length ? reached : together).map(({ name }) => name);
  const names = people.length > NAMED ? tn("{n} person", "{n} people", people.length) : people.join(", ");
  const values = { names, time: clock(last.at_ms) };
  return reached.length ? t("Told: {names}, {time}", values) : t("Not reached: {names}, {time}", values);
}
