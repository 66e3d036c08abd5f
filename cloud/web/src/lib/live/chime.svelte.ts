/** A short sound and a vibration when an alert arrives, for those who ask for it. */

import type { Severity } from "../api/model";

const STORED_AS = "vigil.sound";
const LATE_MS = 2_000;

class Chime {
  on = $state(false);
  #audio: AudioContext | null = null;

  constructor() {
    try {
      this.on = localStorage.getItem(STORED_AS) === "on";
    } catch {
      // Storage is forbidden: silent, as by default.
    }
  }

  set(on: boolean): void {
    this.on = on;
    try {
      localStorage.setItem(STORED_AS, on ? "on" : "off");
    } catch {
      // Not remembered, then.
    }
    if (on) this.ring("info");
  }

  ring(severity: Severity): void {
    if (!this.on) return;
    this.#audio ??= new AudioContext();
    const audio = this.#audio;
    const asked = Date.now();
    // Until somebody has touched the page a browser keeps it silent; a sound that comes
    // minutes late would tell of an alert that is not new.
    void audio.resume().then(() => {
      if (Date.now() - asked < LATE_MS) this.#play(audio, severity);
    });
    if ("vibrate" in navigator) navigator.vibrate(severity === "critical" ? [200, 100, 200] : 120);
  }

  #play(audio: AudioContext, severity: Severity): void {
    const notes = severity === "critical" ? [880, 660, 880, 660] : [660, 880];
    notes.forEach((frequency, i) => {
      const from = audio.currentTime + i * 0.18;
      const tone = new OscillatorNode(audio, { frequency, type: "sine" });
      const gain = new GainNode(audio, { gain: 0 });
      gain.gain.setTargetAtTime(0.18, from, 0.01);
      gain.gain.setTargetAtTime(0, from + 0.12, 0.03);
      tone.connect(gain).connect(audio.destination);
      tone.start(from);
      tone.stop(from + 0.4);
    });
  }
}

export const chime = new Chime();
