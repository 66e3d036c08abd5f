import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api } from "../src/lib/api/client";
import { city } from "../src/lib/live/city.svelte";
import { AlertFeed } from "../src/lib/live/feed.svelte";
import { summary as alert } from "./samples";

describe("the city", () => {
  beforeEach(() => {
    city.forget();
    city.loaded = true;
  });

  it("keeps the later version, whichever comes first", () => {
    city.take(alert({ version: 3, state: { acknowledged: true } }));
    city.take(alert({ version: 2 }));
    expect(city.alerts.get("a1")?.state.acknowledged).toBe(true);
    city.take(alert({ version: 4, acknowledged_by: "mei" }));
    expect(city.alerts.get("a1")?.acknowledged_by).toBe("mei");
  });

  it("announces what is new, once, and not before it knows what was there", () => {
    city.loaded = false;
    city.receive(alert({ id: "before" }));
    expect(city.announced).toBeNull();
    city.loaded = true;
    city.receive(alert({ id: "new" }));
    city.receive(alert({ id: "before", version: 2 }));
    expect(city.announced?.id).toBe("new");
  });

  it("does not announce what is old and only now heard of", async () => {
    city.receive(alert({ id: "first", raised: "2026-11-23T12:00:00Z" }));
    expect(city.announced?.id).toBe("first");
  });

  it("forgets everything for the next account", () => {
    city.receive(alert());
    city.forget();
    expect([city.alerts.size, city.announced, city.loaded]).toEqual([0, null, false]);
  });

  it("shows the reading that came last, whatever its clock said", () => {
    const future = { t: 2_000, v: 9, flag: 1 };
    const now = { t: 1_400, v: 7, flag: 1 };
    const asked = performance.now();
    expect(city.newest("sonde-1/pH", future, asked)?.v).toBe(9);
    city.receiveReading("sonde-1", { pH: now });
    expect(city.newest("sonde-1/pH", future, asked)?.v).toBe(7);
    expect(city.newest("sonde-1/pH", null, asked)?.v).toBe(7);
    const later = performance.now() + 1;
    expect(city.newest("sonde-1/pH", { ...now, v: 6 }, later)?.v).toBe(6);
  });

  it("hears of a case each time, also where its version stays as it is", () => {
    city.receiveCase("c1");
    const first = city.caseNews.get("c1");
    city.receiveCase("c1");
    expect(city.caseNews.get("c1")).not.toBe(first);
  });

  it("keeps what is critical and what is mine on the list of all that is open", () => {
    const feed = new AlertFeed(city, { view: "open", username: "mei" });
    const mine = { work: "in_progress", acknowledged_by: "mei", severity: "minor" } as const;
    expect(feed.stays(alert(mine))).toBe(true);
    expect(feed.stays(alert({ ...mine, acknowledged_by: "li" }))).toBe(false);
    expect(feed.stays(alert({ ...mine, acknowledged_by: "li", severity: "critical" }))).toBe(true);
    const done = new AlertFeed(city, { view: "done", username: "mei" });
    expect(done.stays(alert(mine))).toBe(false);
  });

  it("fills no more than a screen before the first page of a list has come", () => {
    for (let at = 0; at < 200; at++) city.take(alert({ id: `a${at}` }));
    city.take(alert({ id: "fire", severity: "critical" }));
    const open = new AlertFeed(city, { view: "open" });
    expect(open.items.length).toBeLessThan(50);
    expect(open.items.map((one) => one.id)).toContain("fire");
    open.loaded = true;
    expect(open.items).toHaveLength(201);
  });

  describe("whose list has known a hundred rows", () => {
    const answered = vi.spyOn(api, "GET");
    afterEach(() => answered.mockReset());
    const answer = (status: number, data: object) =>
      answered.mockResolvedValue({ data, response: new Response("", { status }) } as never);
    const feed = () => {
      for (let at = 0; at < 100; at++) city.take(alert({ id: `a${at}` }));
      return new AlertFeed(city, { view: "open" });
    };

    it("forgets all of them that the server no longer has", async () => {
      const open = feed();
      answer(200, { alerts: [alert({ id: "a7" })], next: null });
      await open.load();
      expect(open.items.map((one) => one.id)).toEqual(["a7"]);
    });

    it("shows all of them where the first page does not come", async () => {
      const open = feed();
      answer(503, {});
      await open.load();
      expect([open.problem?.status, open.items.length]).toEqual([503, 100]);
    });
  });
});
