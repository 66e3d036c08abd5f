import { describe, expect, it } from "vitest";
import {
  counted,
  keyOfCertificate,
  keyOfPlacement,
  missing,
  sent,
  standing,
  type Certificate,
  type Placement,
} from "../src/domains/noise/register/register";

const recorded = "2026-03-01T00:00:00Z";

function certificate(more: Partial<Certificate>): Certificate {
  return {
    instrument: "XL2-1",
    kind: "verification",
    number: "V-1",
    issuer: "",
    valid_from: "2026-01-01",
    valid_until: "2026-12-31",
    withdrawn: false,
    recorded,
    recorded_by: "keeper",
    ...more,
  };
}

function placement(more: Partial<Placement>): Placement {
  return {
    device: "mic-1",
    since: "2026-01-01T00:00:00Z",
    intersection: "zhongshan",
    direction: "",
    instrument: "XL2-1",
    withdrawn: false,
    recorded,
    recorded_by: "keeper",
    ...more,
  };
}

describe("the register", () => {
  it("counts of each key what was recorded last", () => {
    const all = [
      certificate({}),
      certificate({ issuer: "Lab" }),
      certificate({ number: "V-2" }),
      certificate({ number: "V-2", withdrawn: true }),
    ];
    expect(counted(all, keyOfCertificate).map((one) => [one.number, one.issuer])).toEqual([
      ["V-1", "Lab"],
    ]);
  });

  it("says where each device stands now, and what is planned", () => {
    const all = [
      placement({}),
      placement({ since: "2026-02-01T00:00:00Z", intersection: null }),
      placement({ since: "2026-02-15T00:00:00Z", withdrawn: true }),
      placement({ since: "2027-01-01T00:00:00Z" }),
    ];
    const found = standing(all, new Date("2026-03-01T00:00:00Z"));
    expect(found.map((one) => [keyOfPlacement(one), one.intersection])).toEqual([
      ["mic-1/2026-02-01T00:00:00Z", null],
      ["mic-1/2027-01-01T00:00:00Z", "zhongshan"],
    ]);
  });

  it("names the certificates that do not cover a day", () => {
    const own = [certificate({}), certificate({ kind: "comparison", valid_until: "2026-02-28" })];
    expect(missing(own, "2026-02-28")).toEqual(["calibration"]);
    expect(missing(own, "2026-03-01")).toEqual(["comparison", "calibration"]);
  });

  it("sends entries without who made them", () => {
    expect(Object.keys(sent(certificate({})))).not.toContain("recorded");
    expect(Object.keys(sent(certificate({})))).not.toContain("recorded_by");
    expect(sent(certificate({}))["number"]).toBe("V-1");
  });
});
