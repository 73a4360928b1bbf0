/** Adds up what each phase of a run takes, over interruptions. */
export class Clock {
  private start = 0;
  private phase?: string;

  constructor(private readonly spent: Record<string, number>) {}

  /** Ends the current phase and begins another. */
  begin(phase: string): void {
    this.seconds();
    this.phase = phase;
    this.start = performance.now();
  }

  /** Seconds by phase, the current one up to now. */
  seconds(): Record<string, number> {
    if (this.phase !== undefined) {
      const now = performance.now();
      this.spent[this.phase] = (this.spent[this.phase] ?? 0) + (now - this.start) / 1000;
      this.start = now;
    }
    return { ...this.spent };
  }
}
