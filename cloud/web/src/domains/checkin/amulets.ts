/** What is asked of invitations and amulets, and scanning of a code with the browser's camera. */

import { answer, api } from "../../lib/api/client";
import type { components } from "../../lib/api/schema";

export type Invitation = components["schemas"]["InvitationEntry"];
export type Notice = components["schemas"]["PurposeNotice"];
export type Capacity = components["schemas"]["RegisterAmulet"]["capacity"];

/** What somebody agrees to, as it is filled in. */
export interface Agreed {
  notice: string;
  capacity: Capacity;
  agreed: boolean;
}

export const nothingAgreed = (): Agreed => ({
  notice: "",
  capacity: "representative",
  agreed: false,
});

export const revoke = async (id: string): Promise<void> => {
  const params = { path: { invitation: id } };
  await answer(api.DELETE("/api/v1/invitations/{invitation}", { params }));
};

/** Where an invitation's code is drawn. */
export const codeAddress = (id: string): string => `/api/v1/invitations/${id}/code.svg`;

interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
type DetectorClass = new (options: { formats: string[] }) => Detector;

const detectorClass = (): DetectorClass | undefined =>
  (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;

/** Whether this browser can scan; everywhere else the code is typed. */
export const canScan = (): boolean => detectorClass() !== undefined && "mediaDevices" in navigator;

const LOOK_MS = 200;

/** What the camera sees first, until it is stopped; throws where there is no camera for us. */
export async function scan(video: HTMLVideoElement, signal: AbortSignal): Promise<string | null> {
  const Class = detectorClass();
  if (!Class) return null;
  const camera = await navigator.mediaDevices.getUserMedia({
    video: { facingMode: "environment" },
  });
  try {
    video.srcObject = camera;
    await video.play();
    const detector = new Class({ formats: ["qr_code"] });
    while (!signal.aborted) {
      const found = (await detector.detect(video))[0];
      if (found) return found.rawValue;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return null;
  } finally {
    for (const track of camera.getTracks()) track.stop();
    video.srcObject = null;
  }
}
