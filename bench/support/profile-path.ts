/** The profile of one process, or of one contender by its name. DevTools and speedscope know the ending. */
export const profilePathOf = (name: string | number): string => `bench/RESULT.${name}.cpuprofile`;
