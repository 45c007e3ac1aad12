// Who asks which question when, and when does the market's answer reach us? Everything drawn before the first request.
import type { Random } from '../../stats/index.ts';
import type { ForecastCase } from './forecast-models.ts';

/** When the truth of one prediction is reported, in trading days after the question. */
export type TruthPlan =
  | { readonly kind: 'never' }
  /** `againAfterDays`: the same report, same id, once more; null for once only. */
  | { readonly kind: 'reported'; readonly afterDays: number; readonly againAfterDays: number | null };

/** One simulated user. */
interface PlannedUser {
  readonly id: string;
  readonly isNew: boolean;
}

/** One request of the demo; its place in the plan is its trading day on the replay clock. */
export interface PlannedRequest {
  readonly user: PlannedUser;
  readonly question: ForecastCase;
  readonly truth: TruthPlan;
}

/** What the traffic is drawn from; shares 0..1. Printed by the demo, so nothing about it is hidden. */
export const trafficShape = {
  requestsPerUser: 2,
  newUsers: 0.4,
  truthNever: 0.03,
  truthLate: 0.1,
  /** A late truth comes 2 to 40 days after the question. */
  latestDays: 40,
  truthTwice: 0.05,
  /** Truths after this many days are too late to count; about a quarter of the late ones. */
  windowDays: 30,
} as const;

/** Log-scale spread of the users' activity: the busiest tenth make about 3 in 10 of the requests. */
const activitySpread = 1;

/**
 * Gives the requests in order. Every question is asked once before any is asked again.
 *
 * @param options.requests >= 1.
 * @param options.questions at least one, in the order of their days.
 */
export function planTraffic(options: {
  readonly requests: number;
  readonly questions: readonly ForecastCase[];
  readonly random: Random;
}): readonly PlannedRequest[] {
  const { requests, questions, random } = options;
  const users = planUsers(Math.max(1, Math.round(requests / trafficShape.requestsPerUser)), random.stream('users'));
  const callers = planCallers(users, { requests, random: random.stream('callers') });
  const delays = random.stream('truths');
  return callers.map((user, at) => ({
    user,
    question: questions[at % questions.length]!,
    truth: planTruth(delays),
  }));
}

function planUsers(count: number, random: Random): readonly PlannedUser[] {
  return Array.from({ length: count }, () => ({
    // Ids depend on the seed: otherwise every seed would have the same split.
    id: `user-${random
      .integer(2 ** 32)
      .toString(16)
      .padStart(8, '0')}${random
      .integer(2 ** 32)
      .toString(16)
      .padStart(8, '0')}`,
    isNew: random.uniform() < trafficShape.newUsers,
  }));
}

/** Every user calls once; the rest goes to users in proportion to a lognormal activity. The order is shuffled. */
function planCallers(
  users: readonly PlannedUser[],
  options: { readonly requests: number; readonly random: Random },
): readonly PlannedUser[] {
  const { requests, random } = options;
  const activity: number[] = [];
  let total = 0;
  for (const _ of users) {
    total += Math.exp(activitySpread * random.normal());
    activity.push(total);
  }
  const callers = users.slice(0, requests);
  while (callers.length < requests) {
    const point = random.uniform() * total;
    callers.push(users[activity.findIndex((upTo) => upTo > point)]!);
  }
  for (let at = callers.length - 1; at > 0; at--) {
    const other = random.integer(at + 1);
    [callers[at], callers[other]] = [callers[other]!, callers[at]!];
  }
  return callers;
}

function planTruth(random: Random): TruthPlan {
  // Four draws each time, so that one request's fate does not shift the next one's.
  const [never, late, twice, days] = [random.uniform(), random.uniform(), random.uniform(), random.uniform()];
  if (never < trafficShape.truthNever) return { kind: 'never' };
  const afterDays = late < trafficShape.truthLate ? 2 + Math.floor(days * (trafficShape.latestDays - 1)) : 1;
  return {
    kind: 'reported',
    afterDays,
    againAfterDays: twice < trafficShape.truthTwice ? afterDays + 1 + Math.floor(days * 10) : null,
  };
}
