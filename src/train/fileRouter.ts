/** Makes `model.save('file://folder')` and `tf.loadLayersModel('file://folder/model.json')` work in Node. */
import * as tf from '@tensorflow/tfjs';
import { folderLoader, folderSaver } from './modelIo.js';

const scheme = 'file://';
let registered = false;

/** Called once when the package is imported; calling it again does nothing. */
export function registerFileRouter(): void {
  if (registered) return;
  registered = true;
  tf.io.registerSaveRouter(route(folderSaver));
  tf.io.registerLoadRouter(route(folderLoader));
}

function route(
  handler: (path: string) => tf.io.IOHandler,
): (url: string | string[]) => tf.io.IOHandler {
  // tfjs types routers as never returning null, but null is how they decline.
  const decline = null as unknown as tf.io.IOHandler;
  return (url) => {
    if (typeof url !== 'string' || !url.startsWith(scheme)) return decline;
    // tfjs-node, whenever it is loaded, brings its own router, and tfjs refuses two for one address.
    if (tf.findBackendFactory('tensorflow') !== null) return decline;
    return handler(url.slice(scheme.length));
  };
}
