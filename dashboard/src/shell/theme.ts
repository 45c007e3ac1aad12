// Light or dark? As the system has it until the reader chooses; the choice stays in this browser.
import { useSyncExternalStore } from 'react';

/** What the reader chose. */
export type ThemeChoice = 'system' | 'light' | 'dark';

const key = 'assay-theme';
const listeners = new Set<() => void>();
const choices: readonly ThemeChoice[] = ['system', 'light', 'dark'];
let choice: ThemeChoice = readChoice();
let version = 0;

function readChoice(): ThemeChoice {
  try {
    const kept = localStorage.getItem(key) as ThemeChoice | null;
    return kept !== null && choices.includes(kept) ? kept : 'system';
  } catch {
    return 'system';
  }
}

/** Puts the choice into force. */
export function applyTheme(): void {
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  version += 1;
  for (const listener of listeners) listener();
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);

/** Goes on to the next choice. */
export function nextTheme(): void {
  choice = choices[(choices.indexOf(choice) + 1) % choices.length] ?? 'system';
  try {
    localStorage.setItem(key, choice);
  } catch {
    // A browser that keeps nothing still switches.
  }
  applyTheme();
}

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The choice; draws anew when it changes. */
export function useThemeChoice(): ThemeChoice {
  return useSyncExternalStore(subscribe, () => choice);
}

/** A number that changes whenever colours do: charts are drawn anew then. */
export function useThemeVersion(): number {
  return useSyncExternalStore(subscribe, () => version);
}

/** The colour behind a token such as `variant-1`, as `rgb(...)`. */
export function colourOf(token: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${token})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
