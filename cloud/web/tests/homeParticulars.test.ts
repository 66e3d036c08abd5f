import { describe, expect, it } from "vitest";
import { PHONE, bodyOf, draftOf } from "../src/domains/smoke/particulars";

const known = {
  household: "chen",
  window_s: 45,
  code_set: null,
  locked_until: null,
  particulars: {
    floor: "3F",
    keys: "",
    needs_help: [
      { name: "Chen", need: "oxygen" },
      { name: "Lin", need: "" },
    ],
    contacts: [{ name: "Wang", phone: "0912 345 678" }],
  },
};

describe("a home's particulars", () => {
  it("come back as they were, every row of them, with the window", () => {
    expect(bodyOf(draftOf(known))).toEqual({
      window_s: 45,
      particulars: known.particulars,
    });
  });

  it("keep a row that is incomplete: the API refuses it aloud", () => {
    const draft = draftOf(known);
    draft.contacts.push({ name: "Without a number", phone: "" });
    draft.helps[0] = { name: "", need: "oxygen" };
    const body = bodyOf(draft);
    expect(body.particulars?.contacts).toHaveLength(2);
    expect(body.particulars?.needs_help?.[0]).toEqual({ name: "", need: "oxygen" });
  });

  it("share no row with what was read", () => {
    const draft = draftOf(known);
    draft.helps.splice(0, 1);
    expect(known.particulars.needs_help).toHaveLength(2);
  });

  it.each([
    ["+886 (5) 216-9999#12", true],
    ["call me", false],
  ])("takes the telephone number %s: %s", (phone, taken) => {
    expect(new RegExp(`^(?:${PHONE})$`, "v").test(phone)).toBe(taken);
  });
});
