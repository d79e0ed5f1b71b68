/* Which visit a tab shows, where this browser follows several: its own again after a reload. */

/**
 * The id of the visit that this tab has shown before and should show again, or null for the one it was given.
 *
 * @param {{ visit: string, visits: string[], home: string }} boot
 * @param {boolean} asked the address says which visit it is
 * @param {Pick<Storage, "getItem" | "setItem">} storage
 */
export function ownOfTab({ visit, visits, home }, asked, storage = sessionStorage) {
  try {
    const kept = storage.getItem(`visit:${home}`);
    if (!asked && kept && kept !== visit && visits.includes(kept)) return kept;
    storage.setItem(`visit:${home}`, visit);
  } catch {
    // The tab may keep nothing: it shows the last one.
  }
  return null;
}
