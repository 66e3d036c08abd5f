/** Files that people choose, on their way to the server. */

import { Problem } from "./api/client";

/** All of a chosen file, read before it is sent. One that cannot be read any more (it was changed
 * or removed since it was chosen, or the browser has lost its copy) would fail like a network that
 * is away: tried for ever, with everything behind it waiting. Throws a `Problem`. */
export async function contentOf(file: Blob): Promise<Blob> {
  try {
    return new Blob([await file.arrayBuffer()], { type: file.type });
  } catch {
    throw new Problem(422, "upload-unreadable", "The file cannot be read", "");
  }
}

/** JPEG, PNG, WebP; the last says so behind its length. */
const PICTURES = [/^ffd8ff/, /^89504e47/, /^52494646.{8}57454250/];

/** Whether a file begins as a picture that the server reads. What a form accepts is a wish: browsers
 * let people choose anything, a HEIC for instance, and what is kept without a network would be
 * refused where nobody can take it again. */
export async function isPhotograph(file: Blob): Promise<boolean> {
  const first = await file
    .slice(0, 12)
    .arrayBuffer()
    .catch(() => new ArrayBuffer(0));
  const digits = [...new Uint8Array(first)].map((one) => one.toString(16).padStart(2, "0"));
  return PICTURES.some((beginning) => beginning.test(digits.join("")));
}
