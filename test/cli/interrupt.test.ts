import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Interrupted } from '../../src/cli/exitCodes.js';
import { interruptible } from '../../src/cli/interrupt.js';

test('a Ctrl-C that comes twice at once, as through npm, is one', async () => {
  const work = interruptible(
    async (signal) => {
      process.emit('SIGINT');
      process.emit('SIGINT'); // would end this process
      signal.throwIfAborted();
    },
    () => 'how to go on',
  );
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof Interrupted);
    assert.equal(error.message, 'how to go on');
    return true;
  });
  assert.equal(process.listenerCount('SIGINT'), 0);
});
