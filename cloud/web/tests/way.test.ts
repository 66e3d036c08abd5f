import { describe, expect, it } from "vitest";
import { wayTo } from "../src/lib/way";

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148";
const IPAD = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15";
const ANDROID = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/131.0 Mobile";

describe("the way there", () => {
  it.each([IPHONE, IPAD])("is the system's map where geo: opens nothing: %s", (browser) => {
    expect(wayTo(23.48, 120.44, browser)).toBe("https://maps.apple.com/?daddr=23.48,120.44");
  });

  it("is the map that somebody has chosen everywhere else", () => {
    expect(wayTo(23.48, 120.44, ANDROID)).toBe("geo:23.48,120.44");
  });
});
