// Statistics of the inputs of linears, gathered by running batches through the model as it is.
#ifndef QATLAS_FRAMEWORK_TRAIN_CALIBRATE_H_
#define QATLAS_FRAMEWORK_TRAIN_CALIBRATE_H_

#include <cstdint>
#include <map>
#include <vector>

#include "ATen/ATen.h"
#include "framework/train/tokens.h"
#include "qatlas/model.h"
#include "qatlas/quantizer.h"

namespace qatlas::train {

// The batches that calibration sees: training sequences from the step at which quantizers are
// attached.
struct CalibrationData {
  SequenceSource source;
  int64_t first_sequence = 0;
  int64_t sequence_length = 0;
  int64_t batch_sequences = 1;
  at::Device device = at::kCPU;
};

// What both operands' quantizers of a linear need, taken together.
CalibrationNeeds Combine(const CalibrationNeeds& a, const CalibrationNeeds& b);

// Runs the model without gradients over as many tokens as the neediest linear asks for; each linear
// is observed for its own number of tokens (whole sequences, rounded up), in FP32. A linear that
// sees fewer rows than sequences have tokens (an expert) reports the rows it saw as `tokens`.
std::map<const QuantizableLinear*, CalibrationStatistics> Calibrate(
    Model& model, const std::map<QuantizableLinear*, CalibrationNeeds>& needs,
    const CalibrationData& data);

}  // namespace qatlas::train

#endif  // QATLAS_FRAMEWORK_TRAIN_CALIBRATE_H_
