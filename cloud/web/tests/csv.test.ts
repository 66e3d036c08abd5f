import { describe, expect, it } from "vitest";
import { csvOf } from "../src/device/csv";

describe("readings as a file", () => {
  it("has a line for each point, with what is missing left empty", () => {
    const text = csvOf({
      parameter: "pH",
      unit: "pH",
      window_s: null,
      t: [1_767_225_600, 1_767_225_660.5],
      v: [7.25, null],
      flag: [1, 9],
    });
    expect(text).toBe(
      "\uFEFFtime,parameter,unit,value,flag,mean_of_s\r\n" +
        "2026-01-01T00:00:00.000Z,pH,pH,7.25,1,\r\n" +
        "2026-01-01T00:01:00.500Z,pH,pH,,9,\r\n",
    );
  });

  it("holds no formula and no broken line", () => {
    const text = csvOf({
      parameter: '=1+1"',
      unit: "a,b",
      window_s: 60,
      t: [0],
      v: [-1],
      flag: [1],
    });
    expect(text.split("\r\n")[1]).toBe('1970-01-01T00:00:00.000Z,"\'=1+1""","a,b",-1,1,60');
  });
});
