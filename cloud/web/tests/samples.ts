import type { Alert } from "../src/lib/api/model";

type Over = Omit<Partial<Alert>, "state"> & { state?: Partial<Alert["state"]> };

/** A loud vehicle that nobody has taken yet, but for what is said otherwise. */
export function alert(over: Over = {}): Alert {
  const { state, ...rest } = over;
  return {
    id: "a1",
    version: 1,
    domain: "noise",
    kind: "exceedance",
    gateway: "gw",
    device: "mic-1",
    title: "Loud vehicle 91.2 dB(A)",
    title_zh: "高噪音車輛 91.2 分貝",
    severity: "major",
    raised: "2026-11-23T12:00:00Z",
    event_time: "2026-11-23T11:59:59Z",
    cleared: null,
    acknowledged_by: null,
    acknowledged_at: null,
    confirmed_by: null,
    confirmed_at: null,
    detail: {},
    evidence: { state: "none", sha256: null, files: [] },
    subject: null,
    deliveries: [],
    latitude: 23.48,
    longitude: 120.44,
    history: [],
    ...rest,
    state: {
      active: true,
      acknowledged: false,
      confirmed: false,
      shelved_until: null,
      out_of_service: false,
      ...state,
    },
  };
}
