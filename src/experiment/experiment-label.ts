// By which one word do metrics, alerts and traces call an experiment?

/** `NAME`, or `NAMESPACE/NAME` outside the namespace `default`: what the label `experiment` says. */
export function experimentLabel(namespace: string, name: string): string {
  return namespace === 'default' ? name : `${namespace}/${name}`;
}
