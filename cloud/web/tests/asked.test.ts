import { describe, expect, it } from "vitest";
import { actionOf, ofDevice, stateOf } from "../src/device/asked";

const downlink = (over: object = {}) => ({
  id: "1",
  channel: "command",
  payload: { action: "mute", device: "alarm-1" } as Record<string, unknown>,
  account: "ana",
  created: "2026-03-01T04:00:00Z",
  expires: null,
  sent: null,
  answered: null,
  accepted: null,
  code: null,
  message: null,
  ...over,
});

describe("what was asked of a device", () => {
  it.each([
    [{}, "waiting"],
    [{ sent: "2026-03-01T04:00:01Z" }, "sent"],
    [{ answered: "2026-03-01T04:00:02Z", accepted: true }, "done"],
    [{ answered: "2026-03-01T04:00:02Z", accepted: false }, "refused"],
    [{ answered: "2026-03-01T05:00:00Z", accepted: false, code: "no-answer" }, "unanswered"],
    [{ answered: "2026-03-01T05:00:00Z", accepted: false, code: "not-reached" }, "unanswered"],
  ])("%j is %s", (over, state) => {
    expect(stateOf(downlink(over))).toBe(state);
  });

  it("is its own alone: commands to it, and settings of it", () => {
    const config = { channel: "config", payload: { settings: { "alarm-1": { name: "Hall" } } } };
    const other = { id: "3", payload: { action: "mute", device: "alarm-2" } };
    const all = [downlink(), downlink({ id: "2", ...config }), downlink(other)];
    expect(ofDevice(all, "alarm-1").map(({ id }) => id)).toEqual(["1", "2"]);
  });

  it("is named by a code where the pages have no word", () => {
    expect(actionOf(downlink())).toEqual({ code: "mute", known: "mute" });
    const later = downlink({ payload: { action: "dance" } });
    expect(actionOf(later)).toEqual({ code: "dance", known: null });
    expect(actionOf(downlink({ channel: "config" })).known).toBe("settings");
  });
});
