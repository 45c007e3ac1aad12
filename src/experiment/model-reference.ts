// Which model of a registry does `models:/NAME@ALIAS` or `models:/NAME/VERSION` name?

/** A model of a registry, by alias or by version. */
export type ModelReference =
  | { readonly kind: 'alias'; readonly name: string; readonly alias: string }
  | { readonly kind: 'version'; readonly name: string; readonly version: string };

/** The model a reference names; undefined for any other text, such as an address. `latest` is no version: it would move. */
export function parseModelReference(text: string): ModelReference | undefined {
  const [, name, alias, version] = /^models:\/([^/@:?#\s]{1,200})(?:@([\w.-]{1,255})|\/(\d{1,18}))$/.exec(text) ?? [];
  if (name === undefined) return undefined;
  if (alias !== undefined) return { kind: 'alias', name, alias };
  return version === undefined ? undefined : { kind: 'version', name, version };
}
