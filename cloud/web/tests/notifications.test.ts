import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";

/** The worker's script in a worker that is a test's own; what it shows when its address changes. */
async function renewed(
  answers: Record<string, { ok: boolean } | Error>,
  language = "en-GB",
): Promise<string[]> {
  const shown: string[] = [];
  const hears: Record<string, (event: unknown) => void> = {};
  const fresh = {
    toJSON: () => ({ endpoint: "https://push.example/2", keys: { p256dh: "p", auth: "a" } }),
  };
  const worker = {
    addEventListener: (name: string, act: (event: unknown) => void) => (hears[name] = act),
    location: { origin: "https://vigil.example" },
    navigator: { language },
    registration: {
      showNotification: (title: string) => {
        shown.push(title);
        return Promise.resolve();
      },
      pushManager: { subscribe: () => Promise.resolve(fresh) },
    },
  };
  const fetched = vi.fn((path: string) => {
    const answer = answers[path];
    if (answer === undefined || answer instanceof Error) {
      return Promise.reject(answer ?? new Error(path));
    }
    return Promise.resolve({ ...answer, json: () => Promise.resolve({ csrf: "c" }) });
  });
  const script = readFileSync(new URL("../public/notifications.js", import.meta.url), "utf-8");
  new Function("self", "fetch", script)(worker, fetched);
  let work: Promise<unknown> = Promise.resolve();
  const event = {
    oldSubscription: { options: {} },
    waitUntil: (promise: Promise<unknown>) => (work = promise),
  };
  hears["pushsubscriptionchange"]?.(event);
  await work;
  return shown;
}

const SESSION = "/api/v1/session";
const SUBSCRIPTION = "/api/v1/push/subscription";

describe("another address of this browser", () => {
  it("is told to the cloud without a word to anybody", async () => {
    expect(await renewed({ [SESSION]: { ok: true }, [SUBSCRIPTION]: { ok: true } })).toEqual([]);
  });

  it.each([
    ["nobody is signed in any more", { [SESSION]: { ok: false } }],
    ["the network is away", { [SESSION]: new Error("away") }],
    ["the cloud does not take it", { [SESSION]: { ok: true }, [SUBSCRIPTION]: { ok: false } }],
    ["it is lost on its way", { [SESSION]: { ok: true }, [SUBSCRIPTION]: new Error("away") }],
  ])("is said where %s", async (_why, answers) => {
    expect(await renewed(answers)).toEqual(["This device may hear of no alarm"]);
    expect(await renewed(answers, "zh-TW")).toEqual(["此裝置可能收不到警報"]);
  });
});
