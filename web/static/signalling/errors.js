/* The reasons why a request was refused, or got no answer. */

/**
 * The error of a request that was refused or got no answer. `code`: one of the error codes in PROTOCOL.md,
 * or `offline`, `timeout`, `closed`.
 */
export class SignallingError extends Error {
  /**
   * @param {string} code the error's code
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
 * Return the code of a refusal; "" for any other error.
 *
 * @param {unknown} error the error
 */
export const codeOf = (error) => (error instanceof SignallingError ? error.code : "");

/**
 * Return the details of a refusal; an empty object for any other error.
 *
 * @param {unknown} error the error
 */
export const detailsOf = (error) => (error instanceof SignallingError ? error.details : {});
