import { describe, expect, it } from "vitest";

import { Problem } from "../src/lib/api/client";
import { SentFiles } from "../src/lib/sent";

const photo = (name: string, lastModified = 1) => new File([name], name, { lastModified });

describe("files of a form that is sent again", () => {
  it("sends after a failure what the server has not taken", async () => {
    const sent = new SentFiles();
    const told: string[] = [];
    let fails = true;
    const send = (file: File): Promise<void> => {
      if (fails && file.name === "b.jpg") return Promise.reject(new Error("no network"));
      told.push(file.name);
      return Promise.resolve();
    };
    const chosen = [photo("a.jpg"), photo("b.jpg"), photo("c.jpg")];
    await expect(sent.each(chosen, send)).rejects.toThrow("no network");
    fails = false;
    await sent.each(chosen, send);
    expect(told).toEqual(["a.jpg", "b.jpg", "c.jpg"]);
    await sent.each(chosen, send);
    expect(told).toHaveLength(3);
  });

  it("knows a file that was chosen anew, and another of the same name", async () => {
    const sent = new SentFiles();
    const told: number[] = [];
    const send = (file: File): Promise<void> => {
      told.push(file.lastModified);
      return Promise.resolve();
    };
    await sent.each([photo("image.jpg", 1)], send);
    await sent.each([photo("image.jpg", 1), photo("image.jpg", 2)], send);
    expect(told).toEqual([1, 2]);
  });

  it("sends a file whose answer was lost under the same key, and each under its own", async () => {
    const sent = new SentFiles();
    const keys: string[] = [];
    const send = (_file: File, key: string): Promise<void> => {
      keys.push(key);
      return keys.length === 2 ? Promise.reject(new Error("no network")) : Promise.resolve();
    };
    const chosen = [photo("a.jpg"), photo("b.jpg")];
    await expect(sent.each(chosen, send)).rejects.toThrow("no network");
    await sent.each(chosen, send);
    expect(keys).toHaveLength(3);
    expect(keys[2]).toBe(keys[1]);
    expect(keys[0]).not.toBe(keys[1]);
  });

  it("sends everything again once what they belonged to was sent", async () => {
    const sent = new SentFiles();
    const told: string[] = [];
    const send = (file: File): Promise<void> => {
      told.push(file.name);
      return Promise.resolve();
    };
    await sent.each([photo("a.jpg")], send);
    sent.forget();
    await sent.each([photo("a.jpg")], send);
    expect(told).toEqual(["a.jpg", "a.jpg"]);
  });

  it("takes a new key where the server knows the first from something else", async () => {
    const sent = new SentFiles();
    const keys: string[] = [];
    let site = "box-1";
    const taken = new Map<string, string>();
    const send = (_file: File, key: string): Promise<void> => {
      keys.push(key);
      const of = taken.get(key) ?? site;
      taken.set(key, of);
      if (of !== site) {
        return Promise.reject(new Problem(422, "idempotency-key-reused", "", ""));
      }
      return keys.length === 1 ? Promise.reject(new Error("no network")) : Promise.resolve();
    };
    await expect(sent.each([photo("a.jpg")], send)).rejects.toThrow("no network");
    site = "box-2";
    await sent.each([photo("a.jpg")], send);
    expect(keys).toHaveLength(3);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });
});
