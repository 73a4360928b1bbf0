/** Makes one node of what an executor computes at once: convolution, batch norm, activation, residual sum, padding. */
import { leavesZero } from './activations.js';
import { scaleOutput, type Draft } from './draft.js';

const weighted: Draft['kind'][] = ['conv', 'depthwise', 'dense'];

/**
 * @param drafts inputs first
 * @returns the drafts that are left, inputs first, and the one that computes `output`
 */
export function fuse(drafts: Draft[], output: Draft): { drafts: Draft[]; output: Draft } {
  countUses(drafts, output);
  const left: Draft[] = [];
  const insteadOf = new Map<Draft, Draft>();
  for (const node of drafts) {
    node.inputs = node.inputs.map((input) => insteadOf.get(input) ?? input);
    skipInput(node);
    const into = mergedInto(node, left);
    if (into === undefined) {
      left.push(node);
      continue;
    }
    into.uses = node.uses;
    insteadOf.set(node, into);
    // A convolution that now reads a residual has to come after it.
    if (into.residual !== undefined) left.push(...left.splice(left.indexOf(into), 1));
  }
  return { drafts: withoutUnused(left), output: insteadOf.get(output) ?? output };
}

function countUses(drafts: Draft[], output: Draft): void {
  output.uses++;
  for (const { inputs } of drafts) inputs.forEach((input) => input.uses++);
}

function withoutUnused(drafts: Draft[]): Draft[] {
  const used = drafts.toReversed().filter((node) => {
    if (node.uses === 0) node.inputs.forEach((input) => input.uses--);
    return node.uses > 0;
  });
  return used.toReversed();
}

/** Lets a node read past a padding or a reshape that it can do itself. */
function skipInput(node: Draft): void {
  const [input] = node.inputs;
  if (node.kind === 'dense' && input.kind === 'reshape') {
    readInstead(node, input.inputs[0]);
  } else if (input.kind === 'pad' && padsItself(node, input)) {
    node.padTop += input.padTop;
    node.padLeft += input.padLeft;
    readInstead(node, input.inputs[0]);
  }
}

function readInstead(node: Draft, value: Draft): void {
  node.inputs[0].uses--;
  value.uses++;
  node.inputs = [value];
}

/** Whether zeros around the image can become the window's own padding: every window must still touch the image. */
function padsItself(node: Draft, pad: Draft): boolean {
  const [x] = pad.inputs;
  // The maximum of a pool leaves padding out; next to values >= 0, which a relu leaves, zeros do not matter.
  const pool = node.kind === 'pool' && !node.average && x.activation !== 'linear';
  // A predictor pools its input, zeros included.
  const convolution =
    (node.kind === 'conv' || node.kind === 'depthwise') && node.predictor === undefined;
  if (!pool && !convolution) return false;
  const touches = (
    before: number,
    k: number,
    dilation: number,
    stride: number,
    out: number,
    size: number,
  ) => before < (k - 1) * dilation + 1 && (out - 1) * stride - before < size;
  return (
    touches(node.padTop + pad.padTop, node.kh, node.dilationH, node.strideH, node.out.h, x.out.h) &&
    touches(node.padLeft + pad.padLeft, node.kw, node.dilationW, node.strideW, node.out.w, x.out.w)
  );
}

/** The earlier node that computes `node` as well, if there is one. */
function mergedInto(node: Draft, earlier: Draft[]): Draft | undefined {
  switch (node.kind) {
    case 'scale':
      return scaled(node);
    case 'activation':
      return activated(node);
    case 'add':
      return added(node, earlier);
    default:
      return undefined;
  }
}

function isLinear({ activation, function: f }: Draft): boolean {
  return activation === 'linear' && f === undefined;
}

function scaled(node: Draft): Draft | undefined {
  const [x] = node.inputs;
  const plain = isLinear(x) && x.predictor === undefined && x.residual === undefined;
  if (x.uses !== 1 || !plain || !(weighted.includes(x.kind) || x.kind === 'scale'))
    return undefined;
  scaleOutput(x, node.gain!, node.bias!);
  return x;
}

function activated(node: Draft): Draft | undefined {
  const [x] = node.inputs;
  if (x.uses !== 1 || x.activation !== 'linear') return undefined;
  const { function: f, activation } = node;
  if (f === undefined) {
    if (!weighted.includes(x.kind) && x.kind !== 'add' && x.kind !== 'scale') return undefined;
    x.activation = activation;
    return x;
  }
  const masks = x.predictor !== undefined && !leavesZero(f);
  const free = x.function === undefined && x.residual === undefined;
  if (!weighted.includes(x.kind) || !free || masks) return undefined;
  x.function = f;
  return x;
}

/** A sum in which one addend is a linear convolution that nothing else reads: the convolution adds the other one. */
function added(node: Draft, earlier: Draft[]): Draft | undefined {
  const candidates = node.inputs.filter(
    (x) => x.kind === 'conv' && x.uses === 1 && isLinear(x) && x.residual === undefined,
  );
  const last = candidates.sort((a, b) => earlier.indexOf(b) - earlier.indexOf(a))[0];
  if (last === undefined) return undefined;
  last.residual = node.inputs[0] === last ? node.inputs[1] : node.inputs[0];
  return last;
}
