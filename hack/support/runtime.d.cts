/** The section `runtime` of a configuration by which pods that name no handler can have user namespaces. */
export function runtimeOptions(): Record<string, unknown>;
