export type { ModelOptions } from './parts.js';
export { vgg16Bn, vggSmall, type VggSmallOptions, type VggWidths } from './vgg.js';
export { resnet, type ResnetOptions } from './resnet.js';
export { mobilenetV1, type MobilenetV1Options } from './mobilenet.js';
