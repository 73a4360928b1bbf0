/** What a model's classes are called: noted in the model, so that it travels with the saved files. */
import type * as tf from '@tensorflow/tfjs';

const key = 'classes';

/** Notes the names in the model's metadata; other metadata stays. */
export function noteClasses(model: tf.LayersModel, names: readonly string[]): void {
  model.setUserDefinedMetadata({ ...model.getUserDefinedMetadata(), [key]: [...names] });
}

/** What `noteClasses` noted; undefined for other models. */
export function classesOf(model: tf.LayersModel): string[] | undefined {
  const names = (model.getUserDefinedMetadata() as Record<string, unknown> | undefined)?.[key];
  const areNames = Array.isArray(names) && names.every((name) => typeof name === 'string');
  return areNames ? names : undefined;
}
