// The door of src/cli/demo: one story, told on one machine.
export { runDemo } from './demo.ts';
export type { ScenarioName } from './scenarios.ts';
