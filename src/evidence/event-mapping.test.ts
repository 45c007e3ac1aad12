import { describe, expect, it } from 'vitest';
import type { OutcomeMapping } from '../experiment/index.ts';
import { mapEvents } from './event-mapping.ts';

const nowMs = 1_700_000_000_000;
const clicks: OutcomeMapping = {
  name: 'clicks',
  when: "event_type == 'recommendation_click'",
  type: 'click',
  subject: { kind: 'unit', path: '$.user_id' },
  time: '$.timestamp',
  item: '$.item_id',
  served: '$.model_variant_served',
  attributes: { page: '$.context.page' },
};
const orders: OutcomeMapping = {
  name: 'orders',
  when: 'order.total > 0',
  type: 'revenue',
  subject: { kind: 'prediction', path: '$.order.prediction' },
  value: '$.order.total',
  id: '$.order.id',
  attributes: {},
};
const map = (body: unknown) =>
  mapEvents(body, {
    mappings: [clicks, orders],
    nowMs,
    namespace: 'default',
    hashUnit: (id) => `hashed-${id}`,
    digest: (text) => `${text.length}`,
  });
const click = {
  user_id: 'user-17',
  event_type: 'recommendation_click',
  item_id: 42,
  timestamp: '2023-11-14T22:13:20Z',
  model_variant_served: 'v2',
};

describe('an event of another program', () => {
  it('becomes the outcome its mapping says', () => {
    const { records, ignored } = map([
      { ...click, context: { page: 'home' } },
      { order: { total: 9.5, id: 7, prediction: 'p1' } },
    ]);
    expect(ignored).toBe(0);
    expect(records).toEqual([
      {
        kind: 'outcome',
        id: expect.stringMatching(/^clicks-\d+$/),
        timeMs: nowMs,
        receivedMs: nowMs,
        namespace: 'default',
        type: 'click',
        value: true,
        subject: { kind: 'unit', unit: 'hashed-user-17' },
        attributes: { item_id: 42, variant_served: 'v2', page: 'home' },
      },
      expect.objectContaining({
        id: '7',
        type: 'revenue',
        value: 9.5,
        subject: { kind: 'prediction', predictionId: 'p1' },
      }),
    ]);
  });

  it('is ignored when no mapping takes it', () => {
    expect(map([{ event_type: 'page_view' }, click])).toMatchObject({ ignored: 1, records: [{ type: 'click' }] });
  });

  it('has the same id when it is sent again, in whatever order its members stand', () => {
    const [first] = map(click).records;
    const [again] = map(Object.fromEntries(Object.entries(click).reverse())).records;
    expect(again?.id).toBe(first?.id);
  });

  it.each([
    ['epoch milliseconds', 1_700_000_000_000],
    ['epoch seconds', 1_700_000_000],
    ['ISO 8601 with a zone', '2023-11-14T23:13:20+01:00'],
    ['ISO 8601 without a zone, which is UTC', '2023-11-14T22:13:20.000000'],
    ['a blank instead of the T', '2023-11-14 22:13:20'],
  ])('may carry its time as %s', (_, timestamp) => {
    expect(map({ ...click, timestamp }).records[0]?.timeMs).toBe(nowMs);
  });

  it.each([
    [
      { ...click, user_id: undefined },
      'event, read by clicks: outcome.unit is null, must be a text of 1 to 512 characters',
    ],
    [[click, { ...click, timestamp: 'soon' }], 'events[1], read by clicks: outcome.time is "soon", must be ISO 8601'],
    [{ ...click, timestamp: undefined }, 'outcome.time is null, must be ISO 8601'],
    [[7], 'events[0] is 7, must be an object'],
    [{ order: { total: 5, id: 'o1' } }, 'event, read by orders: outcome.predictionId is null'],
  ])('that cannot be an outcome is refused with its place: %j', (body, message) => {
    expect(() => map(JSON.parse(JSON.stringify(body)))).toThrow(message);
  });

  it('is refused in too large a number', () => {
    expect(() => map(Array.from({ length: 10_001 }, () => click))).toThrow('events has 10001 items');
  });
});
