/** Parts of the pages that are fetched when they are wanted: every `import()` of ours goes through
 * `part`.
 *
 * A browser remembers that a file did not come: whoever asks again under the same address is told so
 * at once, for as long as the page is open (whatwg/html#6768). Under another query it is another
 * file to the browser and the same one to the server. What came in that way stays the only one of
 * its address: the first can never come any more. */

const AGAIN = "again";
/** What came under another query, by the address that failed. */
const came = new Map<string, Promise<object>>();
let asked = 0;

/** How a file is asked for; tests have no browser. */
export interface Ways {
  script: (address: string) => Promise<object>;
  style: (address: string) => Promise<void>;
}

const BROWSER: Ways = {
  script: (address) => import(/* @vite-ignore */ address) as Promise<object>,
  style: (address) =>
    new Promise((resolve, reject) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = address;
      link.onload = () => resolve();
      link.onerror = () => reject(new Error(address));
      document.head.append(link);
    }),
};

/** What `load` imports, once more under another address where it did not come. `name`: something
 * that the file has: only then it is what was asked for. Rejects as `load` did. */
export async function part<T extends object>(
  load: () => Promise<T>,
  name: keyof T & string = "default" as keyof T & string,
  ways: Ways = BROWSER,
): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const address = failed(error);
    if (address === null) throw error;
    if (address.endsWith(".css")) {
      await ways.style(anew(address)).catch(() => Promise.reject(error as Error));
      return load();
    }
    let coming = came.get(address);
    if (!coming) {
      coming = ways.script(anew(address));
      came.set(address, coming);
      coming.catch(() => came.delete(address));
    }
    const found = await coming.catch(() => Promise.reject(error as Error));
    if (!(name in found)) throw error;
    return found as T;
  }
}

const anew = (address: string): string => `${address}?${AGAIN}=${++asked}`;

/** Which file of ours did not come, as browsers say it; `null` where they do not: such a browser
 * asks again by itself. */
function failed(error: unknown): string | null {
  const said = error instanceof Error ? error.message : "";
  const [path] = /\/assets\/[\w.-]+\.(?:js|css)\b/.exec(said) ?? [];
  return path ?? null;
}
