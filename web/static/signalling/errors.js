/* Defines the error of a request that was refused or got no answer. */

/** The error of a request that was refused or got no answer. */
export class SignallingError extends Error {
  /**
   * Make an error from the server's error message, or from a code of the client itself.
   *
   * @param {string} code one of the error codes in PROTOCOL.md, or `offline`, `timeout`, `closed`
   * @param {string} text the server's text in English
   * @param {Protocol.Details} details further fields of the server's error message
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
