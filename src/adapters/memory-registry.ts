// A model registry in memory: what every other one must do alike, and what programs use that keep their models elsewhere.
import type { ModelRegistry, RegisteredModel } from '../control/index.ts';
import { AssayError } from '../errors.ts';

/** A registry in memory, and the way to fill it. */
export interface MemoryRegistry extends ModelRegistry {
  /** Registers the next version of a model; the first is 1. */
  register(name: string, tags?: { readonly [key: string]: string }): RegisteredModel;
  /** Points an alias to a version. */
  setAlias(name: string, target: { readonly alias: string; readonly version: string }): void;
}

interface Model {
  readonly versions: Map<string, Record<string, string>>;
  readonly aliases: Map<string, string>;
}

/** An empty registry. */
export function createMemoryRegistry(): MemoryRegistry {
  const models = new Map<string, Model>();
  const modelOf = (name: string): Model => {
    const model = models.get(name);
    if (model !== undefined) return model;
    throw new AssayError('registry-refused', `model ${JSON.stringify(name)} is not registered`);
  };
  const tagsOf = (name: string, version: string): Record<string, string> => {
    const tags = modelOf(name).versions.get(version);
    if (tags !== undefined) return tags;
    throw new AssayError('registry-refused', `model ${JSON.stringify(name)} has no version ${version}`);
  };
  return {
    place: 'the registry in memory',
    register(name, tags = {}) {
      const model: Model = models.get(name) ?? { versions: new Map(), aliases: new Map() };
      models.set(name, model);
      const version = String(model.versions.size + 1);
      model.versions.set(version, { ...tags });
      return { name, version, tags };
    },
    setAlias(name, { alias, version }) {
      tagsOf(name, version);
      modelOf(name).aliases.set(alias, version);
    },
    async find(reference) {
      const { name } = reference;
      const version = reference.kind === 'version' ? reference.version : modelOf(name).aliases.get(reference.alias);
      if (version === undefined) {
        const alias = reference.kind === 'alias' ? reference.alias : '';
        throw new AssayError('registry-refused', `model ${JSON.stringify(name)} has no alias ${JSON.stringify(alias)}`);
      }
      return { name, version, tags: { ...tagsOf(name, version) } };
    },
    async moveAlias({ name, alias, from, to }) {
      const { aliases } = modelOf(name);
      tagsOf(name, to);
      const version = aliases.get(alias) ?? null;
      if (version !== from && version !== to) return { kind: 'elsewhere', version };
      aliases.set(alias, to);
      return { kind: 'moved' };
    },
    async tag({ name, version }, tags) {
      Object.assign(tagsOf(name, version), tags);
    },
  };
}
