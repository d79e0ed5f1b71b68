/* Returns words for staff about the messages to a patient who was absent when the visit was claimed:
   whether each was sent. */
import { clock } from "./format.js";
import { t } from "./text.js";

/**
 * @type {Record<string, Record<string, (time: string) => string>>} channel -> state of the message -> a
 *   function that returns the words, from the time of sending
 */
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

/**
 * Return the result of a message to a patient in words; "" for an unknown channel or state.
 *
 * @param {Protocol.ContactPart} contact the result of one message
 */
export const contactWords = ({ channel, state, at_ms }) => WORDS[channel]?.[state]?.(clock(at_ms)) ?? "";

/**
 * Return words, such as "mail sent", for the note of an event in a visit's history.
 *
 * @param {string} note the note of the event
 * @param {number} at_ms the time of the event, in ms since 1970
 */
export function contactNote(note, at_ms) {
  const [channel, state] = note.split(" ");
  return WORDS[channel]?.[state]?.(clock(at_ms)) ?? note;
}
