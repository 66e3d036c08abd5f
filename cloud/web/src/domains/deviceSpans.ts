/** What a domain shows behind the curves of its devices: every `spans.ts` beside this file. */

import type { Span } from "../lib/spans";

/** What lasted at a device between two moments, seconds since 1970. */
export type SpanSource = (
  device: string,
  start: number,
  stop: number,
  signal: AbortSignal,
) => Promise<Span[]>;

const sources = import.meta.glob<{ spans: SpanSource }>("./*/spans.ts", { eager: true });

export const spansFor = (domain: string): SpanSource | undefined =>
  sources[`./${domain}/spans.ts`]?.spans;
