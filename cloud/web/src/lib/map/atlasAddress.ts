/** Where a file of the atlas lies. */

/** Which atlas this build has; `vite.config.ts` writes it in. */
declare const __ATLAS__: string;

/** Under the word of this build's atlas: a browser keeps such a file for good, and after an upgrade
 * asks for it under another, so that names and borders of two releases never meet. */
export const atlasAddress = (name: string): string => `/atlas/${name}?v=${__ATLAS__}`;
