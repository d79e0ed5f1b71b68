/* Keeps text that was typed into a form or a message and is not sent yet. The text is kept only in this tab,
   until it is sent, and at most for two hours. The caller passes the time. */

const BEGINS = "draft:";
const MESSAGES = "message/";
const KEPT_MS = 2 * 3_600_000;

/** @typedef {Record<string, string>} Draft name of a field -> its value */

/**
 * Return the draft of a form or message; an empty draft if there is none, or if it is too old.
 *
 * @param {string} of for the organisation's form, its id; for a message, the result of `ofMessage(visit)`
 * @param {number} now_ms the time now, in ms since 1970
 * @param {Pick<Storage, "getItem">} [storage] where drafts are; the tab's storage if it is absent
 * @returns {Draft}
 */
export function draftOf(of, now_ms, storage) {
  try {
    const { at_ms, values } = JSON.parse((storage ?? sessionStorage).getItem(BEGINS + of) ?? "{}");
    return now_ms - at_ms < KEPT_MS ? values : {};
  } catch {
    return {};
  }
}

/**
 * Keep the draft of a form or message.
 *
 * @param {string} of for the organisation's form, its id; for a message, the result of `ofMessage(visit)`
 * @param {Draft} values the values of the form
 * @param {number} now_ms the time now, in ms since 1970
 * @param {Pick<Storage, "setItem">} [storage] where drafts are; the tab's storage if it is absent
 */
export function keepDraft(of, values, now_ms, storage) {
  try {
    (storage ?? sessionStorage).setItem(BEGINS + of, JSON.stringify({ at_ms: now_ms, values }));
  } catch {
    // If the browser forbids storage, the form works without drafts.
  }
}

export const ofMessage = (/** @type {string} */ visit) => MESSAGES + visit;

/**
 * Remove the drafts of all forms in this tab.
 *
 * @param {{ messages?: boolean }} [which] `messages`: true to remove also the drafts of messages
 */
export function forgetDrafts({ messages = false } = {}) {
  try {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith(BEGINS) && (messages || !name.startsWith(BEGINS + MESSAGES)))
        sessionStorage.removeItem(name);
  } catch {
    // If the browser forbids storage, there is no draft to remove.
  }
}
