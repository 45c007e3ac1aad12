import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssayError } from '../errors.ts';
import { cloudEventOfHeaders, outcomesOfCloudEvents } from './index.ts';

const options = { digest: (text: string) => `d${text.length}` };
const event = { specversion: '1.0', id: '7', source: '/shop', type: 'com.shop.click', data: { unit: 'u' } };
const read = (changes: object): unknown => outcomesOfCloudEvents({ ...event, ...changes }, options);

describe('a CloudEvent as an outcome', () => {
  it('takes id from source and id, and the type from the last part that is no version', () => {
    expect(read({})).toEqual({ id: '/shop 7', type: 'click', value: true, unit: 'u' });
    for (const type of ['click', 'com.shop.click.v1', 'shop/click', 'com.shop.click.'])
      expect(read({ type })).toMatchObject({ type: 'click' });
    expect(read({ data: { unit: 'u', type: 'label' } })).toMatchObject({ type: 'label' });
    expect(read({ source: 's'.repeat(300) })).toMatchObject({ id: 'ce-d302' });
  });

  it('takes the value from the data, and whom it is about from the data or the subject', () => {
    expect(read({ data: 3, subject: 'request:r-1' })).toMatchObject({ value: 3, requestId: 'r-1' });
    expect(read({ data: undefined, subject: 'user-17' })).toMatchObject({ value: true, unit: 'user-17' });
    // The id of an outcome is the event's alone.
    const both = read({ subject: 'unit/x', data: { predictionId: 'p', id: 'other' } });
    expect(both).toEqual({ id: '/shop 7', type: 'click', value: true, predictionId: 'p' });
  });

  it('reads headers of binary mode with their percent signs', () => {
    const headers = [
      ['ce-source', '/caf%C3%A9'],
      ['ce-id', '100%'],
      ['host', 'x'],
    ] as const;
    expect(cloudEventOfHeaders(headers, 5)).toEqual({ source: '/café', id: '100%', data: 5 });
    expect(cloudEventOfHeaders(headers, undefined)).toEqual({ source: '/café', id: '100%' });
  });

  it('never throws anything but an AssayError, whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (whole, data) => {
        for (const body of [whole, { ...event, data }, [whole]])
          try {
            outcomesOfCloudEvents(body, options);
          } catch (error) {
            expect(error).toBeInstanceOf(AssayError);
          }
      }),
    );
  });

  it('keeps two events apart whatever their sources and ids are', () => {
    const source = fc.string({ minLength: 1, maxLength: 20 }).map((text) => encodeURI(text));
    const named = fc.record({
      source: source.filter((text) => text !== ''),
      id: fc.string({ minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(named, named, (one, other) => {
        const id = (changes: object): unknown => (read(changes) as { id: string }).id;
        expect(id(one) === id(other)).toBe(one.source === other.source && one.id === other.id);
      }),
    );
  });
});
