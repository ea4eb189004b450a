"""Plain PyTorch doing the work that qatlas-train does: the baseline of the speed figures.

The same Llama-style model, batch, precision, thread count, optimizer and clipping, written the usual way:
torch.nn modules, unfused fake quantization with a straight-through estimator by detach, torch.optim.AdamW
(fused). Prints one JSON line a measurement.

usage: pytorch_baseline.py [--compile] [--scheme fp|w4a4] [--size s|m] [--threads 2] [--steps 30]
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F

SIZES = {
    # name: layers, width, ffn, heads, kv_heads
    "s": (4, 128, 384, 4, 4),  # 0.8M parameters in the blocks' linears
    "m": (6, 256, 768, 8, 8),  # 5.1M
}


def fake_quantize(x, group, bits=4):
    """AbsMax per group of `group` elements along the last dimension, straight-through."""
    shape = x.shape
    v = x.reshape(-1, group)
    scale = v.abs().amax(dim=1, keepdim=True) / 2 ** (bits - 1)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    q = torch.clamp(torch.round(v / scale), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1) * scale
    return (v + (q - v).detach()).reshape(shape)


class Linear(torch.nn.Linear):
    group = 64
    weight_bits = 0  # 0: full precision
    input_bits = 0

    def forward(self, x):
        weight = self.weight
        if self.weight_bits:
            weight = fake_quantize(weight, self.group, self.weight_bits)
        if self.input_bits:
            x = fake_quantize(x, self.group, self.input_bits)
        return F.linear(x, weight)


class Block(torch.nn.Module):
    def __init__(self, width, ffn, heads, kv_heads):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.norm1 = torch.nn.RMSNorm(width, eps=1e-5)
        self.norm2 = torch.nn.RMSNorm(width, eps=1e-5)
        self.qkv = Linear(width, (heads + 2 * kv_heads) * self.head, bias=False)
        self.o = Linear(width, width, bias=False)
        self.fc1 = Linear(width, 2 * ffn, bias=False)
        self.fc2 = Linear(ffn, width, bias=False)

    def forward(self, x, cos, sin):
        batch, time_, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).split(
            [self.heads * self.head, self.kv_heads * self.head, self.kv_heads * self.head], dim=-1)
        q = rotate(q.view(batch, time_, self.heads, self.head).transpose(1, 2), cos, sin)
        k = rotate(k.view(batch, time_, self.kv_heads, self.head).transpose(1, 2), cos, sin)
        v = v.view(batch, time_, self.kv_heads, self.head).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True,
                                           enable_gqa=self.heads != self.kv_heads)
        x = x + self.o(y.transpose(1, 2).reshape(batch, time_, width))
        gate, up = self.fc1(self.norm2(x)).chunk(2, dim=-1)
        return x + self.fc2(F.silu(gate) * up)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


class Llama(torch.nn.Module):
    def __init__(self, layers, width, ffn, heads, kv_heads, vocabulary=1024, sequence=256):
        super().__init__()
        self.embedding = torch.nn.Embedding(vocabulary, width)
        self.blocks = torch.nn.ModuleList(
            Block(width, ffn, heads, kv_heads) for _ in range(layers))
        self.norm = torch.nn.RMSNorm(width, eps=1e-5)
        self.head = torch.nn.Linear(width, vocabulary, bias=False)
        angles = torch.outer(torch.arange(sequence).float(),
                             10000 ** (-torch.arange(0, width // heads, 2).float() / (width // heads)))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())
        for parameter in self.parameters():
            if parameter.dim() > 1:
                torch.nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens, targets):
        x = self.embedding(tokens)
        cos, sin = self.cos[: tokens.shape[1]], self.sin[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, cos, sin)
        logits = self.head(self.norm(x))
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def quantize(self, weight_bits, input_bits, group=64, fc2_input_bits=None, roles=None):
        """Sets bits (0: full precision) of all linears, or of those of some roles."""
        for block in self.blocks:
            for role in ("qkv", "o", "fc1", "fc2"):
                linear = getattr(block, role)
                here = roles is None or role in roles
                linear.group = group
                linear.weight_bits = weight_bits if here else 0
                linear.input_bits = input_bits if here else 0
                if role == "fc2" and here and fc2_input_bits is not None:
                    linear.input_bits = fc2_input_bits


def make_step(model, compile_):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1,
                                  fused=True)
    forward = torch.compile(model) if compile_ else model

    def step(tokens, targets):
        loss = forward(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--scheme", choices=["fp", "w4a4"], default="fp")
    parser.add_argument("--size", choices=SIZES, default="s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--sequence", type=int, default=256)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    model = Llama(*SIZES[arguments.size], sequence=arguments.sequence)
    if arguments.scheme == "w4a4":
        model.quantize(4, 4, 64)
    step = make_step(model, arguments.compile)
    generator = torch.Generator().manual_seed(1)

    def batch():
        ids = torch.randint(0, 1024, (arguments.batch, arguments.sequence + 1), generator=generator)
        return ids[:, :-1].contiguous(), ids[:, 1:].contiguous()

    for _ in range(5):
        step(*batch())
    times = []
    for _ in range(arguments.steps):
        tokens, targets = batch()
        begin = time.perf_counter()
        step(tokens, targets)
        times.append(time.perf_counter() - begin)
    median = statistics.median(times)
    print(json.dumps({
        "program": "pytorch-compiled" if arguments.compile else "pytorch-eager",
        "size": arguments.size,
        "scheme": arguments.scheme,
        "threads": arguments.threads,
        "block_linears": sum(m.weight.numel() for m in model.modules() if isinstance(m, Linear)),
        "ms_per_step": 1e3 * median,
        "tokens_per_second": arguments.batch * arguments.sequence / median,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }))


if __name__ == "__main__":
    main()
