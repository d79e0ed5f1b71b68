/* The reasons why a request was refused, or got no answer. */

/**
 * The error of a request that was refused, or got no answer. `code`: one of PROTOCOL.md's codes, or
 * `offline`, `timeout`, `closed`.
 */
export class SignallingError extends Error {
  /**
   * @param {string} code
   * @param {string} text
   * @param {Protocol.Details} details
   */
  constructor(code, text, details = {}) {
    super(text);
    this.name = "SignallingError";
    this.code = code;
    this.details = details;
  }
}

/**
 * The code of a refusal; empty for any other error.
 *
 * @param {unknown} error
 */
export const codeOf = (error) => (error instanceof SignallingError ? error.code : "");

/**
 * The details of a refusal; an empty object for any other error.
 *
 * @param {unknown} error
 */
export const detailsOf = (error) => (error instanceof SignallingError ? error.details : {});
