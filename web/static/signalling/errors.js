/* The reasons why a request was refused, or got no answer. Knows no socket. */

/**
 * A request that was refused, or that got no answer. `code` is one of PROTOCOL.md's, or `offline`, `timeout`,
 * `closed`.
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
 * The details of a refusal; nothing for any other error.
 *
 * @param {unknown} error
 */
export const detailsOf = (error) => (error instanceof SignallingError ? error.details : {});
