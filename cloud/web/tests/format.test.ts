import { describe, expect, it } from "vitest";
import {
  ago,
  bytes,
  clock,
  deviceName,
  duration,
  instant,
  moment,
  number,
  quantity,
  stamp,
  titleOf,
  unitOf,
} from "../src/lib/format";

const EVENING = "2026-11-23T12:14:09Z";
const at = (text: string) => new Date(text);

describe("times", () => {
  it("are Taipei's, on a 24-hour clock, in both languages", () => {
    expect(clock(EVENING, "en")).toBe("20:14:09");
    expect(clock(EVENING, "zh-TW", false)).toBe("20:14");
    expect(clock("2026-11-23T16:00:00Z", "zh-TW", false)).toBe("00:00");
    expect(stamp(EVENING, "zh-TW")).toMatch(/^2026\/11\/23\s20:14:09$/);
  });

  it("show the date only where it is another day's in Taipei", () => {
    expect(moment(EVENING, "en", at("2026-11-23T15:59:00Z"))).toBe("20:14:09");
    expect(moment(EVENING, "en", at("2026-11-23T16:01:00Z"))).toMatch(/Mon.*23 Nov.*20:14:09/);
  });

  it("count back in whole units, and take a clock that runs ahead for now", () => {
    expect(ago(EVENING, "en", at("2026-11-23T12:17:30Z"))).toBe("3 min. ago");
    expect(ago(EVENING, "zh-TW", at("2026-11-23T14:20:00Z"))).toBe("2 小時前");
    expect(ago(EVENING, "en", at("2026-11-23T12:14:00Z"))).toBe("now");
  });

  it("take epoch seconds as well, and say nothing of what is no time", () => {
    expect(clock(Date.parse(EVENING) / 1000, "en")).toBe("20:14:09");
    expect(instant("yesterday")).toBeNull();
    expect(clock(null, "en")).toBe("–");
  });

  it.each([
    [3, "3\u202fs"],
    [125, "2\u202fmin"],
    [7260, "2\u202fh 1\u202fmin"],
    [14_400, "4\u202fh"],
    [200_000, "2\u202fd"],
  ])("last %d s as %s", (seconds, text) => {
    expect(duration(seconds, "en")).toBe(text);
  });
});

describe("numbers", () => {
  it.each([
    [97.13, "97.1"],
    [0.2537, "0.254"],
    [7.4, "7.40"],
    [1234.5, "1235"],
    [0, "0"],
    [null, "–"],
    [Number.NaN, "–"],
    [-0.00012, "-0.00012"],
  ])("%s is %s", (value, text) => {
    expect(number(value)).toBe(text);
  });

  it("carry the unit people know", () => {
    expect(quantity(0.0071, "dissolved_oxygen", "kg/m3")).toBe("7.10 mg/L");
    expect(quantity(24.5, "temperature", "Cel")).toBe("24.5 °C");
    expect(quantity(12.34, "turbidity_FNU", null)).toBe("12.3 FNU");
    expect(quantity(7.4, "pH", "pH")).toBe("7.40");
    expect(quantity(null, "LAeq", "dB")).toBe("–");
    expect(quantity(0.25, "specific_conductance", "S/m")).toBe("2500 µS/cm");
    expect(quantity(0.0412, "specific_conductance", "S/m")).toBe("412.0 µS/cm");
    expect(quantity(0.231, "orp", "V")).toBe("231.0 mV");
    expect(unitOf("level", "m")).toEqual({ unit: "m", factor: 1 });
  });

  it("count bytes in thousands", () => {
    expect(bytes(999)).toBe("999 B");
    expect(bytes(18_211)).toBe("18.2 kB");
    expect(bytes(121_000_000)).toBe("121 MB");
  });
});

describe("names", () => {
  it("fall back to what there is", () => {
    expect(deviceName({ device: "d1", name: "Canal", name_zh: "" }, "zh-TW")).toBe("Canal");
    expect(deviceName({ device: "d1", name: "", name_zh: "" }, "en")).toBe("d1");
    expect(titleOf({ title: "Fire", title_zh: "火警" }, "zh-TW")).toBe("火警");
    expect(titleOf({ title: "Fire", title_zh: "" }, "zh-TW")).toBe("Fire");
  });
});
