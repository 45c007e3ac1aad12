// How much room do Node's young objects get where requests pass?

/**
 * Most of what a request leaves behind is garbage at once; with room for more of it fewer collections copy what is still in use.
 * Node only takes it at the start of a process.
 */
export const youngHeap = '--max-semi-space-size=32';
