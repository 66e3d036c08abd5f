/** What this browser keeps until there is a network again: IndexedDB, each thing under the account
 * that wrote it. Nothing else of the pages is kept. */

const NAME = "vigil-offline";
export type Store = "entries" | "copies";

function asked<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB"));
  });
}

/** Some versions of Safari never answer the first time that they are asked. */
const OPENING_MS = 10_000;

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const store of ["entries", "copies"] satisfies Store[]) {
      request.result.createObjectStore(store, { keyPath: ["account", "key"] });
    }
  };
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("IndexedDB does not answer")), OPENING_MS);
  });
  return Promise.race([asked(request), late]);
}

let opened: Promise<IDBDatabase> | null = null;

function connection(): Promise<IDBDatabase> {
  if (opened) return opened;
  const made = (opened = open());
  const ended = () => {
    if (opened === made) opened = null;
  };
  made.then((database) => (database.onclose = ended), ended);
  return made;
}

/** A browser ends the connection of a page that rests in the background (iOS does, for memory), and
 * most say so only where it is used again. */
const ENDED = ["InvalidStateError", "UnknownError", "AbortError"];

async function inside<T>(
  store: Store,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const used = connection();
  try {
    return await done(await used, store, mode, work);
  } catch (error) {
    if (!(error instanceof DOMException && ENDED.includes(error.name))) throw error;
    if (opened === used) opened = null;
    return done(await connection(), store, mode, work);
  }
}

/** Done when the transaction is: what was kept is on the disk. */
async function done<T>(
  database: IDBDatabase,
  store: Store,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  const transaction = database.transaction(store, mode);
  const over = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB"));
  });
  const [found] = await Promise.all([asked(work(transaction.objectStore(store))), over]);
  return found;
}

const of = (account: string) => IDBKeyRange.bound([account], [account, []]);

export const put = (store: Store, value: object) =>
  inside(store, "readwrite", (objects) => objects.put(value));

export const remove = (store: Store, account: string, key: string) =>
  inside(store, "readwrite", (objects) => objects.delete([account, key]));

export const removeAll = (store: Store, account: string) =>
  inside(store, "readwrite", (objects) => objects.delete(of(account)));

export const all = <T>(store: Store, account: string): Promise<T[]> =>
  inside(store, "readonly", (objects) => objects.getAll(of(account))) as Promise<T[]>;
