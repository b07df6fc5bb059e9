// The four rows of exclusive or: 2 inputs, 1 target, each 0 or 1.

export const XOR = {
  inputs: [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ],
  targets: [[0], [1], [1], [0]],
}
