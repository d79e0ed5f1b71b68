/* Returns the sentences for refused requests, by their stable code (signalling/protocol/PROTOCOL.md,
   "Errors"). If this page does not know a code, the server's own text in English is used. */
import { codeOf } from "../signalling/errors.js";
import { t } from "./text.js";

/**
 * @type {Record<string, (details: Protocol.Details) => string>} code of an error -> a function that returns
 *   the sentence, from the details of the error
 */
const WORDS = {
  not_signed_in: () => t("You are not signed in here. Please sign in again."),
  too_many_sockets: () => t("Too many pages are open. Close some of them, or try again in a moment."),
  not_allowed: () => t("You may not do this."),
  not_found: () => t("There is no such visit here."),
  wrong_status: () => t("This visit has moved on; that is no longer possible."),
  already_claimed: ({ by }) =>
    by ? t("{name} has claimed this visit.", by) : t("Someone else has claimed this visit."),
  not_on_call: () => t("Go On-Call first."),
  other_area: () => t("This request is in a waiting area in which you do not work."),
  in_session: () => t("End or return your live session first."),
  front_desk: () => t("The front desk looks at this request first."),
  not_licensed: () => t("You are not licensed where this patient is."),
  at_capacity: () =>
    t("All places for calls are taken. The patient keeps the place in line. Try again in a moment."),
  invalid_answer: () => t("This answer cannot be kept."),
  guide_incomplete: () => t("Some steps of the setup guide are still open."),
  bad_sdp: () => t("Your browser's picture and sound cannot be used here."),
  room_full: () => t("There is no place left in this session."),
  limit_reached: () => t("No more can be kept in this visit."),
  unavailable: () => t("The server cannot save right now. Please try again in a moment."),
  closed: () => t("The connection was closed."),
  offline: () => t("Not connected. Nothing was changed."),
  timeout: () => t("The server did not answer in time."),
};

/**
 * Return a sentence for an error of a request. For other errors, return the text of the error itself.
 *
 * @param {unknown} thrown the error, usually a SignallingError
 */
export function refusalWords(thrown) {
  const error = /** @type {import("../signalling/errors.js").SignallingError} */ (thrown);
  return WORDS[error.code]?.(error.details ?? {}) ?? error.message;
}

/** Codes of errors whose sentence says that nothing was changed, or after which that is not known. */
const UNSURE = new Set(["offline", "timeout"]);

/**
 * Return a sentence for an error of a request, and say that nothing was changed, if that is known.
 *
 * @param {unknown} error the error, usually a SignallingError
 */
export const unchangedWords = (error) =>
  UNSURE.has(codeOf(error))
    ? refusalWords(error)
    : `${refusalWords(error)} ${t("Nothing was changed; please try again.")}`;
