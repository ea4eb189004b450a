// Problem::Create: checks a table against a form and lays the rows out for fitting.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <qatlas/check.h>

#include "framework/fit/categories.h"
#include "framework/fit/problem.h"
#include "framework/fit/rank.h"
#include "framework/observe/names.h"
#include "framework/observe/number.h"
#include "framework/observe/problems.h"

namespace qatlas::fit {

class ProblemBuilder {
 public:
  ProblemBuilder(Problem* problem, const observe::Table& table)
      : problem_(*problem), table_(table) {}

  absl::Status Build() {
    CheckNames();
    QATLAS_RETURN_IF_ERROR(problems_.ToStatus(Headline()));
    QATLAS_RETURN_IF_ERROR(ReadRows());
    QATLAS_RETURN_IF_ERROR(LayOut());
    QATLAS_RETURN_IF_ERROR(CheckCounts());
    return CheckConstantCovariates();
  }

 private:
  const LawSpec& spec() const { return problem_.form_->Spec(); }
  const ProblemOptions& options() const { return problem_.options_; }
  std::string Headline() const { return absl::StrCat("cannot fit '", problem_.name_, "'"); }

  std::vector<std::string> ParameterNames() const {
    std::vector<std::string> names;
    for (const LawParameter& parameter : spec().parameters) names.push_back(parameter.name);
    return names;
  }
  // "eff" of "eff[W4A4]".
  static std::string BaseName(const std::string& name) { return name.substr(0, name.find('[')); }

  void CheckNames() {
    const std::vector<std::string> names = ParameterNames();
    const auto check = [&](const std::string& name, const char* where) {
      if (spec().ParameterIndex(BaseName(name)) >= 0) return;
      problems_.Add(absl::StrCat(where, ": the form has no parameter '", name, "'",
                                 observe::Suggest(name, names)));
    };
    for (const auto& [name, value] : options().fixed) {
      check(name, "fixed");
      const int index = spec().ParameterIndex(BaseName(name));
      if (index < 0) continue;
      const LawParameter& parameter = spec().parameters[index];
      if (!(value >= parameter.lower && value <= parameter.upper) ||
          (parameter.log && value <= 0)) {
        problems_.Add(absl::StrCat("fixed: ", name, " = ", value, " lies outside ", parameter.lower,
                                   " to ", parameter.upper));
      }
    }
    for (const auto& [name, to] : options().tied) {
      check(name, "tied");
      check(to, "tied");
      if (options().tied.count(to) != 0) {
        problems_.Add(absl::StrCat("tied: '", name, "' is tied to '", to,
                                   "', which is itself tied; tie both to the same one"));
      }
      if (name == to) problems_.Add(absl::StrCat("tied: '", name, "' is tied to itself"));
    }
    for (const auto& [name, columns] : options().per) check(name, "per");
    if (options().loss.shape == Shape::kHuber && !(options().loss.delta > 0)) {
      problems_.Add("the threshold of Huber's loss must be above 0");
    }
    if (options().loss.shape == Shape::kStudentT && !(options().loss.nu > 0)) {
      problems_.Add("Student's t needs degrees of freedom above 0");
    }
    if (options().noise_exact && options().noise.empty()) {
      problems_.Add("noise can be known exactly only where a column gives its standard errors");
    }
    if (options().noise_exact && options().loss.shape == Shape::kStudentT) {
      problems_.Add(
          "Student's t estimates the scale of the noise; where it is known exactly, take "
          "least squares or Huber");
    }
  }

  const std::vector<std::string>& Per(const LawParameter& parameter) const {
    return PerColumns(options().per, parameter);
  }

  // Reads targets, weights and noise, applies the δ <= 0 policy, and leaves the rows to fit in
  // rows_.
  absl::Status ReadRows() {
    Problem& p = problem_;
    p.target_name_ = options().target.empty() ? spec().target : options().target;
    const std::vector<double>* weight = nullptr;
    const std::vector<double>* noise = nullptr;
    const auto target = table_.Numbers(p.target_name_);
    if (!target.ok()) problems_.Add(absl::StrCat("target: ", target.status().message()));
    const auto find = [&](const std::string& column,
                          const char* what) -> const std::vector<double>* {
      if (column.empty()) return nullptr;
      if (const auto numbers = table_.Numbers(column); !numbers.ok()) {
        problems_.Add(absl::StrCat(what, ": ", numbers.status().message()));
      }
      return table_.FindNumbers(column);
    };
    weight = find(options().weight, "weight");
    noise = find(options().noise, "noise");
    auto covariates = ReadCovariates(*p.form_, options().columns, table_);
    if (!covariates.ok()) problems_.Add(std::string(covariates.status().message()));
    QATLAS_RETURN_IF_ERROR(problems_.ToStatus(Headline()));

    p.loss_ = options().loss;
    std::vector<size_t> non_positive;
    for (size_t row = 0; row < table_.rows(); ++row)
      CheckRow(row, *target, weight, noise, &non_positive);
    QATLAS_RETURN_IF_ERROR(problems_.ToStatus(Headline()));
    std::vector<char> keep(table_.rows(), 1);
    if (p.loss_.space == Space::kLog && !non_positive.empty()) {
      if (options().non_positive == NonPositive::kLinear) {
        p.loss_.space = Space::kLinear;
      } else if (options().non_positive == NonPositive::kDrop) {
        for (size_t row : non_positive) keep[row] = 0;
        p.dropped_ = static_cast<int64_t>(non_positive.size());
      } else {
        return absl::InvalidArgumentError(absl::StrCat(
            Headline(), ": ", table_.Where(non_positive[0]), ": ", p.target_name_, " = ",
            observe::ShowNumber((*target)[non_positive[0]]), " has no logarithm, and ",
            non_positive.size(), " of ", table_.rows(),
            " rows are so; choose a loss without logarithm, or say drop or linear for them"));
      }
    }
    for (size_t row = 0; row < table_.rows(); ++row) {
      if (!keep[row]) continue;
      const double y = (*target)[row];
      rows_.push_back(row);
      p.target_.push_back(y);
      p.weight_.push_back(weight == nullptr ? 1.0 : (*weight)[row]);
      if (noise != nullptr) {
        p.noise_.push_back(p.loss_.space == Space::kLog ? (*noise)[row] / y : (*noise)[row]);
      }
    }
    covariates_ = *std::move(covariates);
    return absl::OkStatus();
  }

  void CheckRow(size_t row, absl::Span<const double> target, const std::vector<double>* weight,
                const std::vector<double>* noise, std::vector<size_t>* non_positive) {
    const double y = target[row];
    if (!std::isfinite(y)) {
      problems_.Add(absl::StrCat(table_.Where(row), ": ", problem_.target_name_,
                                 std::isnan(y) ? " is missing" : " is infinite",
                                 "; leave the row out"));
    } else if (spec().target == kTargetLoss && y < 0) {
      problems_.Add(absl::StrCat(table_.Where(row), ": ", problem_.target_name_, " = ", y,
                                 ": a loss is not negative"));
    } else if (y <= 0) {
      non_positive->push_back(row);
    }
    if (weight != nullptr && !((*weight)[row] >= 0 && std::isfinite((*weight)[row]))) {
      problems_.Add(absl::StrCat(table_.Where(row), ": ", options().weight,
                                 " must be a weight of 0 or more"));
    }
    if (noise != nullptr && !((*noise)[row] > 0 && std::isfinite((*noise)[row]))) {
      problems_.Add(
          absl::StrCat(table_.Where(row), ": ", options().noise,
                       " must be a standard error above 0; leave noise out of the fit, or "
                       "the row"));
    }
  }

  // Expands categories, orders the rows by block, numbers the free coordinates.
  absl::Status LayOut() {
    Problem& p = problem_;
    std::set<std::string> columns;
    for (const LawParameter& parameter : spec().parameters) {
      for (const std::string& column : Per(parameter)) columns.insert(column);
    }
    p.block_columns_.assign(columns.begin(), columns.end());
    QATLAS_ASSIGN_OR_RETURN(auto keys, CategoryKeys(table_, p.block_columns_, options().columns));
    const ParameterUse use(spec());
    use.BlankUnused(p.block_columns_, options().per, covariates_, &keys);
    for (size_t row : rows_) p.block_index_.emplace(keys[row], 0);
    int next = 0;
    for (auto& [key, index] : p.block_index_) index = next++;
    p.blocks_.resize(p.block_index_.size());
    for (Problem::Block& block : p.blocks_) {
      block.uses.assign(spec().parameters.size(), use.EveryRowUsesAll() ? 1 : 0);
    }
    for (size_t row : rows_) {
      if (use.EveryRowUsesAll()) break;
      std::vector<char>& uses = p.blocks_[p.block_index_.at(keys[row])].uses;
      for (size_t b = 0; b < uses.size(); ++b) {
        if (use.In(b, covariates_, row)) uses[b] = 1;
      }
    }
    for (const bool unused : {false, true}) {
      for (const auto& [key, index] : p.block_index_) {
        AddParameters(key, unused, &p.blocks_[index]);
      }
    }
    QATLAS_RETURN_IF_ERROR(NumberCoordinates());

    std::vector<size_t> order(rows_.size());
    std::iota(order.begin(), order.end(), 0);
    std::vector<int> block(rows_.size());
    for (size_t i = 0; i < rows_.size(); ++i) block[i] = p.block_index_.at(keys[rows_[i]]);
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return block[a] < block[b]; });
    for (std::vector<double>* column : {&p.target_, &p.weight_, &p.noise_}) {
      if (column->empty()) continue;
      std::vector<double> sorted;
      for (size_t i : order) sorted.push_back((*column)[i]);
      *column = std::move(sorted);
    }
    std::vector<std::vector<double>> columns_sorted(covariates_.size());
    for (size_t i : order) {
      p.rows_.push_back(rows_[i]);
      for (size_t c = 0; c < covariates_.size(); ++c) {
        columns_sorted[c].push_back(covariates_[c][rows_[i]]);
      }
    }
    p.points_ = LawPoints(std::move(columns_sorted));
    int64_t begin = 0;
    for (size_t b = 0; b < p.blocks_.size(); ++b) {
      const int64_t size = std::count(block.begin(), block.end(), static_cast<int>(b));
      p.blocks_[b].begin = begin;
      p.blocks_[b].end = begin += size;
    }
    p.direct_ =
        p.blocks_.size() == 1 && p.coordinates() == static_cast<int>(spec().parameters.size());
    for (int i = 0; p.direct_ && i < p.coordinates(); ++i) {
      p.direct_ = p.parameters_[i].coordinate == i;
    }
    return absl::OkStatus();
  }

  // Indices into parameters_ for one block, of the parameters that it uses or, with `unused`, of
  // the others; what other blocks share is found again.
  void AddParameters(const std::vector<std::string>& key, bool unused, Problem::Block* block) {
    Problem& p = problem_;
    block->parameters.resize(spec().parameters.size(), -1);
    for (size_t b = 0; b < spec().parameters.size(); ++b) {
      if ((block->uses[b] == 0) != unused) continue;
      const LawParameter& law = spec().parameters[b];
      const std::vector<std::string>& per = Per(law);
      std::vector<std::string> own;
      for (const std::string& column : per) {
        const auto at = std::find(p.block_columns_.begin(), p.block_columns_.end(), column);
        own.push_back(key[at - p.block_columns_.begin()]);
      }
      const std::string category = absl::StrJoin(own, ", ");
      // Where a block does not depend on a parameter, any value of it will do.
      const auto same =
          std::find_if(p.parameters_.begin(), p.parameters_.end(), [&](const auto& q) {
            return q.base == static_cast<int>(b) && (unused || q.category == category);
          });
      block->parameters[b] = static_cast<int>(same - p.parameters_.begin());
      if (same != p.parameters_.end()) continue;
      Parameter parameter;
      parameter.name =
          per.empty() || unused ? law.name : absl::StrCat(law.name, "[", category, "]");
      parameter.base = static_cast<int>(b);
      parameter.category = unused ? "" : category;
      parameter.lower = law.lower;
      parameter.upper = law.upper;
      parameter.log = law.log;
      parameter.linear = law.linear;
      parameter.unused = unused;
      parameter.coordinate = 0;
      if (unused) Fix(&parameter, law.starts[0]);
      for (const LawPin& pin : law.pins) {
        if (per.size() == 1 && pin.category == category && !unused) Fix(&parameter, pin.value);
      }
      for (const std::string& name : {law.name, parameter.name}) {
        const auto fixed = options().fixed.find(name);
        if (fixed == options().fixed.end()) continue;
        Fix(&parameter, fixed->second);
        parameter.unused = false;  // known all the same
      }
      p.parameters_.push_back(parameter);
    }
  }
  static void Fix(Parameter* parameter, double value) {
    parameter->coordinate = -1;
    parameter->value = value;
  }

  absl::Status NumberCoordinates() {
    Problem& p = problem_;
    const auto find = [&](const std::string& name) {
      return std::find_if(p.parameters_.begin(), p.parameters_.end(),
                          [&](const Parameter& q) { return q.name == name; });
    };
    const auto target_of = [&](const Parameter& parameter) {
      auto tie = options().tied.find(parameter.name);
      if (tie != options().tied.end()) return find(tie->second);
      tie = options().tied.find(spec().parameters[parameter.base].name);
      if (tie == options().tied.end()) return p.parameters_.end();
      // Tied as a whole: category by category.
      auto same = find(parameter.category.empty()
                           ? tie->second
                           : absl::StrCat(tie->second, "[", parameter.category, "]"));
      return same == p.parameters_.end() ? find(tie->second) : same;
    };
    for (size_t i = 0; i < p.parameters_.size(); ++i) {
      Parameter& parameter = p.parameters_[i];
      if (parameter.coordinate < 0 || target_of(parameter) != p.parameters_.end()) continue;
      parameter.coordinate = static_cast<int>(p.first_parameter_.size());
      p.first_parameter_.push_back(static_cast<int>(i));
    }
    for (Parameter& parameter : p.parameters_) {
      const auto other = target_of(parameter);
      if (other == p.parameters_.end()) {
        if (options().tied.count(parameter.name) != 0) {
          return absl::InvalidArgumentError(
              absl::StrCat(Headline(), ": '", parameter.name, "' is tied to '",
                           options().tied.at(parameter.name), "', which these rows do not have"));
        }
        continue;
      }
      if (other->unused && !parameter.unused) {
        return absl::InvalidArgumentError(
            absl::StrCat(Headline(), ": '", parameter.name, "' is tied to '", other->name,
                         "', which no row depends on; tie them the other way round"));
      }
      if (other->log != parameter.log) {
        return absl::InvalidArgumentError(
            absl::StrCat(Headline(), ": '", parameter.name, "' and '", other->name,
                         "' cannot be tied: one is searched as its logarithm"));
      }
      parameter.coordinate = other->coordinate;
      parameter.value = other->value;
      other->lower = std::max(other->lower, parameter.lower);
      other->upper = std::min(other->upper, parameter.upper);
      // Two tied linear parameters stay jointly linear; with a nonlinear one neither is.
      if (other->linear != parameter.linear) other->linear = parameter.linear = false;
    }
    return absl::OkStatus();
  }

  absl::Status CheckCounts() {
    const int64_t rows = problem_.rows();
    const int free = problem_.coordinates();
    if (rows == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(Headline(), ": no row has a usable ", problem_.target_name_));
    }
    if (rows < free) {
      return absl::InvalidArgumentError(absl::StrCat(
          Headline(), ": ", rows, " rows for ", free, " free parameters (",
          absl::StrJoin(FreeNames(), ", "), "); add runs, or fix parameters at published values"));
    }
    // With fewer rows a curve through as many points as there are parameters, and a scale that goes
    // to 0, has any likelihood one wants. FitResult::notes says that the loss is another.
    const double nu = problem_.loss_.nu;
    if (problem_.loss_.shape == Shape::kStudentT &&
        static_cast<double>(rows) * nu <= free * (nu + 1)) {
      problem_.loss_.shape = Shape::kSquare;
    }
    for (const auto& [name, value] : options().fixed) {
      const bool found = std::any_of(problem_.parameters_.begin(), problem_.parameters_.end(),
                                     [&, n = name](const auto& q) {
                                       return q.name == n || spec().parameters[q.base].name == n;
                                     });
      if (!found) {
        problems_.Add(absl::StrCat("fixed: these rows have no '", name,
                                   "'; there are: ", absl::StrJoin(FreeNames(), ", ")));
      }
    }
    return problems_.ToStatus(Headline());
  }
  std::vector<std::string> FreeNames() const {
    std::vector<std::string> names;
    for (int i = 0; i < problem_.coordinates(); ++i) names.push_back(problem_.coordinate(i).name);
    return names;
  }

  // A covariate that never varies is fine where no free parameter needs it to. Where one does, the
  // Jacobian is short of rank everywhere: two points tell.
  absl::Status CheckConstantCovariates() {
    std::vector<std::string> constant;
    const auto& columns = problem_.points_.columns();
    for (size_t c = 0; c < columns.size(); ++c) {
      const auto [low, high] = std::minmax_element(columns[c].begin(), columns[c].end());
      if (*low == *high) {
        constant.push_back(
            absl::StrCat(spec().covariates[c].name, " is ", observe::ShowNumber(*low)));
      }
    }
    if (constant.empty() || problem_.coordinates() < 2) return absl::OkStatus();
    std::vector<std::string> open;
    for (double where : {.5, .8}) {
      open = OpenParameters(problem_, where);
      if (open.empty()) return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(Headline(), ": ", absl::StrJoin(constant, " and "), " in every row, so ",
                     absl::StrJoin(open, " and "),
                     " cannot be told apart; add runs that differ there, or fix one of them"));
  }

  Problem& problem_;
  const observe::Table& table_;
  observe::Problems problems_;
  std::vector<size_t> rows_;
  std::vector<std::vector<double>> covariates_;  // by row of the table
};

absl::StatusOr<Problem> Problem::Create(std::shared_ptr<const LawForm> form, std::string name,
                                        const observe::Table& table,
                                        const ProblemOptions& options) {
  Problem problem;
  problem.form_ = std::move(form);
  problem.name_ = std::move(name);
  problem.options_ = options;
  QATLAS_RETURN_IF_ERROR(ProblemBuilder(&problem, table).Build());
  return problem;
}

}  // namespace qatlas::fit
