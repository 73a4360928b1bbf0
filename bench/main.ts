/** npm run bench -- <benchmark> [arguments] */
const benchmarks = [
  'models',
  'ops',
  'train',
  'conv',
  'sparse',
  'device',
  'demo',
  'report',
] as const;

async function main(): Promise<void> {
  const [name, ...rest] = process.argv.slice(2);
  if (!benchmarks.includes(name as (typeof benchmarks)[number])) {
    console.error(`usage: npm run bench -- ${benchmarks.join('|')}`);
    process.exitCode = 2;
    return;
  }
  const { run } = (await import(`./${name}.js`)) as { run(args: string[]): Promise<void> };
  await run(rest);
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
