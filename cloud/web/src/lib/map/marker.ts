/** What stands on the map, and how it looks. Markers that can be chosen are
 * buttons: keyboards and readers reach them. */

import type { AlertDomain, DeviceState, Severity } from "../api/model";
import type { Position } from "../geo";

export interface Mark {
  id: string;
  position: Position;
  domain: AlertDomain;
  state: DeviceState;
  /** The worst open alert here, if there is one: the marker pulses in its colour. */
  severity: Severity | null;
  label: string;
  /** A number instead of the domain's icon, for stations along a way. */
  order?: number;
  /** So many marks are drawn as this one. */
  count?: number;
}

/** Marks that would lie nearer to each other are moved apart. */
export const NEARER_PX = 22;
const SVG = "http://www.w3.org/2000/svg";

function icon(drawing: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", drawing);
  svg.append(path);
  return svg;
}

/** `drawing` is the path of an icon. A button where it can be chosen, a picture with a name where it only shows a place. */
export function markerElement(
  drawing: string,
  order: number | undefined,
  choosable: boolean,
): HTMLElement {
  const element = document.createElement(choosable ? "button" : "span");
  if (element instanceof HTMLButtonElement) element.type = "button";
  else element.setAttribute("role", "img");
  const face = document.createElement("span");
  face.className = "face";
  if (order === undefined) face.append(icon(drawing));
  else face.textContent = String(order);
  element.append(face);
  return element;
}

/** Brings an element up to date; the map library's own classes are kept. */
export function dress(element: HTMLElement, mark: Mark, colour: string, selected: boolean): void {
  for (const name of [...element.classList]) {
    if (name.startsWith("mark")) element.classList.remove(name);
  }
  element.style.setProperty("--colour", colour);
  element.classList.add("mark", `mark-is-${mark.state}`);
  if (mark.severity) element.classList.add("mark-alert", `mark-${mark.severity}`);
  if (mark.count !== undefined) element.classList.add("mark-many");
  if (selected) element.classList.add("mark-selected");
  element.setAttribute("aria-label", mark.label);
  if (element instanceof HTMLButtonElement) element.ariaPressed = String(selected);
  element.title = mark.label;
}

const RANK: Record<Severity, number> = { critical: 0, major: 1, minor: 2, info: 3 };

/** The more severe of two. */
export const worse = (one: Severity | null, other: Severity): Severity =>
  one !== null && RANK[one] <= RANK[other] ? one : other;
