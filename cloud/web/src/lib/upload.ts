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
