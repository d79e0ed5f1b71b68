/* Keeps what was typed into a form and is not sent yet: in this tab alone, for two hours, until the form
   has been sent. Pure, but for the storage. */

const BEGINS = "draft:";
const KEPT_MS = 2 * 3_600_000;

/** @typedef {Record<string, string>} Draft the values of fields, by name */

/**
 * @param {string} of the organisation's id
 * @param {number} now_ms
 * @param {Pick<Storage, "getItem">} storage
 * @returns {Draft}
 */
export function draftOf(of, now_ms, storage = sessionStorage) {
  try {
    const { at_ms, values } = JSON.parse(storage.getItem(BEGINS + of) ?? "{}");
    return now_ms - at_ms < KEPT_MS ? values : {};
  } catch {
    return {};
  }
}

/**
 * @param {string} of
 * @param {Draft} values
 * @param {number} now_ms
 * @param {Pick<Storage, "setItem">} storage
 */
export function keepDraft(of, values, now_ms, storage = sessionStorage) {
  try {
    storage.setItem(BEGINS + of, JSON.stringify({ at_ms: now_ms, values }));
  } catch {
    // The tab may keep nothing: the form works as before.
  }
}

/** Forget all drafts of this tab. */
export function forgetDrafts() {
  try {
    for (const name of Object.keys(sessionStorage))
      if (name.startsWith(BEGINS)) sessionStorage.removeItem(name);
  } catch {
    // The tab keeps nothing.
  }
}
