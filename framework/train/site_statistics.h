// What the tensors at the sites look like: moments, outliers, and the noise that quantization adds.
#ifndef QATLAS_FRAMEWORK_TRAIN_SITE_STATISTICS_H_
#define QATLAS_FRAMEWORK_TRAIN_SITE_STATISTICS_H_

#include <optional>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "framework/data/batches.h"
#include "nlohmann/json.hpp"
#include "qatlas/model.h"
#include "qatlas/site.h"

namespace qatlas::train {

struct SiteStatistics {
  Site site;
  int64_t elements = 0;      // that were measured
  double kurtosis = 0;       // E[(x - mean)^4] / variance^2; 3 for a normal distribution
  double max_to_median = 0;  // max |x| / median |x|
  double max_abs = 0;
  double rms = 0;
  // 10 log10(sum x^2 / sum (x - quantized x)^2); absent in full precision, where the quantizer owns
  // the linear and its weight has no master, and where quantization is exact.
  std::optional<double> snr_db;
};

// Statistics of x (any float dtype); `quantized` of the same shape, or undefined.
SiteStatistics Measure(const Site& site, const at::Tensor& x, const at::Tensor& quantized);

// All sites, in order of execution, weight before input. Inputs are those of the first validation
// sequences, about 4,096 tokens in one forward pass; of a linear that is called several times,
// those of the first call. The input of a linear that is not reached is left out.
std::vector<SiteStatistics> MeasureSites(Model& model, const data::ValidationSet& validation,
                                         at::Device device);

nlohmann::ordered_json ToJson(const std::vector<SiteStatistics>& sites);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_SITE_STATISTICS_H_
