/** What somebody wrote without a network, kept in this browser and sent when there is one.
 *
 * Each entry carries its own Idempotency-Key: sent twice, the server does one thing. They leave in
 * the order in which they were written. Where the server cannot be reached, all wait. Where it
 * fails on one, that one is tried again after a growing pause, and what was written later of the
 * same subject waits for it; what belongs to something else leaves meanwhile. If it goes on, the
 * entry is shown as failing and holds up nothing any more. What it refuses is shown with the reason until somebody tries again or
 * throws it away.
 * Signing out forgets everything of the account, here and on the disk. */

import { Problem, unanswered } from "../api/client";
import { keptWords } from "../problem";
import * as database from "./database";

const RETRY_MS = 10_000;
const LONGEST_PAUSE_MS = 300_000;
/** So often the server has failed on an entry before people are told. */
const SHOWN_AFTER = 3;

export interface Entry {
  key: string;
  account: string;
  /** What sends it: the name of a sender. */
  kind: string;
  /** What it belongs to, such as a case. */
  subject: string;
  /** Said of it in lists. */
  label: string;
  at: string;
  body: unknown;
  /** A photograph. */
  file: Blob | null;
  /** Why the server did not take it; null while it waits. */
  refused: { code: string; words: string } | null;
  /** The server has failed on it again and again; it is still tried by itself. */
  failing?: { code: string; words: string } | null;
}

type Sender = (entry: Entry) => Promise<void>;

/** The server is not reached, nobody is signed in yet, or too many ask: all entries wait. */
const waits = (error: Problem): boolean =>
  unanswered(error) || [401, 408, 429].includes(error.status) || error.code === "wrong-csrf-token";

const said = async (error: Problem) => ({ code: error.code, words: await keptWords(error) });

class Outbox {
  entries: Entry[] = $state.raw([]);
  /** What was sent last, for pages that show it: rises with each. */
  sent = $state(0);
  /** The server could not be reached when it was last tried. */
  away = $state(false);
  /** This browser keeps nothing: private windows, a full disk. */
  broken = $state(false);
  #account: string | null = null;
  readonly #senders = new Map<string, Sender>();
  #sending = false;
  /** Entries that the server has failed on: how often, and when each is tried next. */
  readonly #failures = new Map<string, { count: number; next: number }>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What lies on the disk is not known yet. */
  #unread = false;
  /** Entries that lie in this page alone: the disk did not take them. */
  readonly #unkept = new Set<string>();
  /** What has gone from one tab, sent or thrown away, leaves from no other. */
  readonly #tabs = new BroadcastChannel("vigil.outbox");

  constructor() {
    this.#tabs.addEventListener("message", ({ data }) => this.#gone(data as string));
    addEventListener("online", () => void this.send());
    addEventListener("beforeunload", (event) => {
      if (this.onlyHere) event.preventDefault();
    });
  }

  /** Whoever describes a kind of entry says how it is sent. */
  sends(kind: string, sender: Sender): void {
    this.#senders.set(kind, sender);
  }

  /** Something lies in this page alone: loaded anew, it would be lost. */
  get onlyHere(): boolean {
    return this.broken && this.entries.length > 0;
  }

  get waiting(): Entry[] {
    return this.entries.filter((one) => one.refused === null);
  }

  of(subject: string): Entry[] {
    return this.entries.filter((one) => one.subject === subject);
  }

  /** This account works here from now on: its entries, and nobody else's. */
  async open(account: string): Promise<void> {
    this.#account = account;
    this.#unread = true;
    await this.#read(account);
    await this.send();
  }

  async #read(account: string): Promise<void> {
    try {
      const kept = await database.all<Entry>("entries", account);
      if (this.#account !== account) return;
      // What was written while the disk was read stays.
      const known = new Set(kept.map((one) => one.key));
      const newer = this.entries.filter((one) => !known.has(one.key));
      this.entries = [...kept.sort((a, b) => a.at.localeCompare(b.at)), ...newer];
      this.#unread = false;
    } catch {
      this.broken = true;
    }
  }

  async #keep(entry: Entry): Promise<void> {
    try {
      await database.put("entries", entry);
      this.#unkept.delete(entry.key);
    } catch {
      this.#unkept.add(entry.key); // it is held by the page alone: said where it is shown
    }
    this.broken = this.#unread || this.#unkept.size > 0;
  }

  /** A disk that refused, or that could not be read, may be there again. */
  async #mend(): Promise<void> {
    if (!this.broken || this.#account === null) return;
    if (this.#unread) await this.#read(this.#account);
    for (const one of this.entries.filter(({ key }) => this.#unkept.has(key))) {
      await this.#keep(one);
    }
    this.broken = this.#unread || this.#unkept.size > 0;
  }

  /** The server has said who is signed in: what another account wrote here does not leave with
   * that session, also where several tabs share it. */
  async signedIn(account: string): Promise<void> {
    if (this.#account !== account) this.close();
    await this.send();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#account = null;
    this.entries = [];
    this.#unkept.clear();
  }

  async add(entry: Omit<Entry, "account" | "refused" | "at">): Promise<void> {
    const account = this.#account;
    if (account === null) throw new Error("nobody is signed in");
    const kept: Entry = { ...entry, account, at: new Date().toISOString(), refused: null };
    await this.#keep(kept);
    this.entries = [...this.entries, kept];
    await this.send();
  }

  async again(key: string): Promise<void> {
    this.#failures.delete(key);
    await this.#change(key, { refused: null, failing: null });
    await this.send();
  }

  async discard(key: string): Promise<void> {
    const one = this.entries.find((entry) => entry.key === key);
    if (one) await this.#drop(one);
  }

  /** Also where its account has left this page meanwhile. */
  async #drop({ account, key }: Entry): Promise<void> {
    this.#gone(key);
    this.#tabs.postMessage(key);
    await database.remove("entries", account, key).catch(() => undefined);
  }

  #gone(key: string): void {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    this.#failures.delete(key);
    this.#unkept.delete(key);
  }

  /** Everything of the account that signs out, also what was not sent. */
  async forget(): Promise<void> {
    const account = this.#account;
    this.close();
    if (account === null) return;
    for (const store of ["entries", "copies"] as const) {
      await database.removeAll(store, account).catch(() => undefined);
    }
  }

  /** In order; what cannot be sent now is tried again by itself. */
  send = async (): Promise<void> => {
    clearTimeout(this.#timer);
    if (this.#sending) return;
    this.#sending = true;
    try {
      await this.#mend();
      // Two tabs do not send the same thing at once; if they did, it would be done once.
      if (this.waiting.length > 0)
        await ("locks" in navigator
          ? navigator.locks.request("vigil-outbox", () => this.#sendAll())
          : this.#sendAll());
    } finally {
      this.#sending = false;
    }
    if (this.waiting.length > 0 && this.#account !== null) {
      this.#timer = setTimeout(() => void this.send(), RETRY_MS);
    }
  };

  async #sendAll(): Promise<void> {
    const tried: string[] = [];
    const failed: string[] = [];
    const next = (): Entry | undefined => {
      const now = Date.now();
      const held: string[] = [];
      for (const one of this.waiting) {
        const failures = this.#failures.get(one.key);
        const due = !tried.includes(one.key) && (failures?.next ?? 0) <= now;
        if (due && !held.includes(one.subject)) return one;
        // A closed case before its note would be another story than the one that was written.
        if (failures && failures.count < SHOWN_AFTER) held.push(one.subject);
      }
      return undefined;
    };
    for (let one = next(); one; one = next()) {
      tried.push(one.key);
      const sender = this.#senders.get(one.kind);
      try {
        if (!sender) throw new Problem(422, "unknown-entry", one.kind, "");
        await sender(one);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        this.away = unanswered(error);
        if (waits(error)) return;
        if (error.status >= 500) {
          failed.push(one.subject);
          await this.#fail(one, error);
        } else if (!failed.includes(one.subject)) {
          await this.#change(one.key, { refused: await said(error) });
        } // else it may rest on what could not be sent before it: it waits for that
        continue;
      }
      this.away = false;
      // The server works: what it failed on is tried again soon.
      for (const each of this.#failures.values())
        each.next = Math.min(each.next, Date.now() + RETRY_MS);
      await this.#drop(one);
      this.sent += 1;
    }
  }

  async #fail(one: Entry, error: Problem): Promise<void> {
    const count = (this.#failures.get(one.key)?.count ?? 0) + 1;
    const pause = Math.min(RETRY_MS * 2 ** (count - 1), LONGEST_PAUSE_MS);
    this.#failures.set(one.key, { count, next: Date.now() + pause });
    if (count >= SHOWN_AFTER) await this.#change(one.key, { failing: await said(error) });
  }

  async #change(key: string, to: Pick<Partial<Entry>, "refused" | "failing">): Promise<void> {
    this.entries = this.entries.map((one) => (one.key === key ? { ...one, ...to } : one));
    const changed = this.entries.find((one) => one.key === key);
    if (changed) await this.#keep(changed);
  }
}

export const outbox = new Outbox();

/** A copy of something that is needed without a network; forgotten with the account. */
export const keepCopy = (account: string, key: string, value: unknown): Promise<unknown> =>
  database.put("copies", { account, key, value }).catch(() => undefined);

export const copiesOf = async <T>(account: string): Promise<T[]> =>
  (await database.all<{ value: T }>("copies", account).catch(() => [])).map((one) => one.value);
