// Fake quantization on one thread, per instruction set, next to copying the same memory.
#include <benchmark/benchmark.h>
#include <qatlas/kernels/element.h>
#include <qatlas/kernels/fake_quant.h>
#include <qatlas/kernels/isa.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace qatlas::kernels {
namespace {

constexpr std::int64_t kRows = 2048;

FakeQuantParams ParamsOf(std::int64_t cols, std::int64_t group) {
  FakeQuantParams p;
  p.rows = kRows;
  p.cols = cols;
  p.group = group;
  p.divisor = 8.0f;
  SetBits(4, false, p);
  return p;
}

template <typename T>
std::vector<T> Data(std::int64_t cols) {
  std::vector<T> x(static_cast<std::size_t>(kRows * cols));
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = element::FromFloat<T>(std::sin(static_cast<float>(i) * 0.7f));
  }
  return x;
}

void SetBytes(benchmark::State& state, std::int64_t bytes) {
  state.SetBytesProcessed(state.iterations() * bytes);
}

void Copy(benchmark::State& state) {
  const auto x = Data<float>(state.range(0));
  auto out = x;
  for (auto _ : state) {
    std::memcpy(out.data(), x.data(), x.size() * sizeof(float));
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  SetBytes(state, static_cast<std::int64_t>(2 * x.size() * sizeof(float)));
}

template <typename T>
void AbsMax(benchmark::State& state, const char* isa) {
  if (!SetIsaForTesting(isa)) return state.SkipWithError("not on this processor");
  const FakeQuantParams p = ParamsOf(state.range(0), state.range(1));
  const auto x = Data<T>(p.cols);
  auto out = x;
  for (auto _ : state) {
    FakeQuantAbsMax(p, {0, kRows}, x.data(), nullptr, out.data());
    benchmark::ClobberMemory();
  }
  SetBytes(state, static_cast<std::int64_t>(2 * x.size() * sizeof(T)));
}

void AbsMaxFloat(benchmark::State& state, const char* isa) { AbsMax<float>(state, isa); }
void AbsMaxBf16(benchmark::State& state, const char* isa) { AbsMax<Bf16>(state, isa); }

void Encode(benchmark::State& state, const char* isa) {
  if (!SetIsaForTesting(isa)) return state.SkipWithError("not on this processor");
  const FakeQuantParams p = ParamsOf(state.range(0), state.range(1));
  const auto x = Data<float>(p.cols);
  std::vector<std::int8_t> codes(x.size());
  std::vector<float> scales(static_cast<std::size_t>(kRows * p.groups()));
  for (auto _ : state) {
    EncodeAbsMax(p, {0, kRows}, x.data(), nullptr, codes.data(), scales.data());
    benchmark::ClobberMemory();
  }
  SetBytes(state, static_cast<std::int64_t>(5 * x.size()));
}

void GammaBackward(benchmark::State& state, const char* isa) {
  if (!SetIsaForTesting(isa)) return state.SkipWithError("not on this processor");
  const FakeQuantParams p = ParamsOf(state.range(0), state.range(1));
  const auto x = Data<float>(p.cols);
  const auto grad = Data<float>(p.cols);
  auto grad_x = x;
  const std::vector<float> gamma(static_cast<std::size_t>(kRows * p.groups()), 0.9f);
  std::vector<float> grad_gamma(gamma.size());
  for (auto _ : state) {
    FakeQuantAbsMaxBackward(p, {0, kRows}, x.data(), gamma.data(), grad.data(), grad_x.data(),
                            grad_gamma.data());
    benchmark::ClobberMemory();
  }
  SetBytes(state, static_cast<std::int64_t>(3 * x.size() * sizeof(float)));
}

// Columns, group.
void Shapes(benchmark::internal::Benchmark* b) {
  for (const std::int64_t cols : {128, 384, 768}) {
    b->Args({cols, 32});
    b->Args({cols, 128});
    b->Args({cols, cols});
  }
}

BENCHMARK(Copy)->Arg(128)->Arg(384)->Arg(768)->Arg(8192);
BENCHMARK_CAPTURE(AbsMaxFloat, avx512, "avx512")->Apply(Shapes)->Args({8192, 64});
BENCHMARK_CAPTURE(AbsMaxFloat, avx2, "avx2")->Apply(Shapes)->Args({8192, 64});
BENCHMARK_CAPTURE(AbsMaxFloat, portable, "portable")->Apply(Shapes);
BENCHMARK_CAPTURE(AbsMaxBf16, avx512, "avx512")->Apply(Shapes);
BENCHMARK_CAPTURE(AbsMaxBf16, avx2, "avx2")->Apply(Shapes);
BENCHMARK_CAPTURE(Encode, avx512, "avx512")->Apply(Shapes);
BENCHMARK_CAPTURE(Encode, avx2, "avx2")->Apply(Shapes);
BENCHMARK_CAPTURE(GammaBackward, avx512, "avx512")->Apply(Shapes);
BENCHMARK_CAPTURE(GammaBackward, avx2, "avx2")->Apply(Shapes);

}  // namespace
}  // namespace qatlas::kernels
