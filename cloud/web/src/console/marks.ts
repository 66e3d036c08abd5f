/** Devices and open alerts as marks on the map. */

import type { AlertSummary, Device, OpenAlerts } from "../lib/api/model";
import { deviceName, titleOf, type Language } from "../lib/format";
import { positionOf } from "../lib/geo";
import { type Mark, worse } from "../lib/map/marker";

type Open = OpenAlerts["devices"][number];

/** Devices where they stand, and alerts of devices that we may not see where they happened.
 * `counted` knows of all open alerts, `urgent` holds those that are loaded, the most urgent first:
 * their titles say what a mark is about. */
export function marksOf(
  devices: readonly Device[],
  counted: readonly Open[],
  urgent: readonly AlertSummary[],
  language: Language,
): Mark[] {
  const open = new Map<string, Open>(counted.map((one) => [one.device, one]));
  const first = new Map<string, AlertSummary>();
  for (const alert of urgent) {
    if (!first.has(alert.device)) first.set(alert.device, alert);
    // Told by the stream a moment before it is counted.
    const known = open.get(alert.device);
    open.set(alert.device, {
      ...(known ?? { ...alert, count: 1 }),
      severity: worse(known?.severity ?? null, alert.severity),
    });
  }
  const marks: Mark[] = [];
  const placed = new Set<string>();
  for (const device of devices) {
    const position = positionOf(device);
    if (!position) continue;
    const alert = first.get(device.device);
    const name = deviceName(device, language);
    marks.push({
      id: device.device,
      position,
      domain: device.domain,
      state: device.state,
      severity: open.get(device.device)?.severity ?? null,
      label: alert ? `${name}: ${titleOf(alert, language)}` : name,
    });
    placed.add(device.device);
  }
  for (const [device, one] of open) {
    const position = positionOf(one);
    const alert = first.get(device);
    if (!position || placed.has(device)) continue;
    marks.push({
      id: device,
      position,
      domain: one.domain,
      state: "ok",
      severity: one.severity,
      label: alert ? titleOf(alert, language) : device,
    });
  }
  return marks;
}
