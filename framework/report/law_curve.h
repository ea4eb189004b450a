// Fitted laws as curves and surfaces through the runs they were fitted to.
#ifndef QATLAS_FRAMEWORK_REPORT_LAW_CURVE_H_
#define QATLAS_FRAMEWORK_REPORT_LAW_CURVE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "framework/fit/fit.h"
#include "framework/observe/table.h"
#include "nlohmann/json.hpp"

namespace qatlas::report {

// A fit with the table that it was made on.
struct FittedLaw {
  const fit::FitResult* fit = nullptr;
  const observe::Table* table = nullptr;
  std::string name;
};

// Whether the fit used a row with these bits (missing or 16: not quantized). A curve for bits that
// a law was not fitted to would claim what nobody checked.
bool FittedTo(const FittedLaw& law, double weight_bits, double input_bits);

// Whether the law may be drawn against this column: it reads the column itself, or, unless
// `must_read`, does not know it at all and is flat there.
bool CanVary(const FittedLaw& law, const std::string& column, bool must_read);

struct Curve {
  std::vector<double> x, y;
  std::vector<double> low, high;  // 95% interval of the curve; empty where the fit has none
};

// The law along `column` from low to high (0 < low < high), everything else as in the given row of
// `table`. nullopt where it cannot be evaluated there: a category without runs of its own (one
// value for each D and G, say).
std::optional<Curve> CurveAlong(const FittedLaw& law, const observe::Table& table, size_t row,
                                const std::string& column, double low, double high);

// The law over N and D, both logarithmic, everything else as in the given row: [sizes][budgets].
std::optional<std::vector<std::vector<double>>> SurfaceOver(const FittedLaw& law,
                                                            const observe::Table& table, size_t row,
                                                            const std::vector<double>& sizes,
                                                            const std::vector<double>& budgets);

// Plotly's name of the dashes of the i-th law of a figure, and what to call them in a sentence.
const char* LawDash(size_t i);
const char* LawDashWord(size_t i);

// Line and band of a curve as traces.
std::vector<nlohmann::json> CurveTraces(const Curve& curve, size_t series,
                                        const char* dash = "dot");

}  // namespace qatlas::report

#endif  // QATLAS_FRAMEWORK_REPORT_LAW_CURVE_H_
