/* Shapes that several scripts share, for the check of the scripts; no browser loads this. What the server
   says over the WebSocket stands in `protocol.d.ts`, what one script alone knows, in that script. */

/** What a template gives. */
type Drawn = import("lit-html").TemplateResult | typeof import("lit-html").nothing;

/** An event of an element that has a listener of its own. */
type On<Element, Kind = Event> = Kind & { currentTarget: Element; target: Element };

/** An EventTarget whose events are custom ones, each with its own detail. */
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

/** A language of the pages: `words` is the address of its catalogue, null for English. */
interface PageLanguage {
  code: string;
  name: string;
  words: string | null;
  dir: "ltr" | "rtl";
}

type Role = "patient" | "provider" | "guest";
type DeviceKind = "audio" | "video";

/** What came of asking for a camera or microphone; null while it is being asked for. */
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

/** The data for the scripts of every live page (`#boot`). */
interface Boot {
  organisation: Organisation;
  languages: PageLanguage[];
  ws: string;
  /** Whether mails leave this server. */
  mails: boolean;
}

/** What a browser needs to be notified: the server's public key, and the path of the script that shows it. */
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
  contact: { text: boolean; push: PushOffer };
  /** The language of the clinic's own texts; these in others: language -> text -> translation. */
  main: string;
  texts: Record<string, Record<string, string>>;
  /** How many messages the patient may write in the waiting room until staff write again; 0 for none. */
  answers: number;
  /** The clinic's question after the visit; null if it asks none. */
  survey: import("./patient/survey.js").Survey | null;
}

interface GuestBoot extends Boot {
  visit: string;
  guest: string;
}

/** Who is signed in. */
interface Account extends Protocol.PersonPart {
  role: "provider" | "admin";
  states: string[];
}

/**
 * The data for the scripts of every page of the staff. `pages` are those of the frame, `here` is the one that
 * is open.
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
  on_call: boolean;
  guests: boolean;
  /** Whether patients may answer a message while they wait. */
  answers: boolean;
  reopen_ms: number;
  /** The tags that staff may set on a visit. */
  tags: string[];
  /** The clinic's regions, code -> name. */
  regions: Record<string, string>;
  /** The clinic's waiting areas, id -> name; none where there is one queue. */
  areas: Record<string, string>;
}

/** What each kind of step of the setup guide is answered with. */
interface AnswerOf {
  text: string;
  choice: string;
  yes_no: boolean;
  date: string;
  consent: { agreed: boolean; signature: string; language?: string };
  device_check: Partial<Record<"camera" | "microphone" | "speaker" | "network", string>>;
}

/** A question before something that others notice. */
interface Question {
  title: string;
  text: string;
  yes: string;
  no: string;
  danger?: boolean;
  /** A second way to say yes. */
  also?: string;
}

/** What is said of a connection that is closed, and what can be done. */
interface Closed {
  text: string;
  label: string;
  act: () => void;
}

/** How the connection is, for the bar over a page. */
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

/** A device to choose; labels come with permission. */
interface Device {
  kind: DeviceKind | "speaker";
  id: string;
  label: string;
  selected: boolean;
}

/** What stands beside a call: `short` is the label where there is little room. */
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

/** The ways out of a session, and what is asked before, if anything. */
type Leave = (
  type: "visit.release" | "visit.end" | "visit.hang_up" | "visit.withdraw",
  question: Question | null,
) => void;

/** How loud a sentence about the other side is. */
type Tone = "good" | "quiet" | "amber";

/** What of its own a party has switched off. */
type Muted = Record<DeviceKind, boolean>;

/** A row of On-Demand Requests as a browser holds it: `arriving` while it came with the list open. */
type QueuedRow = Protocol.Row & { arriving?: boolean };

/** What the tabs of the Sessions List draw from. */
interface ListView {
  /** All that wait, in the order that was chosen; `rows` are those of them that are shown. */
  all: QueuedRow[];
  rows: QueuedRow[];
  /** What shows many rows in parts. */
  parts: import("./staff/in_parts.js").InParts;
  sift: import("./staff/sift.js").Sift;
  changeSift: (sift: import("./staff/sift.js").Sift) => void;
  staff: Map<string, Protocol.StaffPart>;
  limits: Protocol.QueueLimits;
  areas: Record<string, string>;
  loaded: boolean;
  cases: import("./staff/cases.js").Cases;
  claiming: Set<string>;
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

/** Left by the catalogue of the page's language, for `shared/text.js`; English has none. */
declare var pageLanguage: import("./shared/text.js").Language | undefined;

/** A socket from before its client is there (`patient/early.js`); null once a client has opened one. */
declare var earlySocket: WebSocket | null | undefined;
