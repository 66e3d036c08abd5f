/** What is shown of one passage, on one axis of time: seconds from the beginning of its recording. */

import { evidenceAddress } from "../../../lib/api/client";
import type { Alert, DetailOf, EvidenceFile } from "../../../lib/api/model";
import { detailOf } from "../../../lib/detail";

export interface Point {
  t: number;
  value: number | null;
}

export interface Vote {
  t: number;
  text: string;
  confidence: number | null;
}

export interface Picture {
  url: string;
  start: number;
  end: number;
  low_hz: number;
  high_hz: number;
}

/** One camera's; `start` is where its first picture stands. */
export interface Film {
  url: string;
  type: string;
  start: number;
  /** Of a place with two cameras, which of them; null where there is one. */
  camera: NonNullable<EvidenceFile["camera"]> | null;
}

export interface Passage {
  detail: DetailOf<"noise-exceedance">;
  /** Length of the axis, seconds. */
  length: number;
  /** Of the highest level. */
  loudest: number;
  curve: Point[];
  /** The overview's first; none where no camera delivered pictures. */
  films: Film[];
  audio: { url: string; type: string } | null;
  spectrogram: Picture | null;
  bearings: Point[];
  votes: Vote[];
  plates: string[];
}

interface Levels {
  sound_started?: string;
  sound_ended?: string;
  video_started_s?: number | null;
  plate_camera?: { video_started_s?: number | null };
}

interface Bearing {
  start: string;
  interval_s: number;
  azimuth_deg: (number | null)[];
}

interface Votes {
  votes: { t: string; text: string; confidence?: number }[];
}

interface SpectrogramFacts {
  start_s: number;
  end_s: number;
  low_hz: number;
  high_hz: number;
}

const seconds = (stamp: string): number => Date.parse(stamp) / 1000;

async function fetched<T>(url: string | null, signal: AbortSignal): Promise<T | null> {
  if (url === null) return null;
  const response = await fetch(url, { signal, credentials: "same-origin" });
  return response.ok ? ((await response.json()) as T) : null;
}

/** Everything that the package has of it; what it has not is left out. */
export async function passageOf(alert: Alert, signal: AbortSignal): Promise<Passage | null> {
  const detail = detailOf(alert, "noise-exceedance");
  if (!detail) return null;
  const files = alert.evidence.files;
  const named = (role: EvidenceFile["role"], type = "") =>
    files.find((file) => file.role === role && file.media_type.startsWith(type));
  const address = (file: EvidenceFile | undefined) =>
    file ? evidenceAddress(alert.evidence.sha256 ?? "", file.name) : null;
  const [levels, bearing, votes, facts] = await Promise.all([
    fetched<Levels>(address(named("levels", "application/json")), signal),
    fetched<Bearing>(address(named("bearing", "application/json")), signal),
    fetched<Votes>(address(named("votes", "application/json")), signal),
    fetched<SpectrogramFacts>(address(named("spectrogram", "application/json")), signal),
  ]);
  const curve = detail.level_curve;
  const origin = seconds(levels?.sound_started ?? curve?.start ?? detail.started);
  const ended = levels?.sound_ended
    ? seconds(levels.sound_ended)
    : curve
      ? seconds(curve.start) + curve.LAF.length * curve.interval_s
      : seconds(detail.ended);
  const begins = (file: EvidenceFile) =>
    file.camera === "plate" ? levels?.plate_camera?.video_started_s : levels?.video_started_s;
  const films = files
    .filter((file) => file.role === "video" && file.media_type.startsWith("video/"))
    .sort((one, other) => Number(one.camera === "plate") - Number(other.camera === "plate"))
    .map((file) => ({
      url: address(file) ?? "",
      type: file.media_type,
      start: (begins(file) ?? origin) - origin,
      camera: file.camera ?? null,
    }));
  const picture = named("spectrogram", "image/");
  const audio = named("audio", "audio/");
  const length = Math.max(0.1, ended - origin);
  const inside = (point: Point) => point.t >= 0 && point.t <= length;
  return {
    detail,
    length,
    loudest: seconds(detail.LAFmax_time) - origin,
    curve: (curve?.LAF ?? [])
      .map((value, index) => ({
        t: seconds(curve?.start ?? "") - origin + index * (curve?.interval_s ?? 0),
        value,
      }))
      .filter(inside),
    films,
    audio: audio ? { url: address(audio) ?? "", type: audio.media_type } : null,
    spectrogram:
      picture && facts
        ? {
            url: address(picture) ?? "",
            start: facts.start_s,
            end: facts.end_s,
            low_hz: facts.low_hz,
            high_hz: facts.high_hz,
          }
        : null,
    bearings: (bearing?.azimuth_deg ?? []).map((value, index) => ({
      t: seconds(bearing?.start ?? "") - origin + index * (bearing?.interval_s ?? 0),
      value,
    })),
    votes: (votes?.votes ?? []).map((one) => ({
      t: seconds(one.t) - origin,
      text: one.text,
      confidence: one.confidence ?? null,
    })),
    plates: files
      .filter((file) => file.role === "plate")
      .map((file) => evidenceAddress(alert.evidence.sha256 ?? "", file.name)),
  };
}

/** A line through points; it is broken where there is no value, and where a bearing goes past
 * north, so that no stroke is drawn across the whole picture. */
export function strokes(points: readonly Point[], most_jump = Infinity): Point[][] {
  const found: Point[][] = [];
  let before: number | null = null;
  for (const point of points) {
    const here = point.value;
    const joined = here !== null && before !== null && Math.abs(here - before) <= most_jump;
    if (here !== null) {
      const last = found.at(-1);
      if (joined && last) last.push(point);
      else found.push([point]);
    }
    before = here;
  }
  return found;
}

/** The one reading that ends as somebody typed; null where none or several do. A plate is
 * completed by its last three characters: whoever types them has read them in the picture. */
export const COMPLETING = 3;

export function completed(typed: string, read: readonly string[]): string | null {
  const plain = (text: string) => text.replace(/[^0-9A-Za-z\u4e00-\u9fff]/g, "").toUpperCase();
  const end = plain(typed);
  if (end.length !== COMPLETING) return null;
  const fitting = [...new Set(read.map(plain))].filter(
    (one) => one.length > COMPLETING && one.endsWith(end),
  );
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}
