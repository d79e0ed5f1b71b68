/* Declares types that several scripts share. Only the type checker reads this file, no browser loads it.
   The server's messages are declared in `protocol.d.ts`; types of one script are declared in that script. */

/** The result of a lit template. */
type Drawn = import("lit-html").TemplateResult | typeof import("lit-html").nothing;

/** An event, with the type of the element that has the listener. */
type On<Element, Kind = Event> = Kind & { currentTarget: Element; target: Element };

/** An EventTarget whose events are CustomEvents, each with its own type of detail. */
interface Events<Details> {
  addEventListener<Type extends keyof Details>(
    type: Type,
    listener: (event: CustomEvent<Details[Type]>) => void,
    options?: AddEventListenerOptions,
  ): void;
  dispatchEvent(event: Event): boolean;
}

/** An organisation, as its pages show it. */
interface Organisation {
  id: string;
  name: string;
  logo: string | null;
}

/** A language of the pages. `words` is the address of its translations, null for English. */
interface PageLanguage {
  code: string;
  name: string;
  words: string | null;
  dir: "ltr" | "rtl";
}

type Role = "patient" | "provider" | "guest";
type DeviceKind = "audio" | "video";

/** The result of asking for a camera or microphone; null while the person is being asked. */
type DeviceWord =
  | "on"
  | "off"
  | "denied"
  | "system"
  | "framed"
  | "silent"
  | "missing"
  | "busy"
  | "insecure"
  | "unsupported"
  | "failed";
type Found = Record<DeviceKind, DeviceWord | null>;

/** The server's data for the scripts of every live page (the JSON in `#boot`). */
interface Boot {
  organisation: Organisation;
  languages: PageLanguage[];
  ws: string;
  /** True if an SMTP server is configured, so that mails leave this server. */
  mails: boolean;
}

/**
 * What a browser needs to subscribe to notifications: the server's public key, and the path of the script
 * that shows them.
 */
interface PushOffer {
  key: string;
  worker: string;
}

/** The parts of a service worker that `push_worker.js` uses. */
interface PushWorker {
  registration: ServiceWorkerRegistration;
  clients: {
    matchAll(options: object): Promise<{ url: string; focus(): Promise<unknown> }[]>;
    openWindow(url: string): Promise<unknown>;
  };
  skipWaiting(): Promise<void>;
  addEventListener(
    type: string,
    act: (event: {
      data: { json(): Record<"title" | "body" | "path" | "lang", string> & { dir: "ltr" | "rtl" } };
      notification: Notification;
      waitUntil(done: Promise<unknown>): void;
    }) => void,
  ): void;
}

interface VisitBoot extends Boot {
  visit: string;
  home: string;
  visits: string[];
  book: string | null;
  next_time: string;
  contact: { text: boolean; push: PushOffer };
  /**
   * `main`: the language of the clinic's own texts; `texts`: their translations, language -> text ->
   * translation.
   */
  main: string;
  texts: Record<string, Record<string, string>>;
  /**
   * The number of messages that a patient may write in the waiting room until staff write again; 0 for none.
   */
  answers: number;
  /** The clinic's question after the visit; null if the clinic asks none. */
  survey: import("./patient/survey.js").Survey | null;
}

interface GuestBoot extends Boot {
  visit: string;
  guest: string;
}

/** The signed-in person. */
interface Account extends Protocol.PersonPart {
  role: "provider" | "admin" | "auditor";
  states: string[];
}

/**
 * The data for the scripts of every page of the staff. `pages` are the pages in the menu, `here` is the page
 * that is open.
 */
interface StaffBoot extends Boot {
  me: Account;
  home: string;
  session: string;
  sign_out: string;
  notify: boolean;
  pages: { key: string; path: string }[];
  here: string;
}

interface ListBoot extends StaffBoot {
  /** True if the clinic gives emergency access. */
  emergency: boolean;
  on_call: boolean;
  guests: boolean;
  /** True if patients may answer a message of staff while they wait. */
  answers: boolean;
  reopen_ms: number;
  /** The tags that staff may set on a visit. */
  tags: string[];
  /** The clinic's regions: code -> name. */
  regions: Record<string, string>;
  /** The clinic's waiting areas: id -> name; empty if the clinic has only one queue. */
  areas: Record<string, string>;
}

/** The type of the answer to each kind of step of the setup guide. */
interface AnswerOf {
  text: string;
  choice: string;
  yes_no: boolean;
  date: string;
  consent: { agreed: boolean; signature: string; language?: string };
  device_check: Partial<Record<"camera" | "microphone" | "speaker" | "network", string>>;
}

/** A question before an action that others notice. */
interface Question {
  title: string;
  text: string;
  yes: string;
  no: string;
  danger?: boolean;
  /** The text of a second button that agrees in another way. */
  also?: string;
}

/** The sentence about a closed connection, and the button with which the person can act. */
interface Closed {
  text: string;
  label: string;
  act: () => void;
}

/** The state of the connection, for the bar over a page. */
interface Connection {
  status: ClientStatus;
  code: number | null;
  slow: boolean;
  blocked: boolean;
}

type ClientStatus = "connecting" | "open" | "retrying" | "closed";

/** The events of a SignallingClient. */
interface ClientEvents extends Pick<Protocol.Messages, "welcome" | `media.${MediaNews}`> {
  refused: Protocol.Error;
  moved: null;
  status: { status: ClientStatus; blocked?: boolean; code?: number; retry_at_ms?: number };
}

type MediaNews = "offer" | "muted" | "shared" | "paused" | "speaker" | "path" | "taken_over" | "gone";

/** A device that a person can choose. `label` is empty until the person has given permission. */
interface Device {
  kind: DeviceKind | "speaker";
  id: string;
  label: string;
  selected: boolean;
}

/** A panel beside a call. `short` is its label on narrow pages. */
interface Aside {
  label: string;
  short?: string;
  view: () => Drawn;
}

/** An entry of a menu. */
interface Entry {
  words: string;
  lang?: string;
  act: () => void;
}

/**
 * Leaves the session by the request `type`. If `question` is not null, the page first asks the person this
 * question; after the answer No nothing is sent.
 */
type Leave = (
  type: "visit.release" | "visit.end" | "visit.hang_up" | "visit.withdraw",
  question: Question | null,
) => void;

/** The weight of a sentence about the other side, which decides its colour. */
type Tone = "good" | "quiet" | "amber";

/** The kinds of its own media that a party has switched off. */
type Muted = Record<DeviceKind, boolean>;

/** A row of On-Demand Requests in a browser. `arriving`: true if the row came while the list was open. */
type QueuedRow = Protocol.Row & { arriving?: boolean };

/** The data from which the tabs of the Sessions List are drawn. */
interface ListView {
  /** True if the clinic gives emergency access. */
  emergency: boolean;
  /** All rows that wait, in the chosen order; `rows` are those of them that are shown. */
  all: QueuedRow[];
  rows: QueuedRow[];
  /** Draws a long list in parts. */
  parts: import("./staff/in_parts.js").InParts;
  sift: import("./staff/sift.js").Sift;
  changeSift: (sift: import("./staff/sift.js").Sift) => void;
  staff: Map<string, Protocol.StaffPart>;
  limits: Protocol.QueueLimits;
  areas: Record<string, string>;
  loaded: boolean;
  cases: import("./staff/cases.js").Cases;
  claims: import("./staff/claims.js").Claims;
  me: Account;
  now_ms: number;
  onCall: boolean;
  mayClaim: boolean;
  conversations: import("./staff/conversations.js").Conversations;
  silent: boolean;
  tags: string[];
  follows: (path: string) => (event: MouseEvent) => void;
  visitPath: (visit: string) => string;
  failed: (error: unknown) => void;
  act: import("./staff/acts.js").Acts["onRequests"] & {
    claim: (row: QueuedRow) => void;
    toggleCase: (visit: string) => void;
    tag: (row: Protocol.PastRow) => void;
  };
}

interface Tab {
  path: string;
  words: string;
  count?: number;
  current: boolean;
}

/** The translations of the page's language, set by a script before `shared/text.js`; English has none. */
declare var pageLanguage: import("./shared/text.js").Language | undefined;

/** A socket that `patient/early.js` opened before the client existed; null after a client has taken it. */
declare var earlySocket: WebSocket | null | undefined;
