/** What lasted while readings were taken: shown behind their curves, and in a list. */

import type { ChartColours } from "./chart";

export type Tone = "critical" | "accent" | "quiet";

export interface Span {
  /** Seconds since 1970. */
  from: number;
  /** Null while it lasts. */
  to: number | null;
  /** Empty: of all. */
  parameter: string;
  tone: Tone;
  label: string;
}

export const toneOf = (tone: Tone, colours: ChartColours): string =>
  tone === "critical" ? colours.critical : tone === "accent" ? colours.accent : colours.ink;

/** Those that belong to the curve of one parameter. */
export const spansOf = (spans: readonly Span[], parameter: string): Span[] =>
  spans.filter((one) => one.parameter === "" || one.parameter === parameter);
