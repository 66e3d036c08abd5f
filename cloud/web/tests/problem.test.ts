import { beforeEach, describe, expect, it } from "vitest";
import { Problem } from "../src/lib/api/client";
import { speech } from "../src/lib/i18n/index.svelte";
import { kindly } from "../src/lib/problem";

const refused = (data?: Problem["data"]) =>
  new Problem(409, "alert-in-a-case", "Conflict", "This alert belongs to case N-7 already.", data);

describe("a refusal that carries data", () => {
  beforeEach(() => {
    speech.language = "zh-TW";
  });

  it("is told with it, in the reader's language", () => {
    expect(kindly(refused({ case: "N-7" }))).toBe("此警報已屬於另一個案件。案件編號為 N-7。");
    speech.language = "en";
    expect(kindly(refused({ case: "N-7" }))).toBe(
      "This alert belongs to another case already. Its number is N-7.",
    );
  });

  it("is told without it by a server that does not send it", () => {
    expect(kindly(refused())).toBe("此警報已屬於另一個案件。");
  });

  it("lists several values as the language does", () => {
    const problem = new Problem(422, "setting-unknown", "", "", {
      gateway: "gw-1",
      settings: ["high", "interval_s"],
    });
    expect(kindly(problem)).toContain("閘道器 gw-1 沒有：high、interval_s。");
  });
});
