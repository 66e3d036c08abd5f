import { describe, expect, it } from "vitest";
import { particular } from "../src/lib/particulars";

describe("the data of a refusal", () => {
  it("is told in the reader's language", () => {
    expect(particular("alert-in-a-case", { case: "N-7" }, "zh-TW")).toBe("案件編號為 N-7。");
    expect(particular("alert-in-a-case", { case: "N-7" }, "en")).toBe("Its number is N-7.");
  });

  it("is not told where a server does not send it, or the code has no sentence", () => {
    expect(particular("alert-in-a-case", {}, "en")).toBeNull();
    expect(particular("setting-unknown", { gateway: "gw-1" }, "en")).toBeNull();
    expect(particular("constructor", { case: "N-7" }, "en")).toBeNull();
  });

  it("lists several values as the language does", () => {
    const data = { gateway: "gw-1", settings: ["high", "interval_s"] };
    expect(particular("setting-unknown", data, "zh-TW")).toContain("gw-1 沒有：high、interval_s。");
    expect(particular("setting-unknown", data, "en")).toContain("high, interval_s.");
  });
});
