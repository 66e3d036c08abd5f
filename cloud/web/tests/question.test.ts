import { describe, expect, it } from "vitest";
import { NOTHING, isAsked, wantedBy } from "../src/alerts/question";
import { city } from "../src/lib/live/city.svelte";
import { AlertFeed } from "../src/lib/live/feed.svelte";
import { summary as alert } from "./samples";

describe("what the list of alerts is asked for", () => {
  it("is nothing at first", () => {
    expect(isAsked(NOTHING)).toBe(false);
    expect(wantedBy(NOTHING)).toEqual({ text: null, since: null, until: null });
  });

  it("names whole days of Taipei, the last one included", () => {
    expect(wantedBy({ text: "", from: "2026-11-23", to: "2026-11-24" })).toEqual({
      text: null,
      since: "2026-11-22T16:00:00.000Z",
      until: "2026-11-24T16:00:00.000Z",
    });
    expect(wantedBy({ text: "", from: "", to: "2026-99-99" }).until).toBeNull();
  });

  it("holds for what the stream tells as well", () => {
    city.forget();
    city.loaded = true;
    const first = { title: "Smoke", title_zh: "煙霧", device: "alarm-1", gateway: "gw-east" };
    city.receive(alert({ id: "a", ...first, raised: "2026-11-23T12:00:00Z" }));
    city.receive(alert({ id: "b", ...first, device: "alarm-2", raised: "2026-11-25T12:00:00Z" }));
    const found = (wanted: Partial<AlertFeed["wanted"]>) =>
      new AlertFeed(city, { view: "all", ...wanted }).items.map((one) => one.id);

    expect(found({})).toEqual(["b", "a"]);
    expect(found({ text: "ALARM-1" })).toEqual(["a"]);
    expect(found({ text: "煙" })).toEqual(["b", "a"]);
    expect(found({ text: "water" })).toEqual([]);
    expect(found({ since: "2026-11-25T12:00:00.000Z" })).toEqual(["b"]);
    expect(found({ until: "2026-11-25T12:00:00.000Z" })).toEqual(["a"]);
  });
});
