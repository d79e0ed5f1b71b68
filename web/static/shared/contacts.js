/* The results of the messages to a patient who was absent when the visit was claimed, in words for staff. */
import { clock } from "./format.js";
import { t } from "./text.js";

/** @type {Record<string, Record<string, (time: string) => string>>} */
const WORDS = {
  mail: {
    sent: (time) => t("Email sent at {time}", { time }),
    retried: () => t("The email has not left yet; it is tried again"),
    failed: () => t("The email could not be sent"),
  },
  text: {
    sent: (time) => t("Text message sent at {time}", { time }),
    retried: () => t("The text message has not left yet; it is tried again"),
    failed: () => t("The text message could not be sent"),
  },
  push: {
    sent: (time) => t("Notification sent at {time}", { time }),
    retried: () => t("The notification has not left yet; it is tried again"),
    failed: () => t("The notification could not be sent"),
  },
};

/** @param {Protocol.ContactPart} contact the result of one message */
export const contactWords = ({ channel, state, at_ms }) => WORDS[channel]?.[state]?.(clock(at_ms)) ?? "";

/**
 * Return the note of an event in the history in words, such as "mail sent".
 *
 * @param {string} note the note of the event
 * @param {number} at_ms
 */
export function contactNote(note, at_ms) {
  const [channel, state] = note.split(" ");
  return WORDS[channel]?.[state]?.(clock(at_ms)) ?? note;
}
