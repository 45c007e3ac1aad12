// How does an event of somebody else's format become an outcome? The declared mapping, as data.

/** How a foreign event becomes an outcome: each place is a JSON path into the event. */
export interface OutcomeMapping {
  readonly name: string;
  /** Over the event's members; absent: every event. */
  readonly when?: string;
  /** Type of the outcome. */
  readonly type: string;
  readonly subject: { readonly kind: 'unit' | 'prediction' | 'request'; readonly path: string };
  /** Absent: true. */
  readonly value?: string;
  /** Absent: the time of arrival. */
  readonly time?: string;
  /** Absent: made from the event's content, so that the same event twice counts once. */
  readonly id?: string;
  /** Item the event is about; attribute `item_id`. */
  readonly item?: string;
  /** Variant or model the reporter believes was served; attribute `variant_served`, held against our own record. */
  readonly served?: string;
  readonly attributes: { readonly [name: string]: string };
}
