// Forward and backward of each operation: the fused adaptor ("Fused") next to ATen's composition
// ("Aten"). Bytes count what must move at least once: inputs, outputs and their gradients.
#include <benchmark/benchmark.h>
#include <qatlas/kernels/torch/attention.h>
#include <qatlas/kernels/torch/cross_entropy.h>
#include <qatlas/kernels/torch/fake_quantize.h>
#include <qatlas/kernels/torch/memory.h>
#include <qatlas/kernels/torch/rms_norm.h>
#include <qatlas/kernels/torch/rotary.h>
#include <qatlas/kernels/torch/swiglu.h>

#include <cstdlib>
#include <cstring>

namespace qatlas::kernels {
namespace {

constexpr std::int64_t kRows = 2048;

// Else both sides measure page faults; QATLAS_BENCH_MALLOC=default shows those.
[[maybe_unused]] const bool kKeepsMemory = [] {
  const char* wanted = std::getenv("QATLAS_BENCH_MALLOC");
  return wanted == nullptr || std::strcmp(wanted, "default") != 0 ? KeepFreedMemory() : false;
}();

at::Tensor Leaf(at::IntArrayRef sizes) {
  at::manual_seed(1);
  return at::randn(sizes, at::kFloat).requires_grad_(true);
}

// Runs f forward and backward. `elements`: floats that move at least once.
template <typename F>
void Run(benchmark::State& state, const at::Tensor& leaf, std::int64_t elements, const F& f) {
  at::Tensor grad;
  for (auto _ : state) {
    leaf.mutable_grad().reset();
    const at::Tensor out = f(leaf);
    if (!grad.defined()) grad = at::ones_like(out);
    out.backward(grad);
  }
  state.SetBytesProcessed(state.iterations() * elements * 4);
}

FakeQuantParams ParamsOf(ScaleIndex index) {
  FakeQuantParams p;
  p.group = 64;
  p.index = index;
  p.divisor = 8.0f;
  SetBits(4, false, p);
  return p;
}

// The usual unfused way.
at::Tensor Unfused(const at::Tensor& x, const at::Tensor& gamma) {
  const at::Tensor groups = x.reshape({kRows, -1, 64});
  at::Tensor s = (groups.abs().amax(-1, true) / 8).detach();
  if (gamma.defined()) s = s * gamma.unsqueeze(-1);
  const at::Tensor v = groups / s;
  const at::Tensor q = v + (v.round().clamp(-8, 7) - v).detach();
  return (q * s).view(x.sizes());
}

void FakeQuantFused(benchmark::State& state) {
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, state.range(0)}), 2 * n,
      [](const at::Tensor& x) { return FakeQuantizeAbsMax(x, ParamsOf(ScaleIndex::kRowGroup)); });
}
void FakeQuantAten(benchmark::State& state) {
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, state.range(0)}), 2 * n,
      [](const at::Tensor& x) { return Unfused(x, {}); });
}
void FakeQuantGammaFused(benchmark::State& state) {
  const at::Tensor gamma = at::ones({state.range(0) / 64}).requires_grad_(true);
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, state.range(0)}), 5 * n, [&](const at::Tensor& x) {
    return FakeQuantizeAbsMaxGamma(x, gamma, ParamsOf(ScaleIndex::kGroup));
  });
}
void FakeQuantGammaAten(benchmark::State& state) {
  const at::Tensor gamma = at::ones({state.range(0) / 64}).requires_grad_(true);
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, state.range(0)}), 5 * n,
      [&](const at::Tensor& x) { return Unfused(x, gamma); });
}

void RmsNormFused(benchmark::State& state) {
  const at::Tensor w = Leaf({state.range(0)});
  Run(state, Leaf({kRows, state.range(0)}), 5 * kRows * state.range(0),
      [&](const at::Tensor& x) { return RmsNorm(x, w, 1e-5); });
}
void RmsNormAten(benchmark::State& state) {
  const at::Tensor w = Leaf({state.range(0)});
  Run(state, Leaf({kRows, state.range(0)}), 5 * kRows * state.range(0),
      [&](const at::Tensor& x) { return at::rms_norm(x, {x.size(-1)}, w, 1e-5); });
}
// The sum goes on along the residual stream, so both results have gradients.
void AddRmsNormFused(benchmark::State& state) {
  const at::Tensor w = Leaf({state.range(0)});
  const at::Tensor other = Leaf({kRows, state.range(0)});
  Run(state, Leaf({kRows, state.range(0)}), 9 * kRows * state.range(0), [&](const at::Tensor& x) {
    auto [sum, y] = AddRmsNorm(x, other, w, 1e-5);
    return sum + y;
  });
}
void AddThenRmsNorm(benchmark::State& state) {
  const at::Tensor w = Leaf({state.range(0)});
  const at::Tensor other = Leaf({kRows, state.range(0)});
  Run(state, Leaf({kRows, state.range(0)}), 9 * kRows * state.range(0), [&](const at::Tensor& x) {
    const at::Tensor sum = x + other;
    return sum + RmsNorm(sum, w, 1e-5);
  });
}

void SwiGluFused(benchmark::State& state) {
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, 2 * state.range(0)}), 8 * n,
      [](const at::Tensor& x) { return SwiGlu(x); });
}
void SwiGluAten(benchmark::State& state) {
  const std::int64_t n = kRows * state.range(0);
  Run(state, Leaf({kRows, 2 * state.range(0)}), 8 * n, [](const at::Tensor& x) {
    const auto halves = x.chunk(2, -1);
    return at::silu(halves[0]) * halves[1];
  });
}

void CrossEntropyFused(benchmark::State& state) {
  const std::int64_t vocab = state.range(0);
  const at::Tensor targets = at::randint(vocab, {kRows}, at::kLong);
  Run(state, Leaf({kRows, vocab}), 2 * kRows * vocab,
      [&](const at::Tensor& x) { return CrossEntropy(x, targets); });
}
void CrossEntropyAten(benchmark::State& state) {
  const std::int64_t vocab = state.range(0);
  const at::Tensor targets = at::randint(vocab, {kRows}, at::kLong);
  Run(state, Leaf({kRows, vocab}), 2 * kRows * vocab,
      [&](const at::Tensor& x) { return at::cross_entropy_loss(x, targets); });
}
// As in a model: the logits belong to nobody else. The copy that makes them is in both figures.
void CrossEntropyOverwriting(benchmark::State& state) {
  const std::int64_t vocab = state.range(0);
  const at::Tensor targets = at::randint(vocab, {kRows}, at::kLong);
  Run(state, Leaf({kRows, vocab}), 4 * kRows * vocab,
      [&](const at::Tensor& x) { return CrossEntropy(x.clone(), targets, true); });
}

// 4 heads and 4 key/value heads of width cols / 4, 8 sequences of 256.
template <typename F>
void RunRotary(benchmark::State& state, const F& f) {
  const std::int64_t cols = state.range(0);
  const at::Tensor angle = Leaf({256, cols / 8}).detach();
  const at::Tensor cos = angle.cos(), sin = angle.sin();
  Run(state, Leaf({8, 256, 3 * cols}), 4 * 3 * kRows * cols, [&](const at::Tensor& x) {
    auto [q, k, v] = f(x, cos, sin);
    return q + k + v;
  });
}
void RotaryFused(benchmark::State& state) {
  RunRotary(state, [](const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    return ApplyRotary(x, cos, sin, 4, 4);
  });
}
void RotaryAten(benchmark::State& state) {
  RunRotary(state, [](const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    const auto parts = x.view({8, 256, 3, 4, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
    return std::make_tuple(internal::RotateComposed(parts[0], cos, sin),
                           internal::RotateComposed(parts[1], cos, sin), parts[2]);
  });
}

BENCHMARK(FakeQuantFused)->Arg(128)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(FakeQuantAten)->Arg(128)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(FakeQuantGammaFused)->Arg(128)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(FakeQuantGammaAten)->Arg(128)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(RmsNormFused)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(RmsNormAten)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(AddRmsNormFused)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(AddThenRmsNorm)->Arg(128)->Arg(256)->UseRealTime();
// Items are the FLOPs of seven products of a triangle: two forward, five backward.
template <typename F>
void RunAttention(benchmark::State& state, const F& f) {
  const std::int64_t batch = 8, seq = 256, head_dim = 32, heads = state.range(0) / head_dim;
  const at::Tensor leaf = Leaf({3, batch, seq, heads, head_dim});
  Run(state, leaf, 2 * leaf.numel(), [&](const at::Tensor& x) {
    return f(x[0].transpose(1, 2), x[1].transpose(1, 2), x[2].transpose(1, 2));
  });
  state.SetItemsProcessed(state.iterations() * 7 * batch * heads * seq * seq * head_dim);
}
void AttentionFused(benchmark::State& state) {
  RunAttention(state, [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return CausalAttention(q, k, v);
  });
}
void AttentionAten(benchmark::State& state) {
  RunAttention(state, [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return at::scaled_dot_product_attention(q, k, v, {}, 0.0, /*is_causal=*/true);
  });
}

BENCHMARK(AttentionFused)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(AttentionAten)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(RotaryFused)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(RotaryAten)->Arg(128)->Arg(256)->UseRealTime();
BENCHMARK(SwiGluFused)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(SwiGluAten)->Arg(384)->Arg(768)->UseRealTime();
BENCHMARK(CrossEntropyFused)->Arg(1024)->UseRealTime();
BENCHMARK(CrossEntropyAten)->Arg(1024)->UseRealTime();
BENCHMARK(CrossEntropyOverwriting)->Arg(1024)->UseRealTime();

}  // namespace
}  // namespace qatlas::kernels
