/* What a patient is told when a step's answer is not there yet. The server has the last word (`invalid_answer`); these are its rules in
   sentences, so that most is said without a round trip. Pure. */

const RULES = {
  text: (step, answer) => (step.required && !answer?.trim() ? "Please write something here. “None” is an answer too." : null),
  choice: (step, answer) => (step.required && !answer ? "Please choose one." : null),
  yes_no: (step, answer) => (step.required && typeof answer !== "boolean" ? "Please choose Yes or No." : null),
  date: (step, answer) => (step.required && !answer ? "Please give the whole date: day, month and year." : null),
  consent: (step, answer) => {
    if (!answer?.agreed) return step.required ? "Please read this and tick that you agree." : null;
    return answer.signature?.trim() ? null : "Please sign by writing your full name.";
  },
  device_check: () => null,
};

/** A sentence about what is wrong with an answer that is being left, or null. */
export function problemOf(step, answer) {
  return RULES[step.kind]?.(step, answer) ?? null;
}
