/* The icons of the call's buttons. Each is shown beside a word. */
import { html } from "../shared/lit.js";

/**
 * Draw an icon from one SVG path.
 *
 * @param {string} d the path's commands, the attribute `d` of an SVG path
 * @param {string} kind "points" if the icon is mirrored on pages in languages that are read from right to
 *   left
 */
const path = (d, kind = "") =>
  html`<svg
    class=${kind}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="2"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true">
    <path d=${d}></path>
  </svg>`;

export const icons = {
  microphone: path("M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3"),
  microphoneOff: path(
    "M15 9.5V6a3 3 0 0 0-5.7-1.3M9 9v3a3 3 0 0 0 4.5 2.6M5 11a7 7 0 0 0 11.5 5.4" +
      "M19 11a7 7 0 0 1-.5 2.5M12 18v3M4 4l16 16",
  ),
  camera: path("M4 7h9a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 2-2zM15 11l6-3.5v9L15 13"),
  cameraOff: path(
    "M10 7h3a2 2 0 0 1 2 2v2l6-3.5v9L17.5 14.5" +
      "M15 15a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V9a2 2 0 0 1 1.5-1.9M4 4l16 16",
  ),
  screen: path("M4 5h16v11H4zM9 20h6M12 16v4M12 13V8M9.5 10.5 12 8l2.5 2.5"),
  devices: path("M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5v5M9 14.5v5"),
  full: path("M8 4H4v4M16 4h4v4M8 20H4v-4M16 20h4v-4"),
  notFull: path("M4 8h4V4M20 8h-4V4M4 16h4v4M20 16h-4v4"),
  leave: path("M3 14.5c0-1.5 4-3.5 9-3.5s9 2 9 3.5V17l-4 .5-1-3a14 14 0 0 0-8 0l-1 3L3 17z"),
  back: path("M9 14l-5-5 5-5M4 9h10a6 6 0 0 1 0 12h-3", "points"),
};
