import { describe, expect, it } from "vitest";
import type { Visit } from "../src/lib/api/model";
import { inOrder, stationMarks, wayOf } from "../src/domains/checkin/family/footprints";
import { marksOf } from "../src/console/marks";
import { worse } from "../src/lib/map/marker";
import { awaitsConfirmation, byUrgency, isOpen } from "../src/lib/urgency";
import { summary } from "./samples";

const NOW = new Date("2026-11-23T12:30:00Z");

describe("an alert needs somebody", () => {
  it.each([
    [{ active: true, acknowledged: false }, true],
    [{ active: false, acknowledged: false }, true],
    [{ active: true, acknowledged: true }, true],
    // It is over, but whoever took it has not said that the work is done.
    [{ active: false, acknowledged: true }, true],
    [{ active: false, acknowledged: true, confirmed: true }, false],
    // The work is done, but it goes on.
    [{ active: true, acknowledged: true, confirmed: true }, true],
    [{ active: true, shelved_until: "2026-11-23T13:00:00Z" }, false],
  ])("%o: %s", (state, open) => {
    expect(isOpen(summary({ state }), NOW)).toBe(open);
  });

  it("waits for confirmation once it is over and taken", () => {
    expect(awaitsConfirmation(summary({ state: { active: false, acknowledged: true } }))).toBe(
      true,
    );
    expect(awaitsConfirmation(summary({ state: { acknowledged: true } }))).toBe(false);
    expect(awaitsConfirmation(summary({ state: { active: false } }))).toBe(false);
  });

  it("unless it only informs", () => {
    expect(isOpen(summary({ severity: "info" }), NOW)).toBe(false);
  });

  it("again when its time on the shelf is over, without being told", () => {
    const put = summary({ state: { shelved_until: "2026-11-23T12:00:00Z" } });
    expect(isOpen(put, new Date("2026-11-23T11:59:59Z"))).toBe(false);
    expect(isOpen(put, new Date("2026-11-23T12:00:00Z"))).toBe(true);
  });

  it("most where nobody has taken it, then by severity, then the newest", () => {
    const taken = summary({ id: "taken", severity: "critical", state: { acknowledged: true } });
    const minor = summary({ id: "minor", severity: "minor" });
    const older = summary({ id: "older", raised: "2026-11-23T11:00:00Z" });
    const newer = summary({ id: "newer" });
    const order = [taken, minor, older, newer].sort(byUrgency).map((one) => one.id);
    expect(order).toEqual(["newer", "older", "minor", "taken"]);
  });
});

describe("marks on the map", () => {
  const device = {
    device: "mic-1",
    gateway: "gw",
    domain: "noise" as const,
    driver: "pcm",
    name: "Zhongshan Road",
    name_zh: "中山路",
    latitude: 23.48,
    longitude: 120.44,
    state: "ok" as const,
    code: null,
    message: null,
    since: null,
    out_of_service_until: null,
    shelves: [],
    last_seen: null,
    parameters: [],
    commands: [],
  };

  const open = (device: string, severity: "major" | "minor") => ({
    device,
    domain: "noise" as const,
    count: 2,
    severity,
    latitude: 23.5,
    longitude: 120.5,
  });

  it("pulse with the worst open alert of their device, also of those that are not loaded", () => {
    const [mark] = marksOf([device], [open("mic-1", "minor")], [summary()], "zh-TW");
    expect(mark).toMatchObject({ id: "mic-1", severity: "major" });
    expect(mark?.label).toContain("中山路");
    expect(marksOf([device], [open("mic-1", "minor")], [], "en")[0]?.severity).toBe("minor");
    expect(worse("critical", "minor")).toBe("critical");
    expect(worse(null, "info")).toBe("info");
  });

  it("show an alert of a device that the reader may not see where it happened", () => {
    const marks = marksOf([device], [], [summary({ device: "alarm-1", domain: "smoke" })], "en");
    expect(marks.map((mark) => [mark.id, mark.severity])).toEqual([
      ["mic-1", null],
      ["alarm-1", "major"],
    ]);
  });

  it("leave out what has no position", () => {
    expect(marksOf([{ ...device, latitude: null }], [], [], "en")).toEqual([]);
  });
});

describe("footprints", () => {
  const visit = (device: string, arrived: string, latitude: number | null = 23.48): Visit => ({
    visit_id: `${device}-${arrived}`,
    device,
    name: device,
    name_zh: device,
    latitude,
    longitude: 120.44,
    arrived,
    began_before: false,
    last_seen: arrived,
    departed: null,
    silent_since: null,
    present: true,
    clock_quality: null,
    doubt: null,
    late: false,
    sightings: 1,
    still_since: null,
  });
  const visits = [
    visit("market", "2026-11-23T12:00:00Z"),
    visit("park", "2026-11-23T09:00:00Z"),
    visit("market", "2026-11-23T10:00:00Z"),
    visit("nowhere", "2026-11-23T11:00:00Z", null),
  ];

  it("run from the oldest to the newest, through known places", () => {
    expect(inOrder(visits).map((one) => one.device)).toEqual([
      "park",
      "market",
      "nowhere",
      "market",
    ]);
    expect(wayOf(visits)).toHaveLength(3);
  });

  it("number each station once, by the first visit there", () => {
    const marks = stationMarks(visits, "en");
    expect(marks.map((mark) => [mark.id, mark.order])).toEqual([
      ["park", 1],
      ["market", 2],
    ]);
  });
});
