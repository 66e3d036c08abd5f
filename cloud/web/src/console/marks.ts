/** Devices and open alerts as marks on the map. */

import type { Alert, Device } from "../lib/api/model";
import { deviceName, titleOf, type Language } from "../lib/format";
import { positionOf } from "../lib/geo";
import { type Mark, worst } from "../lib/map/marker";

/** Devices where they stand, and alerts of devices that we may not see where they happened. */
export function marksOf(
  devices: readonly Device[],
  open: readonly Alert[],
  language: Language,
): Mark[] {
  const byDevice = new Map<string, Alert[]>();
  for (const alert of open) {
    byDevice.set(alert.device, [...(byDevice.get(alert.device) ?? []), alert]);
  }
  const marks: Mark[] = [];
  const placed = new Set<string>();
  for (const device of devices) {
    const position = positionOf(device);
    if (!position) continue;
    const alerts = byDevice.get(device.device) ?? [];
    const first = alerts[0];
    const name = deviceName(device, language);
    marks.push({
      id: device.device,
      position,
      domain: device.domain,
      state: device.state,
      severity: worst(alerts),
      label: first ? `${name}: ${titleOf(first, language)}` : name,
    });
    placed.add(device.device);
  }
  for (const [device, alerts] of byDevice) {
    const first = alerts[0];
    const position = first && positionOf(first);
    if (!first || !position || placed.has(device)) continue;
    marks.push({
      id: device,
      position,
      domain: first.domain,
      state: "ok",
      severity: worst(alerts),
      label: titleOf(first, language),
    });
  }
  return marks;
}
