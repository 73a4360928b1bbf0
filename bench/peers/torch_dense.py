"""Times dense convolutions and networks with PyTorch and cuDNN on the GPU.

python3 torch_dense.py shapes.json results.json: reads the shapes that `npm run bench -- device` writes. Channels last,
cudnn.benchmark, with and without TF32; each forward pass eager and as a CUDA graph, gradients as CUDA graphs.
"""

import json
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    sys.exit(f"PyTorch is missing: {error}")

ROUNDS = 11
ROUND_SECONDS = 0.005
MOST_LAUNCHES = 1024
LAST = torch.channels_last


def milliseconds(launch):
    """The median over rounds of many launches each, measured from events on the GPU."""
    launch()
    torch.cuda.synchronize()
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            launch()
        torch.cuda.synchronize()
        elapsed = time.perf_counter() - start
        if elapsed >= ROUND_SECONDS / 4 or count >= MOST_LAUNCHES:
            break
        count *= 2
    count = max(1, min(MOST_LAUNCHES, round(count * ROUND_SECONDS / elapsed)))
    rounds = []
    for _ in range(ROUNDS):
        start = torch.cuda.Event(enable_timing=True)
        end = torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(count):
            launch()
        end.record()
        end.synchronize()
        rounds.append(start.elapsed_time(end) / count)
    return statistics.median(rounds)


def graphed(launch):
    """The same work as one CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):  # cudnn.benchmark chooses before the capture
            launch()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        launch()
    return graph.replay


def is_symmetric(layer):
    """Whether padding is the same on both sides, as far as the output reaches: PyTorch has no other."""
    for size, kernel, stride, dilation, pad, out in (
        ("h", "kh", "strideH", "dilationH", "padTop", "outH"),
        ("w", "kw", "strideW", "dilationW", "padLeft", "outW"),
    ):
        reach = layer[dilation] * (layer[kernel] - 1) + 1
        if (layer[size] + 2 * layer[pad] - reach) // layer[stride] + 1 != layer[out]:
            return False
    return True


def time_layer(layer, batch):
    x = torch.randn(batch, layer["cIn"], layer["h"], layer["w"], device="cuda").to(memory_format=LAST)
    weight = torch.randn(layer["cOut"], layer["cIn"], layer["kh"], layer["kw"], device="cuda")
    weight = weight.to(memory_format=LAST)
    stride = [layer["strideH"], layer["strideW"]]
    padding = [layer["padTop"], layer["padLeft"]]
    dilation = [layer["dilationH"], layer["dilationW"]]

    def forward():
        return torch.conv2d(x, weight, None, stride, padding, dilation)

    dy = torch.randn_like(forward())

    def backward(mask):
        return lambda: torch.ops.aten.convolution_backward(
            dy, x, weight, None, stride, padding, dilation, False, [0, 0], 1, mask
        )

    return {
        "eager": milliseconds(forward),
        "graph": milliseconds(graphed(forward)),
        "dx": milliseconds(graphed(backward([True, False, False]))),
        "dFilter": milliseconds(graphed(backward([False, True, False]))),
    }


class Block(torch.nn.Module):
    """ResNet's basic block."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.inner = torch.nn.Sequential(
            *convolution(c_in, c_out, 3, stride), torch.nn.ReLU(inplace=True), *convolution(c_out, c_out, 3, 1)
        )
        projects = stride > 1 or c_in != c_out
        self.shortcut = torch.nn.Sequential(*convolution(c_in, c_out, 1, stride)) if projects else torch.nn.Identity()

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.inner(x))


def convolution(c_in, c_out, kernel, stride):
    return [
        torch.nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        torch.nn.BatchNorm2d(c_out),
    ]


def build(network):
    channels = network["input"][2]
    parts = []
    for step in network["steps"]:
        kind = step["type"]
        if kind == "conv":
            parts += convolution(channels, step["cOut"], step["kernel"], step["stride"])
            parts.append(torch.nn.ReLU(inplace=True))
            channels = step["cOut"]
        elif kind == "pool":
            parts.append(torch.nn.MaxPool2d(step["size"], step["stride"], (step["size"] - 1) // 2))
        elif kind == "block":
            parts.append(Block(channels, step["cOut"], step["stride"]))
            channels = step["cOut"]
        elif kind == "average":
            parts += [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()]
        elif kind == "dense":
            parts.append(torch.nn.Linear(channels, step["units"]))
        else:
            sys.exit(f"unknown step {kind}")
    return torch.nn.Sequential(*parts).cuda().eval().to(memory_format=LAST)


def time_network(network, batch):
    model = build(network)
    h, w, c = network["input"]
    x = torch.randn(batch, c, h, w, device="cuda").to(memory_format=LAST)

    def forward():
        return model(x)

    return {
        "eager": milliseconds(forward),
        "graph": milliseconds(graphed(forward)),
        "dx": None,
        "dFilter": None,
    }


def main(shapes_path, results_path):
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU")
    with open(shapes_path, encoding="utf-8") as file:
        shapes = json.load(file)
    timed = [(item, time_layer) for item in shapes["layers"] if is_symmetric(item)]
    timed += [(item, time_network) for item in shapes["networks"]]
    torch.backends.cudnn.benchmark = True
    rows = []
    for precision in ("fp32", "tf32"):
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        for item, time_one in timed:
            for batch in item["batches"]:
                times = time_one(item, batch)
                rows.append({"name": item["name"], "batch": batch, "precision": precision, **times})
                print(f"torch {precision} {item['name']}, batch {batch}", file=sys.stderr)
    versions = f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    with open(results_path, "w", encoding="utf-8") as file:
        json.dump({"versions": versions, "gpu": torch.cuda.get_device_name(), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with torch.inference_mode():
        main(sys.argv[1], sys.argv[2])
