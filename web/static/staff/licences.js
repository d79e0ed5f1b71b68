/* Checks whether a member of staff is licensed for a patient's region. The result depends only on the
   arguments. */
import { t } from "../shared/text.js";

/**
 * Return true if the clinic's records allow a person to see patients of the request's region. The server
 * decides whether a person without the licence may act all the same.
 *
 * @param {{ states?: string[] }} person the member of staff
 * @param {{ state: string }} request the request, with the patient's region
 */
export function isLicensed({ states }, { state }) {
  return !states?.length || !state || states.includes(state);
}

/** Return the words for a colleague without a licence. */
export const unlicensedWords = () => t("not licensed there");
