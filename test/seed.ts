// Property tests draw the same cases every time, so that a red run can be repeated; ASSAY_TEST_SEED draws others.
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.ASSAY_TEST_SEED ?? 20_261_122) });
