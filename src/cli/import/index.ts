// The door of src/cli/import: outcomes and predictions from exported files.
export { importOutcomesCommand } from './import-outcomes.ts';
export { importPredictionsCommand } from './import-predictions.ts';
