// onnxruntime-web, on one thread: the wasm build that pages get.

import * as ort from 'onnxruntime-web/wasm'
import { inputNumbers, inputSizes, onnxOf } from './onnx.mjs'

export function open() {
  ort.env.wasm.numThreads = 1
  return {
    load,
    async create(folder) {
      const network = await load(folder)
      return { run: network.run }
    },
  }
}

async function load(folder) {
  const { inputs, rows, numbers } = folder
  const session = await ort.InferenceSession.create(onnxOf(folder))
  const values = inputNumbers(inputs, rows, numbers)
  const [name] = session.outputNames
  const run = () => {
    const input = new ort.Tensor('float32', values, inputSizes(inputs, rows))
    return session.run({ input })
  }
  return { run, outputs: async () => (await run())[name].data }
}
