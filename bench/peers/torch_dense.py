"""Times dense convolutions and networks with PyTorch and cuDNN on the GPU.

python3 torch_dense.py shapes.json results.json: reads the shapes that `npm run bench -- device` writes. Channels last,
cudnn.benchmark, with and without TF32; each forward pass eager and as a CUDA graph, gradients as CUDA graphs. Networks
have their batch norms folded and the faster of plain and fused launches; `host` is one graph from pinned memory of the
host and back, by the host's clock.
"""

import json
import statistics
import sys
import time

try:
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval
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


def milliseconds_on_host(run):
    """The median of single runs that wait for their end."""
    for _ in range(3):
        run()
    times = []
    end = time.perf_counter() + ROUNDS * ROUND_SECONDS
    while len(times) < ROUNDS or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


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
        "host": None,
    }


class Convolution(torch.nn.Module):
    """With its batch norm folded in, and all that follows it; cuDNN does it in one launch where `fused` is set."""

    fused = False

    def __init__(self, c_in, c_out, kernel, stride, relu=True, groups=1):
        super().__init__()
        conv = torch.nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.conv = fuse_conv_bn_eval(conv.eval(), torch.nn.BatchNorm2d(c_out).eval())
        self.relu = relu

    def forward(self, x, residual=None):
        conv = self.conv
        if Convolution.fused and self.relu:
            geometry = (conv.stride, conv.padding, conv.dilation, conv.groups)
            if residual is None:
                return torch.cudnn_convolution_relu(x, conv.weight, conv.bias, *geometry)
            return torch.cudnn_convolution_add_relu(x, conv.weight, residual, 1.0, conv.bias, *geometry)
        y = conv(x)
        if residual is not None:
            y.add_(residual)
        return y.relu_() if self.relu else y


class Block(torch.nn.Module):
    """ResNet's basic block."""

    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.first = Convolution(c_in, c_out, 3, stride)
        self.second = Convolution(c_out, c_out, 3, 1)
        projects = stride > 1 or c_in != c_out
        self.shortcut = Convolution(c_in, c_out, 1, stride, relu=False) if projects else torch.nn.Identity()

    def forward(self, x):
        return self.second(self.first(x), self.shortcut(x))


def build(network):
    channels = network["input"][2]
    parts = []
    for step in network["steps"]:
        kind = step["type"]
        if kind == "conv":
            parts.append(Convolution(channels, step["cOut"], step["kernel"], step["stride"]))
            channels = step["cOut"]
        elif kind == "depthwise":
            parts.append(Convolution(channels, channels, 3, step["stride"], groups=channels))
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
    images = torch.randn(batch, c, h, w).to(memory_format=LAST).pin_memory()
    x = images.cuda()
    logits = torch.empty(batch, network["steps"][-1]["units"]).pin_memory()

    def forward():
        return model(x)

    def from_host_and_back():
        x.copy_(images, non_blocking=True)
        logits.copy_(model(x), non_blocking=True)

    def times():
        replay = graphed(from_host_and_back)

        def run():
            replay()
            torch.cuda.synchronize()

        return {
            "eager": milliseconds(forward),
            "graph": milliseconds(graphed(forward)),
            "host": milliseconds_on_host(run),
        }

    each = [times(), *times_fused(forward, times)]
    return {"dx": None, "dFilter": None, **{key: min(one[key] for one in each) for key in each[0]}}


def times_fused(forward, times):
    """The same with fused launches; nothing where cuDNN has none for this network."""
    expected = forward().clone()
    Convolution.fused = True
    try:
        torch.testing.assert_close(forward(), expected, rtol=1e-2, atol=1e-2)
        return [times()]
    except (RuntimeError, AssertionError) as error:
        print(f"no fused launches: {error}", file=sys.stderr)
        return []
    finally:
        Convolution.fused = False


def main(shapes_path, results_path):
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU")
    with open(shapes_path, encoding="utf-8") as file:
        shapes = json.load(file)
    timed = [(item, time_layer) for item in shapes["layers"] if is_symmetric(item)]
    timed += [(item, time_network) for item in shapes["networks"]]
    torch.backends.cudnn.benchmark = True
    rows = []
    try:
        time_all(timed, rows)
    finally:  # an interrupted run leaves what it has
        write(results_path, rows)


def time_all(timed, rows):
    for precision in ("fp32", "tf32"):
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        for item, time_one in timed:
            for batch in item["batches"]:
                times = time_one(item, batch)
                rows.append({"name": item["name"], "batch": batch, "precision": precision, **times})
                print(f"torch {precision} {item['name']}, batch {batch}", file=sys.stderr)


def write(results_path, rows):
    versions = f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    with open(results_path, "w", encoding="utf-8") as file:
        json.dump({"versions": versions, "gpu": torch.cuda.get_device_name(), "rows": rows}, file, indent=2)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with torch.inference_mode():
        main(sys.argv[1], sys.argv[2])
