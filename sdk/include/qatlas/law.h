// Law forms: components that predict a target from covariates and parameters.
//
// The framework knows a form by its LawSpec and evaluates it in batches through LawForm. Authors
// rarely write a LawForm themselves: law_formula.h makes one of a formula written once, derives the
// Jacobian, and vectorizes both over the points.
#ifndef QATLAS_LAW_H_
#define QATLAS_LAW_H_

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "qatlas/abi.h"
#include "qatlas/vector_math.h"

namespace qatlas {

inline constexpr double kNoBound = std::numeric_limits<double>::infinity();  // none

// What laws predict. Forms for the same target can be compared.
inline constexpr char kTargetLoss[] = "loss";    // nats per token
inline constexpr char kTargetDelta[] = "delta";  // loss of a quantized run minus its pair's
inline constexpr char kTargetOptimalFraction[] = "optimal_fraction";  // D_qat / D_total, in (0, 1)

// A column of numbers that a form reads; names are those of the observations (N, D, G, weight_bits,
// ...).
struct LawCovariate {
  std::string name;     // unique within the form
  std::string meaning;  // one line
  std::string unit;     // "parameters", "tokens", ...; "" where it is a pure number
  double minimum =
      1.0;  // inclusive; a smaller value is refused. 0 where zero makes sense; never below
  double maximum = kNoBound;  // inclusive; a larger value is refused
  // What the form gets where a row has no value: kUnquantizedBits for the bits of an operand that
  // is not quantized. NaN: every row must have one. A table without the column has it nowhere.
  double missing = std::numeric_limits<double>::quiet_NaN();
  // Another covariate (one with `missing`) without which a row needs no value of this one: it then
  // gets `minimum`, whatever stands there. Empty: needed everywhere.
  std::string only_with = "";
};

// Bits of an operand that is not quantized: so many that exp(-bits/gamma) is 0.
inline constexpr double kUnquantizedBits = 1e6;

// The covariate that is 1 in rows of quantized models and 0 in those of full precision. The host
// reads it from the columns that say how a run was quantized where no column has this name.
inline constexpr char kQuantized[] = "quantized";
inline LawCovariate QuantizedCovariate() {
  return {kQuantized, "1 where the model is quantized, 0 in full precision", "", 0, 1, 0};
}

// A category at which a parameter is not searched but known: eff = 1 for the scheme "fp".
struct LawPin {
  std::string category;  // value of the column named in `per`; "" stands for a missing one
  double value;          // natural units
};

struct LawParameter {   // What a form declares of a parameter.
  std::string name;     // unique within the form
  std::string meaning;  // one line
  std::string unit;     // "" for a pure number
  // Bounds and start values in natural units. A form is finite everywhere between finite bounds.
  double lower = -kNoBound;
  double upper = kNoBound;     // inclusive
  std::vector<double> starts;  // at least one; multi-start takes the product over parameters
  // Whether the form is affine in it (with all other linear ones held or not: jointly affine). Such
  // parameters are solved in closed form and need no grid where the loss allows.
  bool linear = false;
  // Positive and searched as its logarithm; lower is then >= 0, and 0 stands for "no lower bound".
  bool log = false;
  // Columns of which every combination has its own value: one k per scheme, one curve per (D, G).
  // Columns may hold texts or numbers. Empty: one value for all rows.
  std::vector<std::string> per;
  std::vector<LawPin> pins;  // used when `per` has exactly one column
  // Covariate (one with `missing`) without which a row does not depend on this parameter. Where no
  // row has it the parameter is left out of the fit; rows without it take no part in `per`.
  std::string only_with = "";
};

// A figure that follows from published constants: printed in the source, or worked out from them by
// somebody else than the law's code. The conformance checks compare the law with it.
struct LawFigure {
  // Covariates by name; those left out have their `missing` value.
  std::vector<std::pair<std::string, double>> at;
  double value = 0;      // as it is printed, or a ratio (see `over`)
  double tolerance = 0;  // half a unit of the last digit given
  // Where it is not empty the figure is a ratio: the law at `at` divided by the law here.
  std::vector<std::pair<std::string, double>> over = {};
};

// Published constants.
struct LawPreset {
  std::string name;      // "hoffmann-2022"; unique within the form
  std::string citation;  // paper and table
  // Values by parameter, natural units. A preset may leave parameters out where nothing was
  // published.
  std::vector<std::pair<std::string, double>> values;
  bool verified = true;                 // false: taken from a summary, not read in the source
  std::string note;                     // what N counts, which precision, which part of the model
  std::vector<LawFigure> figures = {};  // none: nothing was published to compare with

  // NaN where the preset has no value.
  double Value(absl::string_view parameter) const {
    for (const auto& [key, value] : values) {
      if (key == parameter) return value;
    }
    return std::numeric_limits<double>::quiet_NaN();
  }
};

struct LawSpec {                         // All that a host knows of a form.
  std::string target;                    // kTargetLoss, kTargetDelta, ...; a column
  std::string formula;                   // for people: "E + A/N^alpha + B/D^beta"
  std::vector<LawCovariate> covariates;  // in the order of batches
  std::vector<LawParameter> parameters;  // in the order of theta
  std::vector<LawPreset> presets;        // published constants

  // -1 where there is none.
  int ParameterIndex(absl::string_view name) const {
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (parameters[i].name == name) return static_cast<int>(i);
    }
    return -1;
  }
  int CovariateIndex(absl::string_view name) const {
    for (size_t i = 0; i < covariates.size(); ++i) {
      if (covariates[i].name == name) return static_cast<int>(i);
    }
    return -1;
  }
  const LawPreset* FindPreset(absl::string_view name) const {
    for (const LawPreset& preset : presets) {
      if (preset.name == name) return &preset;
    }
    return nullptr;
  }
};

// The logarithm that batches carry for a covariate of 0: finite, so that 0 times it is 0 and x^0
// is 1.
inline constexpr double kLogOfZero = -1e300;

// Points in structure-of-arrays order. Nothing need be aligned or padded.
struct LawBatch {
  int64_t size = 0;                       // points
  const double* const* values = nullptr;  // [covariates][size], in the order of the spec
  // [covariates][size]: natural logarithms of the values, kLogOfZero for 0. They are the same for
  // every evaluation, so whoever holds the points computes them once (LawPoints does).
  const double* const* logs = nullptr;
};

// A law form. Stateless and thread-safe.
class LawForm {
 public:
  static constexpr int kKind = QATLAS_KIND_LAW;  // of the descriptor
  using Base = LawForm;                          // what factories return
  virtual ~LawForm() = default;

  virtual const LawSpec& Spec() const = 0;  // the same at every call

  // values: [batch.size]. jacobian: nullptr, or [parameters][stride] with stride >= batch.size,
  // holding the derivative of each value by each parameter in natural units. theta: [parameters],
  // natural units. Finite for finite theta within the bounds and covariates within theirs; overflow
  // may give infinity.
  virtual void Evaluate(const LawBatch& batch, const double* theta, double* values,
                        double* jacobian, int64_t stride) const = 0;
};

// Owns points and their logarithms. Columns are given in the order of the form's covariates.
class LawPoints {
 public:
  LawPoints() = default;
  explicit LawPoints(std::vector<std::vector<double>> columns) : values_(std::move(columns)) {
    logs_.reserve(values_.size());
    for (const std::vector<double>& column : values_) {
      std::vector<double>& logs = logs_.emplace_back(column.size());
      for (size_t i = 0; i < column.size(); ++i) logs[i] = LogOf(column[i]);
    }
    for (size_t i = 0; i < values_.size(); ++i) {
      value_pointers_.push_back(values_[i].data());
      log_pointers_.push_back(logs_[i].data());
    }
  }
  // Pointers into the columns would dangle in a copy.
  LawPoints(const LawPoints& other) : LawPoints(other.values_) {}  // a deep copy
  LawPoints& operator=(const LawPoints& other) { return *this = LawPoints(other); }
  LawPoints(LawPoints&&) = default;
  LawPoints& operator=(LawPoints&&) = default;

  int64_t size() const { return values_.empty() ? 0 : static_cast<int64_t>(values_[0].size()); }
  const std::vector<std::vector<double>>& columns() const { return values_; }  // [covariates][size]
  LawBatch Batch() const { return {size(), value_pointers_.data(), log_pointers_.data()}; }  // all
  // The natural logarithm; kLogOfZero for 0.
  static double LogOf(double value) { return value == 0.0 ? kLogOfZero : vector_math::Log(value); }

 private:
  std::vector<std::vector<double>> values_;
  std::vector<std::vector<double>> logs_;
  std::vector<const double*> value_pointers_;
  std::vector<const double*> log_pointers_;
};

}  // namespace qatlas

#endif  // QATLAS_LAW_H_
