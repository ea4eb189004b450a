// What every model builder writes for its linears and parameters.
//
//   blocks_.push_back({MakeLinear(context, i, "fc1", 4 * width, width, .02, /*bias=*/true), ...});
//   ...
//   AddParameter("embedding.weight", embedding_, &parameters);
//   AddLinears(Linears(), &parameters);
#ifndef QATLAS_LAYERS_H_
#define QATLAS_LAYERS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "qatlas/init.h"
#include "qatlas/linear.h"
#include "qatlas/model.h"
#include "qatlas/site.h"
#include "qatlas/tensors.h"

namespace qatlas {

// A linear [out, in] whose weight is drawn from N(0, std²) under its name ("3.fc2.weight"), at once
// or, with BuildContext::put_off_weights, when it is asked for; with a bias of zeros, or none.
inline std::unique_ptr<QuantizableLinear> MakeLinear(const BuildContext& context, int64_t block,
                                                     const std::string& role, int64_t out_features,
                                                     int64_t in_features, double std,
                                                     bool bias = false, int expert = -1) {
  const int index = static_cast<int>(block);
  const std::string site = Site{index, role, kInput, expert}.Name();  // "3.fc2.input"
  const std::string name = site.substr(0, site.size() - sizeof(kInput)) + ".weight";
  auto make = [name, out_features, in_features, std, seed = context.seed, device = context.device] {
    return NormalParameter(seed, name, {out_features, in_features}, std, device);
  };
  auto linear = std::make_unique<QuantizableLinear>(
      index, role, out_features, in_features, make,
      bias ? ConstantParameter(0, {out_features}, context.device) : at::Tensor(), expert);
  if (!context.put_off_weights) linear->MakeWeight();
  return linear;
}

// Lists a parameter; nothing where the tensor is undefined (a weight that an operator freed or that
// was put off, a bias or a head that the model does not have). Matrices decay; vectors (gains,
// biases) do not.
inline void AddParameter(std::string name, const at::Tensor& tensor,
                         std::vector<NamedParameter>* parameters) {
  if (!tensor.defined()) return;
  NamedParameter parameter;
  parameter.name = std::move(name);
  parameter.tensor = tensor;
  parameter.weight_decay = tensor.dim() > 1;
  parameters->push_back(std::move(parameter));
}

// Lists the weights and biases of linears as "<linear name>.weight" and ".bias".
inline void AddLinears(const std::vector<QuantizableLinear*>& linears,
                       std::vector<NamedParameter>* parameters) {
  for (const QuantizableLinear* linear : linears) {
    AddParameter(linear->Name() + ".weight", linear->weight(), parameters);
    AddParameter(linear->Name() + ".bias", linear->bias(), parameters);
  }
}

}  // namespace qatlas

#endif  // QATLAS_LAYERS_H_
