// How long a segment will take: from earlier ones of the same model, or from a stated default.
#ifndef QATLAS_FRAMEWORK_RUNS_ESTIMATE_H_
#define QATLAS_FRAMEWORK_RUNS_ESTIMATE_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "framework/runs/describe.h"
#include "framework/runs/store.h"

namespace qatlas::runs {

// What a worker is assumed to reach where nothing was measured: FLOP/s of training.
inline constexpr double kDefaultCpuFlopsPerThread = 40e9;
inline constexpr double kDefaultGpuFlops = 50e12;
// Forking, loading plugins and data, and writing the results.
inline constexpr double kSecondsPerWorker = .3;

class Estimator {
 public:
  // Reads machine.json and spec.json of the store's finished segments; those that cannot be read
  // are passed over.
  static absl::StatusOr<Estimator> Create(const Store& store,
                                          const std::vector<SegmentRecord>& records);

  // Wall-clock seconds of a worker on this segment, evaluation included (a third of training's cost
  // a token). 0 when neither a measurement nor FLOPs are known.
  double Seconds(const recipe::SegmentSpec& spec, const Description& description);

  // What the estimates so far were taken from: sentences.
  std::vector<std::string> Notes() const;

 private:
  std::map<std::string, std::vector<double>> rates_;  // tokens/s by key
  int64_t measured_ = 0;                              // segments estimated from a measurement
  int64_t borrowed_ = 0;  // from the same model, quantized for unquantized or the reverse
  int64_t assumed_ = 0;   // from the default
};

}  // namespace qatlas::runs

#endif  // QATLAS_FRAMEWORK_RUNS_ESTIMATE_H_
