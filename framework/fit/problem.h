// A fitting problem: a law form, the rows to fit it to, and which parameters are free.
#ifndef QATLAS_FRAMEWORK_FIT_PROBLEM_H_
#define QATLAS_FRAMEWORK_FIT_PROBLEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/types/span.h>
#include <qatlas/law.h>

#include "framework/fit/loss.h"
#include "framework/observe/table.h"

namespace qatlas::fit {

struct ProblemOptions {  // How a form is posed.
  std::string target;    // column; empty: the form's target
  std::string weight;    // column of weights >= 0 of the objective's terms; empty: 1
  // Column of standard errors of the target (delta_se, loss_se). A residual is divided by it (in
  // log space by se/y). Rows without one, or with 0, are refused. Empty: not used.
  std::string noise;
  // The standard errors are the whole noise, exactly: intervals do not rescale them by how the
  // residuals scatter. False: they are right up to a common factor, which the residuals give.
  bool noise_exact = false;
  std::map<std::string, std::string> columns;  // covariate or category -> column of another name
  // Held at a value, natural units: "alpha", or "eff[W4A4]" for one category.
  std::map<std::string, double> fixed;
  std::map<std::string, std::string> tied;  // parameter -> the one whose value it takes
  // Overrides which columns give a parameter one value per category; {} makes it one for all.
  std::map<std::string, std::vector<std::string>> per;
  Loss loss;                                        // minimized
  NonPositive non_positive = NonPositive::kRefuse;  // policy
};

// One parameter after categories are expanded.
struct Parameter {
  std::string name;      // "alpha", "k[W4A4]", "k[10000000000, 32]"
  int base = 0;          // index in the form's spec
  std::string category;  // "" where there is one value for all rows
  double lower, upper;   // natural units
  bool log = false;      // searched as its logarithm
  bool linear = false;   // as in the spec
  double value = 0;      // where it is fixed
  // No row depends on it (LawParameter::only_with): its value means nothing, and rows that would
  // need it cannot be predicted.
  bool unused = false;
  int coordinate = -1;  // index among the free ones; -1: fixed. Tied parameters share a coordinate
};

// Immutable once created; thread-safe. Rows are kept sorted by category; row(i) maps back.
class Problem {
 public:
  // form: shared, since results keep it. name: the component's ("qat-unified"), for messages.
  // Refuses, all problems at once: missing columns; targets that are NaN or infinite; losses below
  // 0; covariates that are missing or out of the form's domain; fewer rows than free parameters; a
  // covariate that is the same in all rows although free parameters need it to vary; a fixed value
  // out of bounds; unknown names (with the nearest). Rows whose target is missing (an empty cell)
  // are an error too: filter the table before.
  static absl::StatusOr<Problem> Create(std::shared_ptr<const LawForm> form, std::string name,
                                        const observe::Table& table, const ProblemOptions& options);

  const LawForm& form() const { return *form_; }                               // fitted
  const std::shared_ptr<const LawForm>& shared_form() const { return form_; }  // the same
  const std::string& form_name() const { return name_; }                       // in results
  const ProblemOptions& options() const { return options_; }                   // as posed
  const Loss& loss() const { return loss_; }  // after the δ <= 0 policy
  const std::vector<Parameter>& parameters() const { return parameters_; }       // expanded
  int coordinates() const { return static_cast<int>(first_parameter_.size()); }  // free ones
  // The parameter that stands for a free coordinate (the first of those tied to it).
  const Parameter& coordinate(int i) const { return parameters_[first_parameter_[i]]; }

  int64_t rows() const { return static_cast<int64_t>(target_.size()); }  // of points
  size_t row(int64_t i) const { return rows_[i]; }                       // row of the table given
  int64_t dropped() const { return dropped_; }                           // by NonPositive::kDrop
  const std::string& target_name() const { return target_name_; }        // column
  absl::Span<const double> target() const { return target_; }            // [rows]
  absl::Span<const double> weight() const { return weight_; }            // [rows]
  // Standard errors in the residual's units, or empty.
  absl::Span<const double> noise() const { return noise_; }
  const LawPoints& points() const { return points_; }

  // The same with other targets or weights, [rows()] in the problem's order (bootstraps, folds).
  // Targets of a logarithmic loss must be > 0.
  Problem WithTarget(std::vector<double> target) const;
  Problem WithWeight(std::vector<double> weight) const;
  // The same under a loss of the same space (densities that are fitted in its place).
  Problem WithLoss(const Loss& loss) const;
  // The rows of the problem that `keep` marks, [rows()]; parameters stay as they are, so a category
  // may be left without rows.
  Problem Subset(absl::Span<const char> keep) const;

  // Natural values of all parameters(), from free coordinates (logarithms where log), and back.
  std::vector<double> Values(absl::Span<const double> coordinates) const;
  std::vector<double> Coordinates(absl::Span<const double> values) const;
  double LowerCoordinate(int i) const;
  double UpperCoordinate(int i) const;

  // Prediction of every row, [rows()], at natural values of all parameters(); jacobian (nullptr or
  // [coordinates()][stride], stride >= rows()) by the free parameters in natural units. Scratch
  // grows as needed.
  void Evaluate(absl::Span<const double> values, double* prediction, double* jacobian,
                int64_t stride, std::vector<double>* scratch) const {
    EvaluateRows(values, 0, rows(), prediction, jacobian, stride, scratch);
  }
  // The same of rows begin to end alone: prediction [end - begin], stride >= end - begin.
  void EvaluateRows(absl::Span<const double> values, int64_t begin, int64_t end, double* prediction,
                    double* jacobian, int64_t stride, std::vector<double>* scratch) const;

  // For each row of another table: the index of its block, or an error that names a category (or a
  // covariate that may be missing) that the fit has not seen. Used by predictions.
  absl::StatusOr<std::vector<int>> Blocks(const observe::Table& table) const;
  // Index into parameters() of each of the form's parameters in a block.
  absl::Span<const int> BlockParameters(int block) const { return blocks_[block].parameters; }
  int blocks() const { return static_cast<int>(blocks_.size()); }

 private:
  // Whether a block's parameter stands there for want of any row that depends on it.
  bool Unused(int block, size_t parameter) const {
    return parameters_[blocks_[block].parameters[parameter]].unused;
  }
  struct Block {
    int64_t begin, end;
    std::vector<int> parameters;
    std::vector<char> uses;  // by the form's parameters: whether a row of the block depends on it
  };
  friend class ProblemBuilder;

  std::shared_ptr<const LawForm> form_;
  std::string name_;
  ProblemOptions options_;
  Loss loss_;
  std::string target_name_;
  std::vector<Parameter> parameters_;
  std::vector<int> first_parameter_;
  std::vector<Block> blocks_;
  // Category text of each column that parameters are split by -> how blocks are keyed.
  std::vector<std::string> block_columns_;
  std::map<std::vector<std::string>, int> block_index_;
  LawPoints points_;
  std::vector<double> target_, weight_, noise_;
  std::vector<size_t> rows_;
  int64_t dropped_ = 0;
  bool direct_ = false;  // one block whose parameters are the coordinates, in order
};

// The form's covariates of a table, [covariates][rows], looked up through `columns`; values that
// may be missing are filled as LawCovariate says, and kQuantized is read by observe::QuantizedRows
// where no column has that name. All problems at once: missing columns, missing values, values out
// of the form's domain.
absl::StatusOr<std::vector<std::vector<double>>> ReadCovariates(
    const LawForm& form, const std::map<std::string, std::string>& columns,
    const observe::Table& table);

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PROBLEM_H_
