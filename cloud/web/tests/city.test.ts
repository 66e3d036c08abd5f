import { beforeEach, describe, expect, it } from "vitest";
import { city } from "../src/lib/live/city.svelte";
import { alert } from "./samples";

const ids = (alerts: readonly { id: string }[]) => alerts.map((one) => one.id);

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

  it("shows an old open alert among the open ones, not as the past's beginning", () => {
    city.reach = "2026-11-23T12:00:00Z";
    city.receive(alert({ id: "old", raised: "2026-11-20T12:00:00Z" }));
    city.receive(alert({ id: "recent", raised: "2026-11-23T12:30:00Z" }));
    expect(ids(city.newest)).toEqual(["recent"]);
    expect(ids(city.open)).toEqual(["recent", "old"]);
    expect(city.announced?.id).toBe("recent");
  });

  it("forgets everything for the next account", () => {
    city.receive(alert());
    city.forget();
    expect([city.alerts.size, city.announced, city.loaded]).toEqual([0, null, false]);
  });
});
