// Which keys do something? Single letters, unless the reader is typing or has switched them off.
import { useEffect, useSyncExternalStore } from 'react';

const storageKey = 'assay-single-keys';
const listeners = new Set<() => void>();

function readEnabled(): boolean {
  try {
    return localStorage.getItem(storageKey) !== 'off';
  } catch {
    return true;
  }
}
let isEnabled = readEnabled();

/** Switches the single keys on or off. */
export function setSingleKeys(next: boolean): void {
  isEnabled = next;
  try {
    localStorage.setItem(storageKey, next ? 'on' : 'off');
  } catch {
    // Holds for this visit.
  }
  for (const listener of listeners) listener();
}

/** Whether single keys do something. */
export function useSingleKeys(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => isEnabled,
  );
}

type KeyMap = Readonly<Record<string, () => void>>;

/** What is on the page now; the newest part of it that knows a key gets it. */
const keyMaps = new Set<KeyMap>();
/** A `g` waits so long for its second letter, milliseconds. */
const prefixMs = 1200;
let prefixUntil = 0;

function onKey(event: KeyboardEvent): void {
  if (!isEnabled || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (target.closest('input, textarea, select, [contenteditable], [role="dialog"], [role="menu"]') !== null) return;
  const pressed = event.timeStamp < prefixUntil ? `g ${event.key}` : event.key;
  prefixUntil = 0;
  const run = [...keyMaps].reverse().find((keys) => keys[pressed] !== undefined)?.[pressed];
  if (run !== undefined) {
    event.preventDefault();
    run();
  } else if (event.key === 'g') prefixUntil = event.timeStamp + prefixMs;
}

/**
 * Runs what belongs to a pressed key: `{'/': ..., 'g e': ...}`. Nothing happens in fields, in dialogs and menus, or with a
 * modifier held down.
 */
export function useKeys(keys: KeyMap): void {
  useEffect(() => {
    if (keyMaps.size === 0) addEventListener('keydown', onKey);
    keyMaps.add(keys);
    return () => {
      keyMaps.delete(keys);
      if (keyMaps.size === 0) removeEventListener('keydown', onKey);
    };
  }, [keys]);
}
