import { describe, expect, it } from "vitest";
import { Problem } from "../src/lib/api/client";
import { draftOf, mistakesOf, newDraft, of, policyOf } from "../src/administration/policies";
import { instantOf, local } from "../src/lib/localTime";

describe("a policy in a form", () => {
  const policy = {
    name: "night",
    match: {
      household: "",
      district: "",
      kind: "",
      domain: "smoke",
      severity: "critical" as const,
    },
    quiet_hours: { from: "22:00:00", to: "07:00:00" },
    rota: { duty: { persons: ["li", "wang"], start: "2026-01-05T00:00:00Z", shift_s: 43_200 } },
    remind_s: 300,
    step: [
      { after_s: 0, channel: "sms" as const, persons: ["household:*"], rota: null },
      { after_s: 60, channel: "call" as const, persons: [], rota: "duty" },
    ],
    fallback: { after_s: 180, channel: "page" as const, persons: ["role:dispatcher"], rota: null },
  };

  it("is the same after nobody changed anything", () => {
    const again = policyOf(draftOf(policy));
    expect(again).toEqual({
      ...policy,
      quiet_hours: { from: "22:00", to: "07:00" },
      rota: { duty: { ...policy.rota.duty, start: "2026-01-05T00:00:00.000Z" } },
    });
  });

  it("gives a name to a rota that is written where it is used", () => {
    const inline = { persons: ["a", "b"], start: "2026-01-05T00:00:00Z", shift_s: 86_400 };
    const draft = draftOf({
      ...policy,
      fallback: { ...policy.fallback, persons: [], rota: inline },
    });
    expect(policyOf(draft).fallback.rota).toBe("rota 2");
    expect(policyOf(draft).rota?.["rota 2"]?.persons).toEqual(["a", "b"]);
  });

  it("has times of Taipei wherever it is read", () => {
    expect(local("2026-01-05T00:00:00Z")).toBe("2026-01-05T08:00");
    expect(instantOf("2026-01-05T08:00")).toBe("2026-01-05T00:00:00.000Z");
    expect(instantOf("")).toBe("");
  });

  it("sends what is no number as what it is, for the server to refuse", () => {
    const draft = newDraft();
    draft.fallback.after_s = "";
    expect(JSON.parse(JSON.stringify(policyOf(draft))).fallback.after_s).toBeNull();
  });
});

describe("a refusal", () => {
  const data = {
    places: ["policy.step.1.persons", "policy.fallback.persons"],
    kinds: ["unknown-account", "nobody"],
    values: ["li", ""],
  };

  it("stands at its field", () => {
    const problem = new Problem(422, "bad-policy", "", "", data);
    const found = mistakesOf(problem, "policy");
    expect(of(found, "step.1.persons")).toEqual([
      { place: "step.1.persons", kind: "unknown-account", value: "li" },
    ]);
    expect(of(found, "step.1")).toHaveLength(1);
    expect(of(found, "step.0.persons")).toEqual([]);
  });

  it("of another kind is no field's", () => {
    expect(mistakesOf(new Problem(403, "forbidden", "", "", data))).toEqual([]);
    expect(mistakesOf(null)).toEqual([]);
  });
});
