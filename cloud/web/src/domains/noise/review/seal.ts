/** Is a package what its gateway sealed? Asked of its bytes in this browser, by WebCrypto and
 * without the server's word: the digest of the whole, the signature over the manifest, and the
 * digest of every file that it lists. */

export interface Sealed {
  /** Nothing is wrong with it. */
  holds: boolean;
  /** One line for each fault. */
  faults: string[];
  files: number;
  /** Of the whole package, hexadecimal. */
  sha256: string;
}

interface Listed {
  name: string;
  sha256: string;
  size: number;
}

const MANIFEST = "manifest.json";
const SIGNATURE = "manifest.sig";
const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

export const hex = (bytes: ArrayBuffer | Uint8Array): string =>
  Array.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes), (one) =>
    one.toString(16).padStart(2, "0"),
  ).join("");

export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.match(/[0-9a-f]{2}/gi) ?? [];
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

export const digest = async (bytes: Uint8Array<ArrayBuffer>): Promise<string> =>
  hex(await crypto.subtle.digest("SHA-256", bytes));

/** The files of a zip whose contents are stored as they are; null where it is none. */
export function unpacked(
  whole: Uint8Array<ArrayBuffer>,
): Map<string, Uint8Array<ArrayBuffer>> | null {
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  const end = whole.byteLength - 22;
  if (end < 0 || view.getUint32(end, true) !== END) return null;
  const found = new Map<string, Uint8Array<ArrayBuffer>>();
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    if (at + 46 > end || view.getUint32(at, true) !== CENTRAL) return null;
    const size = view.getUint32(at + 24, true);
    const nameSize = view.getUint16(at + 28, true);
    const name = new TextDecoder().decode(whole.subarray(at + 46, at + 46 + nameSize));
    const header = view.getUint32(at + 42, true);
    if (view.getUint16(at + 10, true) !== 0 || header + 30 > end) return null;
    if (view.getUint32(header, true) !== LOCAL) return null;
    const start =
      header + 30 + view.getUint16(header + 26, true) + view.getUint16(header + 28, true);
    if (start + size > end || found.has(name)) return null;
    found.set(name, whole.subarray(start, start + size));
    at += 46 + nameSize + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return found;
}

async function signed(
  key: Uint8Array<ArrayBuffer>,
  seal: Uint8Array<ArrayBuffer>,
  text: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  try {
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, seal, text);
  } catch {
    return false;
  }
}

/** `wanted`: the digest that the event named; `key`: the gateway's public key, hexadecimal. */
export async function verify(
  whole: Uint8Array<ArrayBuffer>,
  wanted: string,
  key: string,
): Promise<Sealed> {
  const sha256 = await digest(whole);
  const faults: string[] = sha256 === wanted ? [] : ["package"];
  const files = unpacked(whole);
  const text = files?.get(MANIFEST);
  const seal = files?.get(SIGNATURE);
  if (!files || !text || !seal) {
    return { holds: false, faults: [...new Set([...faults, "package"])], files: 0, sha256 };
  }
  if (!(await signed(fromHex(key), seal, text))) faults.push(SIGNATURE);
  const listed = (JSON.parse(new TextDecoder().decode(text)) as { files: Listed[] }).files;
  for (const one of listed) {
    const content = files.get(one.name);
    if (content?.byteLength !== one.size || (await digest(content)) !== one.sha256) {
      faults.push(one.name);
    }
  }
  const known = new Set([MANIFEST, SIGNATURE, ...listed.map((one) => one.name)]);
  for (const name of files.keys()) if (!known.has(name)) faults.push(name);
  return { holds: faults.length === 0, faults, files: listed.length, sha256 };
}

/** Whether this browser can do it: old ones know no Ed25519, and none does over plain HTTP. */
export async function able(): Promise<boolean> {
  if (!globalThis.isSecureContext) return false;
  try {
    await crypto.subtle.importKey(
      "raw",
      fromHex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
      "Ed25519",
      false,
      ["verify"],
    );
    return true;
  } catch {
    return false;
  }
}
