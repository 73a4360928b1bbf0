/** A contender in a process of its own, seen from outside. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Facts, Spec, Turn } from './spec.js';

export class ContenderProcess {
  private constructor(
    readonly spec: Spec,
    readonly facts: Facts,
    private readonly child: ChildProcess,
  ) {}

  /** @throws Error when the contender cannot run here, or gives wrong results */
  static async start(spec: Spec): Promise<ContenderProcess> {
    const child = fork(join(__dirname, 'worker.js'), [JSON.stringify(spec)], {
      env: { ...process.env, FTWT_THREADS: String(spec.threads), FTWT_DEVICE: 'native' },
    });
    try {
      const answer = await answerOf(child);
      if (answer.type === 'ready') return new ContenderProcess(spec, answer.facts, child);
      throw new Error(`expected to be told of readiness, got ${answer.type}`);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** Repeats the run for so long, at least once; milliseconds of each. */
  async turn(milliseconds: number): Promise<number[]> {
    const turn: Turn = { milliseconds };
    this.child.send(turn);
    const answer = await answerOf(this.child);
    if (answer.type !== 'times') throw new Error(`expected times, got ${answer.type}`);
    return answer.milliseconds;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill();
    await once(this.child, 'exit');
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const listeners = new AbortController();
  const { signal } = listeners;
  try {
    const ended = once(child, 'exit', { signal }).then(([code, killedBy]) => {
      throw new Error(`its process ended with ${killedBy ?? `status ${code}`}`);
    });
    const [answer] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Answer];
    if (answer.type === 'failed') throw new Error(answer.message);
    return answer;
  } finally {
    listeners.abort();
  }
}
