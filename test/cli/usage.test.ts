import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runFtwt } from './runFtwt.js';

const commands = ['demo', 'train', 'compile', 'bench', 'predict', 'estimate', 'evaluate', 'info'];

test('every command has a help with examples', async () => {
  for (const command of commands) {
    const { exitCode, stdout } = await runFtwt([command, '--help']);
    assert.equal(exitCode, 0);
    assert.match(stdout, new RegExp(`Usage: ftwt ${command}`));
    assert.match(stdout, /Examples:\n {2}\$ ftwt/);
  }
  const { exitCode, stdout } = await runFtwt(['--help']);
  assert.equal(exitCode, 0);
  for (const command of commands) assert.match(stdout, new RegExp(`^ {2}${command} `, 'm'));
});

test('wrong usage ends with 2 and says what was expected', async () => {
  const cases: [string[], RegExp][] = [
    [[], /Usage: ftwt/],
    [['bogus'], /unknown command 'bogus'/],
    [['info', '--bogus'], /unknown option '--bogus'/],
    [['info', '--threads', 'two'], /Expected a whole number above 0/],
    [['info', '--device', 'gpu'], /Expected native, cpu, cuda, cuda:N or emulator/],
  ];
  for (const [args, message] of cases) {
    const { exitCode, stderr } = await runFtwt(args);
    assert.equal(exitCode, 2, args.join(' '));
    assert.match(stderr, message);
  }
});
