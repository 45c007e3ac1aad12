// What is the difference worth in a year? The net value in money, what it costs to have it, and what may go wrong.
import type { ValueModel } from '../experiment/index.ts';
import { type Insufficient, normal } from '../stats/index.ts';
import { insufficient } from './absent.ts';
import type { MoneyEntry, NetValue } from './report.ts';
import { expectedLossOf, meanOf, riskAdjustedNet, riskAdjustedReturn } from './risk-register.ts';
import { normalInterval } from './value.ts';

/** @param alpha two-sided level of the net value's interval, in (0, 1) */
export function moneyEntry(
  net: NetValue | Insufficient,
  { model, alpha }: { readonly model: NonNullable<ValueModel['money']>; readonly alpha: number },
): MoneyEntry | Insufficient {
  if (!('estimate' in net)) return net;
  const { currency, worth, infrastructure, risks } = model;
  const each = meanOf(worth);
  const gain = net.estimate * each;
  const cost = infrastructure === undefined ? 0 : meanOf(infrastructure);
  const half = net.interval.kind === 'bounded' ? (net.interval.upper - net.interval.lower) / 2 : undefined;
  const standardError = half === undefined ? undefined : half / normal.isf(alpha / 2);
  const year = {
    gain: { estimate: net.estimate, standardError: standardError ?? 0, worth },
    cost: infrastructure ?? 0,
  };
  const unknown = insufficient('no term of the value model has a known spread');
  const { expectedLoss } = net;
  return {
    currency,
    gain,
    gainInterval: standardError === undefined ? unknown : normalInterval(gain, Math.abs(each) * standardError, alpha),
    infrastructure: cost,
    net: gain - cost,
    expectedLoss: expectedLossOf(risks),
    returnOnCost: cost > 0 ? (gain - cost) / cost : insufficient('no cost of infrastructure is declared'),
    choices:
      expectedLoss === undefined || !('candidate' in expectedLoss)
        ? unknown
        : { candidate: expectedLoss.candidate * Math.abs(each), control: expectedLoss.control * Math.abs(each) },
    years: standardError === undefined ? unknown : riskAdjustedNet(risks, year),
    returns:
      standardError === undefined
        ? unknown
        : cost > 0 && (typeof year.cost === 'number' || year.cost.low > 0)
          ? riskAdjustedReturn(risks, year)
          : insufficient('no cost of infrastructure above 0 is declared'),
  };
}
