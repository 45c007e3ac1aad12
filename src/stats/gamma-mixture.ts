// How much evidence does a running sum with a longer tail than the normal carry, at every look?
import { logGamma } from './gamma-function.ts';
import { logGammaTails } from './incomplete-gamma.ts';
import { type MixtureMartingale, type MixtureTuning, martingale, mixingPrecision } from './mixture-martingale.ts';
import { requirePositive } from './precondition.ts';

/**
 * Gamma-exponential mixture, one-sided. The sum must be sub-exponential with this scale and variance `time`: centred
 * exponential or chi-squared terms, or anything bounded above (Bernstein).
 * @param tuning `scale` > 0: how long the tail is in units of the sum
 * @throws RangeError when time or scale is not > 0 or alpha not in (0, 0.5).
 * @see Howard et al. 2021, section 3.2 and appendix A
 */
export function gammaExponentialMixture(tuning: MixtureTuning & { readonly scale: number }): MixtureMartingale {
  const scale = requirePositive('scale', tuning.scale);
  const square = scale * scale;
  const rho = mixingPrecision(tuning, 1) / square;
  const constant = rho * Math.log(rho) - logGamma(rho) - logGammaTails(rho, rho).below;
  return martingale({
    logE: (sum, time) => {
      const shape = time / square + rho;
      const reach = (scale * sum + time) / square;
      // Below that the integral is tiny and has another form; an e-value of 0 is a lower bound of it.
      if (!(reach + rho > 0)) return -Infinity;
      return (
        constant + logGamma(shape) + logGammaTails(shape, reach + rho).below - shape * Math.log(reach + rho) + reach
      );
    },
    largest: () => Infinity,
  });
}

/**
 * Gamma-Poisson mixture, one-sided. The sum must be sub-Poisson with this scale and variance `time`: a Poisson count of
 * mean m (sum = count - m, time = m, scale 1), or terms at most `scale` above their mean (Bennett).
 * @param tuning `scale` > 0: largest step up
 * @throws RangeError when time or scale is not > 0 or alpha not in (0, 0.5).
 * @see Howard et al. 2021, section 3.2 and appendix A
 */
export function gammaPoissonMixture(tuning: MixtureTuning & { readonly scale: number }): MixtureMartingale {
  const scale = requirePositive('scale', tuning.scale);
  const square = scale * scale;
  const rho = mixingPrecision(tuning, 1) / square;
  const constant = rho * Math.log(rho) - logGamma(rho) - logGammaTails(rho, rho).above;
  return martingale({
    logE: (sum, time) => {
      const rate = time / square + rho;
      const shape = sum / scale + rate;
      if (!(shape > 0)) return -Infinity;
      return constant + logGamma(shape) + logGammaTails(shape, rate).above - shape * Math.log(rate) + time / square;
    },
    largest: () => Infinity,
  });
}
