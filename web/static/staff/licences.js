/* Whether a member of staff has a licence for where a patient is. Pure. */
import { t } from "../shared/text.js";

/**
 * Whether somebody may see patients of that region, as far as it is recorded; the server decides whether it
 * blocks.
 *
 * @param {{ states?: string[] }} person
 * @param {{ state: string }} request
 */
export function isLicensed({ states }, { state }) {
  return !states?.length || !state || states.includes(state);
}

/** What is said of a colleague without it. */
export const unlicensedWords = () => t("not licensed there");
