/* Keeps text that was typed into a form or a message and is not sent yet: only in this tab, for two hours,
   until it has been sent. Pure, except for the storage. */

const BEGINS = "draft:";
const MESSAGES = "message/";
const KEPT_MS = 2 * 3_600_000;

/** @typedef {Record<string, string>} Draft the values of fields, by name */

/**
 * @param {string} of the organisation's id; for a message, `ofMessage` of its visit
 * @param {number} now_ms
 * @param {Pick<Storage, "getItem">} [storage]
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
 * @param {string} of
 * @param {Draft} values
 * @param {number} now_ms
 * @param {Pick<Storage, "setItem">} [storage]
 */
export function keepDraft(of, values, now_ms, storage) {
  try {
    (storage ?? sessionStorage).setItem(BEGINS + of, JSON.stringify({ at_ms: now_ms, values }));
  } catch {
    // The browser forbids storage: the form works as before.
  }
}

export const ofMessage = (/** @type {string} */ visit) => MESSAGES + visit;

/**
 * Forget the drafts of forms in this tab; those of messages too if `messages` is true.
 *
 * @param {{ messages?: boolean }} [which]
 */
export function forgetDrafts({ messages = false } = {}) {
  try {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith(BEGINS) && (messages || !name.startsWith(BEGINS + MESSAGES)))
        sessionStorage.removeItem(name);
  } catch {
    // The browser forbids storage: there is no draft.
  }
}
