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

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    for (const store of ["entries", "copies"] satisfies Store[]) {
      request.result.createObjectStore(store, { keyPath: ["account", "key"] });
    }
  };
  return asked(request);
}

let opened: Promise<IDBDatabase> | null = null;

/** Done when the transaction is: what was kept is on the disk. */
async function inside<T>(
  store: Store,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore) => IDBRequest<T>,
): Promise<T> {
  opened ??= open();
  const database = await opened.catch((error: unknown) => {
    opened = null;
    throw error;
  });
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
