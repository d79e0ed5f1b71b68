/* The messages of the signalling protocol (signalling/protocol/PROTOCOL.md) as types, for the check of the
   scripts; no browser loads this. Made by `make protocol` from the message types: a change belongs there. */
declare namespace Protocol {
  /** The answer to a step of the setup guide. */
  type Answer = VisitSave["answer"];
  /** The details of an error: PROTOCOL.md, "Errors". */
  interface Details {
    by?: PersonPart;
    problem?: string;
    steps?: string[];
  }

  interface Me {
    id: string;
    name: string;
    role: "patient" | "provider" | "admin" | "guest";
  }

  interface IceServer {
    urls: string[];
    username: string;
    credential: string;
  }

  interface Row {
    visit: string;
    name: string;
    number: number;
    arrived_ms: number;
    state: string;
    phone: string;
    language: string;
    reason: string;
    step: number;
    steps: number;
    guide_done: boolean;
    online: boolean;
    away_since_ms: number | null;
    returned: number;
    assignee: PersonPart | null;
    assigned_ms: number | null;
    filled_in_by: string | null;
    facility: string | null;
    booked_ms: number | null;
    admins_until_ms: number | null;
    blocked: boolean;
    phone_shown: string;
    urgency: UrgencyPart | null;
    area: AreaPart | null;
    answered_ms: number | null;
    escalations: EscalationPart[];
  }

  interface PersonPart {
    id: string;
    name: string;
  }

  interface UrgencyPart {
    level: "emergency" | "urgent" | "routine";
    by: PersonPart | null;
    answer: string;
  }

  interface AreaPart {
    id: string;
    name: string;
  }

  interface EscalationPart {
    name: string;
    at_ms: number;
    reached: boolean;
  }

  interface StaffPart {
    id: string;
    name: string;
    role: "provider" | "admin";
    on_call: boolean;
    in_session: boolean;
    states: string[];
    areas: string[];
  }

  interface QueueLimits {
    amber_ms: number;
    red_ms: number;
    urgent_first: boolean;
    alert_waiting: number;
    alert_wait_ms: number;
    level_words: Record<string, string>;
    closing: Record<string, ClosingPart>;
  }

  interface ClosingPart {
    at_ms: number;
    over: boolean;
    rule: "keep" | "ask" | "end";
  }

  interface SessionRow {
    visit: string;
    name: string;
    status: "claimed" | "live";
    claimant: PersonPart | null;
    arrived_ms: number;
    claimed_ms: number | null;
    live_ms: number | null;
    present: string[];
    contacts: ContactPart[];
  }

  interface ContactPart {
    channel: "mail" | "text" | "push";
    state: "sent" | "retried" | "failed";
    at_ms: number;
  }

  interface BellPart {
    id: string;
    kind: string;
    at_ms: number;
    visit: string | null;
    name: string | null;
    by: string | null;
    note: string | null;
    count: number | null;
    area: string | null;
  }

  interface ChatMessagePart {
    id: string;
    at_ms: number;
    party: string;
    name: string;
    text: string;
  }

  interface HistoryPart {
    kind: string;
    at_ms: number;
    by: PersonPart | null;
    note: string | null;
  }

  interface CallPart {
    party: string;
    name: string;
    connected_ms: number;
    interruptions: number;
    heard_lost: UsualPart | null;
    sent_lost: UsualPart | null;
    round_trip_ms: UsualPart | null;
    picture_kbps: UsualPart | null;
  }

  interface UsualPart {
    usual: number;
    worse: number;
  }

  interface PastRow {
    visit: string;
    name: string;
    outcome: "completed" | "declined" | "withdrawn" | "expired" | "by_phone" | "closed" | null;
    reason: string | null;
    claimant: PersonPart | null;
    arrived_ms: number;
    claimed_ms: number | null;
    ended_ms: number | null;
    talked_ms: number;
    reopen_until_ms: number | null;
    tags: string[];
  }

  interface VisitPart {
    id: string;
    status: "queued" | "claimed" | "live" | "ended";
    outcome: "completed" | "declined" | "withdrawn" | "expired" | "by_phone" | "closed" | null;
    arrived_ms: number;
    claimed_ms: number | null;
    live_ms: number | null;
    ended_ms: number | null;
    talked_ms: number;
    guide_done: boolean;
    reason: string | null;
    claimant: PersonPart | null;
    taking_over: PersonPart | null;
    parties: Record<string, PartyPart>;
    area: AreaPart | null;
    tags: string[];
    surveyed: boolean;
  }

  interface PartyPart {
    name: string;
    relation: string | null;
    present: boolean;
    away_since_ms: number | null;
    started: boolean;
    left: boolean;
  }

  interface CasePart {
    visit: string;
    patient: PatientPart;
    steps: Step[];
    answers: Record<string, Answer | undefined>;
    typing: string | null;
    step: number;
    guide_done: boolean;
    photos: PhotoPart[];
    contacts: ContactPart[];
    agreed: string[];
  }

  interface PatientPart {
    name: string;
    birth_date: string;
    phone: string;
    email: string;
    state: string;
    reason: string;
    language: string;
    filled_in_by: string | null;
    phone_shown: string;
  }

  interface Step {
    id: string;
    kind: "text" | "choice" | "yes_no" | "date" | "consent" | "device_check";
    title: string;
    help: string;
    required: boolean;
    options: string[];
    text: string;
    only_if: Condition | null;
  }

  interface Condition {
    step: string;
    answer: string | boolean;
  }

  interface PhotoPart {
    id: string;
    path: string;
    at_ms: number;
    width: number;
    height: number;
    text: string;
  }

  interface Welcome {
    type: "welcome";
    reply_to: number;
    connection: string;
    resume: string;
    resumed: boolean;
    worker: string;
    me: Me;
    visit: string | null;
    server_ms: number;
  }

  interface Done {
    type: "done";
    reply_to: number;
    version: number;
  }

  interface Subscribed {
    type: "subscribed";
    reply_to: number;
    topic: string;
    epoch: string;
    version: number;
  }

  interface Gone {
    type: "gone";
    topic: string;
  }

  interface Error {
    type: "error";
    reply_to: number | null;
    code: string;
    text: string;
    details: Details;
  }

  interface Pong {
    type: "pong";
    reply_to: number;
    server_ms: number;
  }

  interface Probe {
    type: "probe";
    reply_to: number;
    sdp: string;
    ice_servers: IceServer[];
  }

  interface QueueSnapshot {
    type: "queue.snapshot";
    topic: string;
    version: number;
    epoch: string;
    rows: Row[];
    staff: StaffPart[];
    limits: QueueLimits;
  }

  interface QueueRow {
    type: "queue.row";
    topic: string;
    version: number;
    fresh: boolean;
    row: Row;
  }

  interface QueueGone {
    type: "queue.gone";
    topic: string;
    version: number;
    visit: string;
    why: "claimed" | "declined" | "withdrawn" | "expired" | "closed" | "moved";
    by: PersonPart | null;
  }

  interface QueueStaff {
    type: "queue.staff";
    topic: string;
    version: number;
    staff: StaffPart;
  }

  interface QueueChanged {
    type: "queue.changed";
    topic: string;
    version: number;
    limits: QueueLimits;
  }

  interface SessionsSnapshot {
    type: "sessions.snapshot";
    topic: string;
    version: number;
    epoch: string;
    rows: SessionRow[];
  }

  interface SessionsRow {
    type: "sessions.row";
    topic: string;
    version: number;
    row: SessionRow;
  }

  interface SessionsGone {
    type: "sessions.gone";
    topic: string;
    version: number;
    visit: string;
  }

  interface BellSnapshot {
    type: "bell.snapshot";
    topic: string;
    version: number;
    epoch: string;
    unread: number;
    items: BellPart[];
  }

  interface BellItem {
    type: "bell.item";
    topic: string;
    version: number;
    unread: number;
    item: BellPart;
  }

  interface BellMarked {
    type: "bell.marked";
    topic: string;
    version: number;
    until_ms: number;
    unread: number;
  }

  interface ChatSnapshot {
    type: "chat.snapshot";
    topic: string;
    version: number;
    epoch: string;
    lines: ChatMessagePart[];
  }

  interface ChatLine {
    type: "chat.line";
    topic: string;
    version: number;
    line: ChatMessagePart;
  }

  interface Invited {
    type: "invited";
    reply_to: number;
    guest: string;
    path: string;
    expires_ms: number;
  }

  interface History {
    type: "history";
    reply_to: number;
    visit: string;
    events: HistoryPart[];
    calls: CallPart[];
  }

  interface Past {
    type: "past";
    reply_to: number;
    more: boolean;
    rows: PastRow[];
    unread: number;
  }

  interface VisitState {
    type: "visit.state";
    topic: string;
    version: number;
    epoch: string;
    visit: VisitPart;
  }

  interface CaseState {
    type: "case.state";
    topic: string;
    version: number;
    epoch: string;
    case: CasePart;
  }

  interface PlaceState {
    type: "place.state";
    topic: string;
    version: number;
    epoch: string;
    place: number | null;
    waiting: number | null;
    wait_low_ms: number | null;
    wait_high_ms: number | null;
    on_call: number;
    closing: ClosingPart | null;
  }

  interface MediaOffer {
    type: "media.offer";
    visit: string;
    offer: number;
    fresh: boolean;
    sdp: string;
    ice_servers: IceServer[];
  }

  interface MediaMuted {
    type: "media.muted";
    visit: string;
    party: string;
    kind: "audio" | "video";
    muted: boolean;
    missing: boolean;
  }

  interface MediaShared {
    type: "media.shared";
    visit: string;
    sharing: string | null;
    asked: boolean;
  }

  interface MediaPath {
    type: "media.path";
    visit: string;
    party: string;
    path: "lost" | "none" | "open";
    reason: "browser" | null;
  }

  interface MediaPaused {
    type: "media.paused";
    visit: string;
    paused: boolean;
  }

  interface MediaSpeaker {
    type: "media.speaker";
    visit: string;
    party: string | null;
  }

  interface MediaTakenOver {
    type: "media.taken_over";
    visit: string;
  }

  interface MediaGone {
    type: "media.gone";
    visit: string;
  }

  interface Hello {
    type: "hello";
    id: number;
    role: "guest" | "patient" | "staff";
    resume?: string | null;
  }

  interface Bye {
    type: "bye";
    id: number;
  }

  interface Ping {
    type: "ping";
    id: number;
  }

  interface Subscribe {
    type: "subscribe";
    id: number;
    topic: string;
    epoch?: string | null;
    version?: number | null;
    counted?: boolean;
  }

  interface Unsubscribe {
    type: "unsubscribe";
    id: number;
    topic: string;
  }

  interface OnCall {
    type: "on_call";
    id: number;
    on: boolean;
  }

  interface VisitSave {
    type: "visit.save";
    id: number;
    visit: string;
    step: string;
    answer: string | boolean | Record<string, string | boolean | null> | null;
    left: boolean;
  }

  interface VisitFinish {
    type: "visit.finish";
    id: number;
    visit: string;
  }

  interface VisitWithdraw {
    type: "visit.withdraw";
    id: number;
    visit: string;
  }

  interface VisitHangUp {
    type: "visit.hang_up";
    id: number;
    visit: string;
  }

  interface VisitClaim {
    type: "visit.claim";
    id: number;
    visit: string;
  }

  interface VisitRelease {
    type: "visit.release";
    id: number;
    visit: string;
  }

  interface VisitEnd {
    type: "visit.end";
    by_phone?: boolean;
    id: number;
    visit: string;
  }

  interface VisitAssign {
    type: "visit.assign";
    id: number;
    visit: string;
    to: string;
  }

  interface VisitUnassign {
    type: "visit.unassign";
    id: number;
    visit: string;
  }

  interface VisitMove {
    type: "visit.move";
    id: number;
    visit: string;
    area: string;
  }

  interface VisitUrgency {
    type: "visit.urgency";
    id: number;
    visit: string;
    level: "emergency" | "urgent" | "routine";
  }

  interface VisitDecline {
    type: "visit.decline";
    id: number;
    visit: string;
    reason?: string | null;
  }

  interface VisitClose {
    type: "visit.close";
    id: number;
    visit: string;
  }

  interface VisitTransfer {
    type: "visit.transfer";
    id: number;
    visit: string;
    to: string;
  }

  interface VisitReopen {
    type: "visit.reopen";
    id: number;
    visit: string;
  }

  interface VisitTag {
    type: "visit.tag";
    id: number;
    visit: string;
    tags: string[];
  }

  interface VisitSurvey {
    type: "visit.survey";
    id: number;
    visit: string;
    choice: number;
    text?: string;
  }

  interface VisitInvite {
    type: "visit.invite";
    id: number;
    visit: string;
    name: string;
    relation: "family" | "interpreter" | "specialist" | "trainee";
  }

  interface VisitDismiss {
    type: "visit.dismiss";
    id: number;
    visit: string;
    guest: string;
  }

  interface VisitHistory {
    type: "visit.history";
    id: number;
    visit: string;
  }

  interface SessionsPast {
    type: "sessions.past";
    id: number;
    text?: string | null;
    provider?: string | null;
    outcome?: "by_phone" | "closed" | "completed" | "declined" | "expired" | "withdrawn" | null;
    tag?: string | null;
    since_ms?: number | null;
    before_ms?: number | null;
    before_visit?: string | null;
  }

  interface BellMark {
    type: "bell.mark";
    id: number;
    until_ms: number;
  }

  interface ChatSend {
    type: "chat.send";
    id: number;
    visit: string;
    text: string;
  }

  interface VisitEnter {
    type: "visit.enter";
    id: number;
    visit: string;
  }

  interface VisitLeave {
    type: "visit.leave";
    id: number;
    visit: string;
  }

  interface VisitStart {
    type: "visit.start";
    id: number;
    visit: string;
  }

  interface MediaJoin {
    type: "media.join";
    able?: boolean;
    id: number;
    visit: string;
  }

  interface MediaAnswer {
    type: "media.answer";
    id: number;
    visit: string;
    offer: number;
    sdp: string;
  }

  interface MediaRestart {
    type: "media.restart";
    id: number;
    visit: string;
  }

  interface MediaProbe {
    type: "media.probe";
    id: number;
  }

  interface MediaProbed {
    type: "media.probed";
    id: number;
    path: "none" | "tcp" | "turn" | "udp";
  }

  interface MediaMute {
    type: "media.mute";
    id: number;
    visit: string;
    kind: "audio" | "video";
    muted: boolean;
    missing?: boolean | null;
  }

  interface MediaShare {
    type: "media.share";
    id: number;
    visit: string;
    act: "ask" | "decline" | "end" | "share";
  }

  /** A client's messages by their type. */
  interface Requests {
    hello: Hello;
    bye: Bye;
    ping: Ping;
    subscribe: Subscribe;
    unsubscribe: Unsubscribe;
    on_call: OnCall;
    "visit.save": VisitSave;
    "visit.finish": VisitFinish;
    "visit.withdraw": VisitWithdraw;
    "visit.hang_up": VisitHangUp;
    "visit.claim": VisitClaim;
    "visit.release": VisitRelease;
    "visit.end": VisitEnd;
    "visit.assign": VisitAssign;
    "visit.unassign": VisitUnassign;
    "visit.move": VisitMove;
    "visit.urgency": VisitUrgency;
    "visit.decline": VisitDecline;
    "visit.close": VisitClose;
    "visit.transfer": VisitTransfer;
    "visit.reopen": VisitReopen;
    "visit.tag": VisitTag;
    "visit.survey": VisitSurvey;
    "visit.invite": VisitInvite;
    "visit.dismiss": VisitDismiss;
    "visit.history": VisitHistory;
    "sessions.past": SessionsPast;
    "bell.mark": BellMark;
    "chat.send": ChatSend;
    "visit.enter": VisitEnter;
    "visit.leave": VisitLeave;
    "visit.start": VisitStart;
    "media.join": MediaJoin;
    "media.answer": MediaAnswer;
    "media.restart": MediaRestart;
    "media.probe": MediaProbe;
    "media.probed": MediaProbed;
    "media.mute": MediaMute;
    "media.share": MediaShare;
  }

  /** The reply to each of them, unless it is refused. */
  interface Answers {
    hello: Welcome;
    bye: never;
    ping: Pong;
    subscribe: Subscribed;
    unsubscribe: Done;
    on_call: Done;
    "visit.save": Done;
    "visit.finish": Done;
    "visit.withdraw": Done;
    "visit.hang_up": Done;
    "visit.claim": Done;
    "visit.release": Done;
    "visit.end": Done;
    "visit.assign": Done;
    "visit.unassign": Done;
    "visit.move": Done;
    "visit.urgency": Done;
    "visit.decline": Done;
    "visit.close": Done;
    "visit.transfer": Done;
    "visit.reopen": Done;
    "visit.tag": Done;
    "visit.survey": Done;
    "visit.invite": Invited;
    "visit.dismiss": Done;
    "visit.history": History;
    "sessions.past": Past;
    "bell.mark": Done;
    "chat.send": Done;
    "visit.enter": Done;
    "visit.leave": Done;
    "visit.start": Done;
    "media.join": Done;
    "media.answer": Done;
    "media.restart": Done;
    "media.probe": Probe;
    "media.probed": Done;
    "media.mute": Done;
    "media.share": Done;
  }

  /** The server's messages by their type. */
  interface Messages {
    welcome: Welcome;
    done: Done;
    subscribed: Subscribed;
    gone: Gone;
    error: Error;
    pong: Pong;
    probe: Probe;
    "queue.snapshot": QueueSnapshot;
    "queue.row": QueueRow;
    "queue.gone": QueueGone;
    "queue.staff": QueueStaff;
    "queue.changed": QueueChanged;
    "sessions.snapshot": SessionsSnapshot;
    "sessions.row": SessionsRow;
    "sessions.gone": SessionsGone;
    "bell.snapshot": BellSnapshot;
    "bell.item": BellItem;
    "bell.marked": BellMarked;
    "chat.snapshot": ChatSnapshot;
    "chat.line": ChatLine;
    invited: Invited;
    history: History;
    past: Past;
    "visit.state": VisitState;
    "case.state": CaseState;
    "place.state": PlaceState;
    "media.offer": MediaOffer;
    "media.muted": MediaMuted;
    "media.shared": MediaShared;
    "media.path": MediaPath;
    "media.paused": MediaPaused;
    "media.speaker": MediaSpeaker;
    "media.taken_over": MediaTakenOver;
    "media.gone": MediaGone;
  }

  /** The messages of each topic, except `gone`. */
  interface Topics {
    queue: QueueSnapshot | QueueRow | QueueGone | QueueStaff | QueueChanged;
    sessions: SessionsSnapshot | SessionsRow | SessionsGone;
    bell: BellSnapshot | BellItem | BellMarked;
    [topic: `chat/${string}`]: ChatSnapshot | ChatLine;
    [topic: `visit/${string}`]: VisitState;
    [topic: `case/${string}`]: CaseState;
    [topic: `place/${string}`]: PlaceState;
  }
}
