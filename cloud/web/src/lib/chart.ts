/** What all charts share: the page's colours and Taipei's clock on the axis. */

import uPlot from "uplot";
import { TIME_ZONE, type Language } from "./format";

export interface ChartColours {
  ink: string;
  line: string;
  accent: string;
  critical: string;
  surface: string;
}

export function chartColours(element: Element): ChartColours {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: colour("ink-faint"),
    line: colour("line"),
    accent: colour("accent"),
    critical: colour("critical"),
    surface: colour("surface"),
  };
}

export function axis(colours: ChartColours): uPlot.Axis {
  return {
    stroke: colours.ink,
    font: "12px system-ui, 'Noto Sans TC', sans-serif",
    grid: { stroke: colours.line, width: 1 },
    ticks: { show: false },
  };
}

/** Axis labels of a time axis, as short as the span allows. */
export function timeLabels(language: Language) {
  const of = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language === "en" ? "en-GB" : "zh-TW", {
      timeZone: TIME_ZONE,
      hourCycle: "h23",
      ...options,
    });
  const minute = of({ hour: "2-digit", minute: "2-digit" });
  const second = of({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
  const date = of({ month: "numeric", day: "numeric" });
  return (_: uPlot, splits: number[]): string[] => {
    const step = (splits[1] ?? 0) - (splits[0] ?? 0);
    const format = step >= 86_400 ? date : step >= 60 ? minute : second;
    return splits.map((seconds) => format.format(seconds * 1000));
  };
}

/** Taipei's wall clock for uPlot's own splitting of days and hours. */
export const taipeiDate = (seconds: number): Date =>
  uPlot.tzDate(new Date(seconds * 1000), TIME_ZONE);

/** A horizontal line across the plot, with its word on the left, where a passage is still quiet. */
export function horizontal(value: number, text: string, colour: string): uPlot.Plugin {
  return {
    hooks: {
      draw: (plot) => {
        const y = plot.valToPos(value, "y", true);
        const { left, top, width, height } = plot.bbox;
        if (y < top || y > top + height) return;
        const ctx = plot.ctx;
        const dpr = devicePixelRatio;
        ctx.save();
        ctx.strokeStyle = colour;
        ctx.fillStyle = colour;
        ctx.lineWidth = 1.5 * dpr;
        ctx.setLineDash([6 * dpr, 4 * dpr]);
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
        ctx.font = `600 ${12 * dpr}px system-ui, "Noto Sans TC", sans-serif`;
        ctx.textAlign = "left";
        ctx.textBaseline = "bottom";
        ctx.fillText(text, left + 6 * dpr, y - 3 * dpr);
        ctx.restore();
      },
    },
  };
}

/** A stretch of time that is shaded behind the curve. */
export interface Band {
  /** Seconds since 1970. */
  from: number;
  to: number;
  colour: string;
  /** Written at its top where there is room. */
  label?: string;
}

/** Shaded stretches, and a line where each begins. */
export function bands(list: readonly Band[]): uPlot.Plugin {
  return {
    hooks: {
      drawClear: (plot) => {
        const { left, top, width, height } = plot.bbox;
        const ctx = plot.ctx;
        const dpr = devicePixelRatio;
        ctx.save();
        ctx.beginPath();
        ctx.rect(left, top, width, height);
        ctx.clip();
        ctx.font = `600 ${11 * dpr}px system-ui, "Noto Sans TC", sans-serif`;
        ctx.textAlign = "left";
        ctx.textBaseline = "top";
        for (const { from, to, colour, label } of list) {
          const x = plot.valToPos(from, "x", true);
          const end = plot.valToPos(to, "x", true);
          const wide = Math.max(end - x, 2 * dpr);
          ctx.fillStyle = colour;
          ctx.globalAlpha = 0.16;
          ctx.fillRect(x, top, wide, height);
          ctx.globalAlpha = 1;
          if (!label) continue;
          ctx.fillRect(x, top, 1.5 * dpr, height);
          if (ctx.measureText(label).width + 10 * dpr < wide) {
            ctx.fillText(label, Math.max(x, left) + 5 * dpr, top + 3 * dpr);
          }
        }
        ctx.restore();
      },
    },
  };
}

/** Stretches of readings that are told apart by `is`, each from half of the way to its neighbours. */
export function stretches(
  times: readonly number[],
  is: (place: number) => boolean,
): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = [];
  const between = (a: number, b: number) => ((times[a] ?? 0) + (times[b] ?? 0)) / 2;
  times.forEach((at, place) => {
    if (!is(place)) return;
    const from = place > 0 ? between(place - 1, place) : at;
    const to = place + 1 < times.length ? between(place, place + 1) : at;
    const last = found.at(-1);
    if (last && place > 0 && is(place - 1)) last.to = to;
    else found.push({ from, to });
  });
  return found;
}

/** A dot with a word at one point of the plot. */
export function dot(x: number, y: number, text: string, colours: ChartColours): uPlot.Plugin {
  return {
    hooks: {
      draw: (plot) => {
        const px = plot.valToPos(x, "x", true);
        const py = plot.valToPos(y, "y", true);
        const { left, width } = plot.bbox;
        const ctx = plot.ctx;
        const dpr = devicePixelRatio;
        ctx.save();
        ctx.fillStyle = colours.critical;
        ctx.strokeStyle = colours.surface;
        ctx.lineWidth = 2 * dpr;
        ctx.beginPath();
        ctx.arc(px, py, 5.5 * dpr, 0, 2 * Math.PI);
        ctx.fill();
        ctx.stroke();
        ctx.font = `700 ${13 * dpr}px system-ui, "Noto Sans TC", sans-serif`;
        // Above the dot, and never over the edge of the plot.
        const half = ctx.measureText(text).width / 2;
        ctx.textAlign = "center";
        ctx.textBaseline = "bottom";
        ctx.fillText(text, Math.min(Math.max(px, left + half), left + width - half), py - 9 * dpr);
        ctx.restore();
      },
    },
  };
}
