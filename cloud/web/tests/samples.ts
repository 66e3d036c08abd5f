import type { Alert, AlertSummary, Detail, DetailOf } from "../src/lib/api/model";

type State = { state?: Partial<Alert["state"]> };
type Over = Omit<Partial<Alert>, "state"> & State;

/** A loud vehicle as a list shows it, that nobody has taken yet, but for what is said otherwise. */
export function summary(over: Omit<Partial<AlertSummary>, "state"> & State = {}): AlertSummary {
  const { state: changed, ...rest } = over;
  const state = {
    active: true,
    acknowledged: false,
    confirmed: false,
    shelved_until: null,
    out_of_service: false,
    device_shelf: null,
    device_shelf_until: null,
    ...changed,
  };
  const severity = rest.severity ?? "major";
  const done = severity === "info" || (state.acknowledged && state.confirmed && !state.active);
  return {
    id: "a1",
    version: 1,
    domain: "noise",
    kind: "exceedance",
    gateway: "gw",
    device: "mic-1",
    title: "Loud vehicle 91.2 dB(A)",
    title_zh: "高噪音車輛 91.2 分貝",
    severity,
    work: done ? "done" : state.acknowledged ? "in_progress" : "new",
    raised: "2026-11-23T12:00:00Z",
    event_time: "2026-11-23T11:59:59Z",
    cleared: null,
    acknowledged_by: null,
    acknowledged_at: null,
    evidence: "none",
    thumbnail: false,
    doubts: [],
    latitude: 23.48,
    longitude: 120.44,
    ...rest,
    state,
  };
}

type Of<T extends Detail["type"]> = Partial<DetailOf<T>>;
const COMMON = {
  time_quality: null,
  claimed_times: {},
  owner_doubtful: null,
  shape_doubtful: [],
  unconfirmed_since: null,
  unread: {},
  withheld: false,
};

/** What no model fits. */
export const plain = (over: Of<"plain"> = {}): DetailOf<"plain"> => ({
  ...COMMON,
  type: "plain",
  values: {},
  ...over,
});

/** The same, whole. */
export function alert({ evidence, ...over }: Over = {}): Alert {
  const { evidence: _, ...shown } = summary(over as Parameters<typeof summary>[0]);
  void _;
  return {
    ...shown,
    confirmed_by: null,
    confirmed_at: null,
    detail: plain(),
    subject: null,
    deliveries: [],
    answers: [],
    escalation: null,
    may_answer: true,
    may_call_false: false,
    may_say_burns: false,
    needs_code: false,
    history: [],
    ...over,
    state: shown.state,
    evidence: evidence ?? { state: "none", sha256: null, files: [] },
  };
}
