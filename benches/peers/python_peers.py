"""numpy and PyTorch as contestants: `python_peers.py numpy|torch`.

Speaks the lines described in benches/neural/contestant.mjs, with the same files and the same
estimate. Both run on one thread; whoever starts this sets the variables for numpy's BLAS.
"""

import json
import os
import sys
import time

import numpy as np

WARM_UP_S = 0.1
SAMPLE_S = 1e-3
WARM_NETWORKS = 8
BATCH = 32
LEARNING_RATE = 1e-3


class Cannot(Exception):
    """What an engine does not do, which is not a failure."""


class Folder:
    """The files of a network; layouts as in benches/neural/networks.mjs."""

    def __init__(self, path):
        self.path = path
        with open(os.path.join(path, "network.json"), encoding="utf-8") as file:
            about = json.load(file)
        self.layers, self.shape = about["layers"], about["inputs"]
        self.rows, self.count = about["rows"], about["count"]
        self.weights = self.numbers_of("weights.f32")
        self.numbers = self.numbers_of("inputs.f32").reshape([-1, *self.shape])

    def numbers_of(self, name, kind="<f4"):
        return np.fromfile(os.path.join(self.path, name), dtype=kind)

    def part(self, name):
        labels = self.numbers_of(f"{name}.u32", "<u4").astype(np.int64)
        return self.numbers_of(f"{name}.f32").reshape([len(labels), *self.shape]), labels

    def parameters(self):
        """Each layer with its kernel and bias, of all networks of the folder."""
        own = self.weights.reshape(self.count, -1)
        at, found = 0, []
        for layer in self.layers:
            kernel = bias = None
            if "kernel" in layer:
                size, units = int(np.prod(layer["kernel"])), layer["kernel"][-1]
                kernel = own[:, at : at + size].reshape(self.count, *layer["kernel"])
                bias = own[:, at + size : at + size + units]
                at += size + units
            found.append((layer, kernel, bias))
        return found


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": sigmoid,
    "softmax": softmax,
}


class Numpy:
    """Written by hand, as one would."""

    def __init__(self, folder):
        self.folder = folder
        if any(layer["type"] == "conv2d" for layer in folder.layers):
            raise Cannot("it has no convolution")
        self.restart(1)

    def restart(self, seed):
        self.random = np.random.default_rng(seed)
        own = slice(None) if self.folder.count > 1 else 0
        self.layers = [
            (layer, kernel[own].copy(), bias[own].copy())
            for layer, kernel, bias in self.folder.parameters()
        ]
        arrays = [array for layer in self.layers for array in layer[1:]]
        self.moments = [(np.zeros_like(array), np.zeros_like(array)) for array in arrays]
        self.step = 0

    def run(self):
        if self.folder.count == 1:
            return self.forward(self.folder.numbers)[-1]
        x = self.folder.numbers[:, None, :]
        for layer, kernel, bias in self.layers:
            x = ACTIVATIONS[layer["activation"]](x @ kernel + bias[:, None, :])
        return x

    def forward(self, x):
        values = [x]
        for layer, kernel, bias in self.layers:
            x = self.lstm(x, kernel, bias) if layer["type"] == "lstm" else x @ kernel + bias
            x = ACTIVATIONS[layer.get("activation", "linear")](x)
            values.append(x)
        return values

    @staticmethod
    def lstm(x, kernel, bias):
        rows, steps, features = x.shape
        units = len(bias) // 4
        hidden, cell = np.zeros((2, rows, units), np.float32)
        for step in range(steps):
            gates = x[:, step] @ kernel[:features] + hidden @ kernel[features:] + bias
            i, f, g, o = np.split(gates, 4, axis=1)
            cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
            hidden = sigmoid(o) * np.tanh(cell)
        return hidden

    def epoch(self):
        inputs, labels = self.folder.part("training") if self.step == 0 else self.data
        self.data = inputs, labels
        targets = np.eye(10, dtype=np.float32)[labels]
        order = self.random.permutation(len(labels))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            self.learn(inputs[rows], targets[rows])

    def learn(self, x, targets):
        values = self.forward(x)
        delta = (values[-1] - targets) / len(x)
        gradients = []
        for at in range(len(self.layers) - 1, -1, -1):
            gradients[:0] = [values[at].T @ delta, delta.sum(axis=0)]
            if at > 0:
                delta = (delta @ self.layers[at][1].T) * (values[at] > 0)
        self.adam([array for layer in self.layers for array in layer[1:]], gradients)

    def adam(self, arrays, gradients):
        self.step += 1
        rate = LEARNING_RATE * np.sqrt(1 - 0.999**self.step) / (1 - 0.9**self.step)
        for array, gradient, (first, second) in zip(arrays, gradients, self.moments):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            array -= np.float32(rate) * first / (np.sqrt(second) + np.float32(1e-8))

    def accuracy(self):
        inputs, labels = self.folder.part("test")
        return float((self.forward(inputs)[-1].argmax(axis=1) == labels).mean())


class Torch:
    """Modules in eager mode; the fused Adam, which is its fastest."""

    def __init__(self, folder):
        import torch

        torch.set_num_threads(1)
        if folder.count > 1:
            raise Cannot("here it gets one network")
        self.torch, self.folder, self.data = torch, folder, None
        x = np.moveaxis(folder.numbers, 3, 1) if len(folder.shape) == 3 else folder.numbers
        self.inputs = torch.from_numpy(np.ascontiguousarray(x))
        self.restart(1)

    def restart(self, seed):
        torch = self.torch
        torch.manual_seed(seed)
        modules, shape = [], self.folder.shape
        for layer, kernel, bias in self.folder.parameters():
            made, shape = self.module(layer, kernel, bias, shape)
            modules += made
        self.model = torch.nn.Sequential(*modules)
        # The loss takes what is before the softmax.
        trained = [m for m in modules if not isinstance(m, torch.nn.Softmax)]
        self.logits = torch.nn.Sequential(*trained)
        self.optimiser = None

    def module(self, layer, kernel, bias, shape):
        torch, nn = self.torch, self.torch.nn
        if layer["type"] == "flatten":
            return [ChannelsLast(torch)()], [int(np.prod(shape))]
        if layer["type"] == "max-pool2d":
            window = layer["window"]
            return [nn.MaxPool2d(window)], [shape[0] // window, shape[1] // window, shape[2]]
        kernel, bias = torch.from_numpy(kernel[0].copy()), torch.from_numpy(bias[0].copy())
        if layer["type"] == "lstm":
            return [LastState(torch)(kernel, bias, layer["units"])], [layer["units"]]
        if layer["type"] == "conv2d":
            down, across, channels, filters = layer["kernel"]
            module = nn.Conv2d(channels, filters, (down, across))
            kernel = kernel.permute(3, 2, 0, 1).contiguous()
            shape = [shape[0] - down + 1, shape[1] - across + 1, filters]
        else:
            module, shape = nn.Linear(*layer["kernel"]), layer["kernel"][1:]
            kernel = kernel.T.contiguous()
        module.weight, module.bias = nn.Parameter(kernel), nn.Parameter(bias)
        name = layer["activation"]
        after = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=1)}
        return [module] + ([after[name]()] if name in after else []), shape

    def run(self):
        with self.torch.inference_mode():
            return self.model(self.inputs).numpy()

    def epoch(self):
        torch = self.torch
        if self.optimiser is None:
            self.optimiser = torch.optim.Adam(self.model.parameters(), LEARNING_RATE, fused=True)
            self.data = [self.tensors("training"), self.tensors("test")]
        inputs, labels = self.data[0]
        order = torch.randperm(len(labels))
        for first in range(0, len(order), BATCH):
            rows = order[first : first + BATCH]
            self.optimiser.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(self.logits(inputs[rows]), labels[rows]).backward()
            self.optimiser.step()

    def tensors(self, name):
        inputs, labels = self.folder.part(name)
        if inputs.ndim == 4:
            inputs = np.ascontiguousarray(np.moveaxis(inputs, 3, 1))
        return self.torch.from_numpy(inputs), self.torch.from_numpy(labels)

    def accuracy(self):
        inputs, labels = self.data[1]
        with self.torch.inference_mode():
            return float((self.logits(inputs).argmax(dim=1) == labels).float().mean())


def ChannelsLast(torch):
    """A module that flattens images in our order, which is not PyTorch's."""

    class Module(torch.nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 3, 1).flatten(1)

    return Module


def LastState(torch):
    """A module that gives the last state of an LSTM."""

    class Module(torch.nn.Module):
        def __init__(self, kernel, bias, units):
            super().__init__()
            features = len(kernel) - units
            self.lstm = torch.nn.LSTM(features, units, batch_first=True)
            with torch.no_grad():
                self.lstm.weight_ih_l0.copy_(kernel[:features].T)
                self.lstm.weight_hh_l0.copy_(kernel[features:].T)
                self.lstm.bias_ih_l0.copy_(bias)
                self.lstm.bias_hh_l0.zero_()

        def forward(self, x):
            return self.lstm(x)[1][0][0]

    return Module


def sample(call, times):
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    wall = time.perf_counter() - wall
    return (time.process_time() - cpu) / times, wall / times, wall


def measure(call, window_s):
    """As in contestant.mjs: the 10th percentile of processor time, or the shortest on the clock."""
    warm = time.perf_counter() + WARM_UP_S
    call()
    while time.perf_counter() < warm:
        call()
    times = 1
    while sample(call, times)[2] < SAMPLE_S:
        times *= 2
    samples, end = [sample(call, times)], time.perf_counter() + window_s
    while time.perf_counter() < end:
        samples.append(sample(call, times))
    cpu = sorted(one[0] for one in samples)
    return 1e6 * min(cpu[len(cpu) // 10], min(one[1] for one in samples))


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Contestant:
    def __init__(self, engine):
        self.engine, self.network = engine, None

    def prepare(self, path):
        self.network = self.engine(Folder(path))
        np.ascontiguousarray(self.network.run(), "<f4").tofile(os.path.join(path, "outputs.f32"))
        return ""

    def measure(self, what, window_ms):
        if what == "epoch":
            self.network.restart(1)
        return measure(getattr(self.network, what), float(window_ms) / 1000)

    def accuracy(self, seed, epochs):
        self.network.restart(int(seed))
        for _ in range(int(epochs)):
            self.network.epoch()
        return self.network.accuracy()

    def idle(self, path, count):
        folder = Folder(path)
        networks = [self.engine(folder) for _ in range(WARM_NETWORKS)]
        for network in networks:
            network.run()
        before, cpu = resident(), time.process_time()
        added = [self.engine(folder) for _ in range(int(count))]
        each = (time.process_time() - cpu) / int(count)
        for network in added:
            network.run()
        return f"{(resident() - before) / int(count)} {each * 1e6}"


def main():
    # The line is ours: what an engine prints goes elsewhere.
    replies, sys.stdout = sys.stdout, sys.stderr
    contestant = Contestant({"numpy": Numpy, "torch": Torch}[sys.argv[1]])
    for line in sys.stdin:
        command, *words = line.split()
        try:
            reply = f"ok {getattr(contestant, command)(*words)}"
        except Cannot as cannot:
            reply = f"no {cannot}"
        except Exception as error:  # Whatever it is, the row shall say it.
            reply = f"error {type(error).__name__}: {error}".replace("\n", " ")
        print(reply, file=replies, flush=True)


if __name__ == "__main__":
    main()
