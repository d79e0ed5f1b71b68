/* Chooses the sentences for missing or invalid answers. The server decides whether an answer is valid
   (`invalid_answer`). This script has the same rules, so that most errors appear without a request. It
   uses neither the page nor the network. */
import { inEach, t } from "../shared/text.js";

/**
 *
 * @template Answer
 * @typedef {(step: Protocol.Step, answer: Answer | null) => string | null} Rule returns a sentence about what
 *   is wrong with the answer to a step, or null
 */

/**
 * @type {{ [Kind in keyof AnswerOf]: Rule<AnswerOf[Kind]> }} kind of step -> the rule that checks its
 *   answer
 */
const RULES = {
  text: (step, answer) =>
    step.required && !answer?.trim() ? t("Please write something here. “None” is an answer too.") : null,
  choice: (step, answer) => (step.required && !answer ? t("Please choose one.") : null),
  yes_no: (step, answer) =>
    step.required && typeof answer !== "boolean" ? t("Please choose Yes or No.") : null,
  date: (step, answer) =>
    step.required && !answer ? t("Please give the whole date: day, month and year.") : null,
  consent: (step, answer) => {
    if (!answer?.agreed) return step.required ? t("Please read this and tick that you agree.") : null;
    return answer.signature?.trim() ? null : t("Please sign by writing your full name.");
  },
  device_check: () => null,
};

/**
 * Return a sentence about what is wrong with the answer to a step that the patient leaves, or null.
 *
 * @param {Protocol.Step} step the step of the setup guide
 * @param {Protocol.Answer} answer the patient's answer
 */
export function problemOf(step, answer) {
  const rule = /** @type {Rule<Protocol.Answer>} */ (RULES[step.kind]);
  return rule?.(step, answer) ?? null;
}

const REFUSED = inEach(
  /**
   * Return the sentence for each reason for which the server refuses an answer.
   *
   * @returns {Record<string, string>}
   */ () => ({
    "is required": t("This answer is required."),
    "must be one of the options": t("This answer must be one of the options."),
    "must be a date (YYYY-MM-DD)": t("This answer must be a whole date."),
    "must be agreed to": t("This must be agreed to."),
    "must be signed with your name": t("This must be signed with your name."),
  }),
);

/** Return the sentence for an answer that the server refused. `problem`: `details.problem` of the error. */
export function refusedWords(problem = "") {
  const longer = /^is longer than (\d+) characters$/.exec(problem);
  if (longer) return t("This answer is longer than {most} characters.", { most: longer[1] });
  return REFUSED()[problem] ?? t("This answer cannot be used. Please look at it again.");
}
