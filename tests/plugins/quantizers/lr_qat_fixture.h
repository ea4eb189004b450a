// What the tests of `lr-qat` share.
#ifndef QATLAS_TESTS_PLUGINS_QUANTIZERS_LR_QAT_FIXTURE_H_
#define QATLAS_TESTS_PLUGINS_QUANTIZERS_LR_QAT_FIXTURE_H_

#include <map>
#include <memory>
#include <string>

#include "plugins/quantizers/lr-qat/linear.h"
#include "plugins/quantizers/lr-qat/lr_qat.h"
#include "tests/plugins/quantizers/quantizer_fixture.h"

namespace qatlas::testing {

inline Options LrQatDefaults() {
  OptionTable table;
  table.values = {{"bits", int64_t{4}},
                  {"granularity", std::string("channel")},
                  {"group", int64_t{128}},
                  {"short_last_group", false},
                  {"frozen", std::string("fixed")},
                  {"rank", int64_t{4}},
                  {"alpha", 8.0},
                  {"range", std::string("absmax")},
                  {"divisor", std::string("symmetric")},
                  {"a_lr", 1e-3},
                  {"b_lr", 1e-3},
                  {"scale_lr", 1e-5}};
  return Options(table);
}

using OptionValues = std::map<std::string, OptionValue>;

inline std::unique_ptr<LinearOperator> AttachLrQat(const OptionValues& options,
                                                   const AttachContext& context) {
  auto quantizer = Make<lr_qat::LrQatQuantizer>(With(LrQatDefaults(), options));
  auto attached = quantizer->AttachLinear(context, /*owns_input=*/false);
  EXPECT_TRUE(attached.ok()) << attached.status();
  return *std::move(attached);
}

inline std::unique_ptr<LinearOperator> AttachLrQat(const OptionValues& options,
                                                   const at::Tensor& weight) {
  AttachContext context = Context(weight);
  context.seed = 7;
  return AttachLrQat(options, context);
}

inline at::Tensor ParameterOf(LinearOperator& op, const std::string& name) {
  for (const NamedParameter& parameter : op.Parameters()) {
    if (parameter.name == name) return parameter.tensor;
  }
  ADD_FAILURE() << "no parameter " << name;
  return {};
}

inline at::Tensor BufferOf(LinearOperator& op, const std::string& name) {
  for (const NamedTensor& buffer : op.Buffers()) {
    if (buffer.name == name) return buffer.tensor;
  }
  ADD_FAILURE() << "no buffer " << name;
  return {};
}

// Moves the trained tensors away from where they start, so that codes change.
inline void Disturb(LinearOperator& op) {
  const at::NoGradGuard no_grad;
  at::Tensor a = ParameterOf(op, "adapter.a");
  at::Tensor b = ParameterOf(op, "adapter.b");
  at::Tensor s = ParameterOf(op, "scale.value");
  a.copy_(Values(a.sizes(), 11));
  b.copy_(Values(b.sizes(), 12));
  s.mul_(1 + 0.2 * Values(s.sizes(), 13).clamp(-1, 1));
}

struct LrQatGeometry {
  int64_t rows, features;
  std::string granularity;
  int64_t group;
  bool is_short;
  OptionValues Values() const {
    return {{"granularity", granularity}, {"group", group}, {"short_last_group", is_short}};
  }
};

// The second and third have more than one block of rows, the third an odd number of features.
inline const std::vector<LrQatGeometry>& LrQatGeometries() {
  static const std::vector<LrQatGeometry> geometries = {
      {8, 40, "group", 8, false}, {700, 160, "channel", 128, false}, {600, 131, "group", 32, true}};
  return geometries;
}

}  // namespace qatlas::testing

#endif  // QATLAS_TESTS_PLUGINS_QUANTIZERS_LR_QAT_FIXTURE_H_
