#include "framework/forms/formula_guess.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "framework/forms/formula_graph.h"
#include "framework/forms/formula_program.h"

namespace qatlas::forms {
namespace {

using Kind = FormulaNode::Kind;

// Names that are factors of a product, quotient or power.
void Factors(const FormulaNode& node, std::set<std::string>* names) {
  if (node.kind == Kind::kSymbol) names->insert(node.symbol);
  if (node.kind == Kind::kMultiply || node.kind == Kind::kDivide || node.kind == Kind::kSqrt) {
    for (const FormulaNode& operand : node.operands) Factors(operand, names);
  }
  if (node.kind == Kind::kPower) Factors(node.operands[0], names);
}

// Names that must be above 0.
void NeedPositive(const FormulaNode& node, std::set<std::string>* names) {
  if (node.kind == Kind::kLog || node.kind == Kind::kLog2) Factors(node.operands[0], names);
  if (node.kind == Kind::kDivide) Factors(node.operands[1], names);
  if (node.kind == Kind::kPower &&
      !(node.operands[1].kind == Kind::kNumber && node.operands[1].number >= 0)) {
    Factors(node.operands[0], names);
  }
  for (const FormulaNode& operand : node.operands) NeedPositive(operand, names);
}

enum class Role { kLinear, kExponent, kScale };

struct Guess {
  Role role = Role::kScale;
  bool guarded = false;  // exponent of a base that may be 0
  bool positive = false;
};

class Guesser {
 public:
  Guesser(const FormulaText& text, const std::vector<std::string>& names,
          const FormulaOptions& options, LawSpec* spec)
      : text_(text),
        names_(names),
        options_(options),
        spec_(*spec),
        graph_(Minimum(), std::vector<bool>(names.size(), false)),
        guesses_(names.size()) {
    for (const LawCovariate& covariate : spec_.covariates) covariates_.push_back(covariate.name);
  }

  absl::Status Run(std::vector<std::string>* assumptions) {
    auto root = BuildFormula(text_, covariates_, names_, &graph_);
    if (!root.ok()) return root.status();
    root_ = *root;
    derivatives_ = graph_.Derivatives(root_, Count());
    for (int p = 0; p < Count(); ++p) {
      if (derivatives_[p] == graph_.Constant(0)) {
        return FormulaError(text_.text, text_.Position(names_[p]),
                            absl::StrCat("the formula does not depend on '", names_[p], "'"));
      }
    }
    FindExponents(text_.root);
    FindLinear();
    FindSigns();
    for (int p = 0; p < Count(); ++p) spec_.parameters.push_back(Parameter(p));
    PlaceScales();
    Tell(assumptions);
    return absl::OkStatus();
  }

 private:
  int Count() const { return static_cast<int>(names_.size()); }
  std::vector<double> Minimum() const {
    std::vector<double> minimum;
    for (const LawCovariate& covariate : spec_.covariates) minimum.push_back(covariate.minimum);
    return minimum;
  }
  bool DependsOn(int node, int p) const { return (graph_.node(node).parameters >> p & 1) != 0; }

  void MarkExponents(const FormulaNode& node, bool guarded) {
    if (node.kind == Kind::kSymbol) {
      for (int p = 0; p < Count(); ++p) {
        if (names_[p] != node.symbol) continue;
        guesses_[p].role = Role::kExponent;
        guesses_[p].guarded = guesses_[p].guarded || guarded;
      }
    }
    for (const FormulaNode& operand : node.operands) MarkExponents(operand, guarded);
  }
  void FindExponents(const FormulaNode& node) {
    if (node.kind == Kind::kPower) {
      FormulaText base = text_;
      base.root = node.operands[0];
      const auto id = BuildFormula(base, covariates_, names_, &graph_);
      if (id.ok() && !graph_.node(*id).scalar) {
        MarkExponents(node.operands[1], !Positive(*id));
      }
    }
    for (const FormulaNode& operand : node.operands) FindExponents(operand);
  }
  // Whether a base stays above 0 where parameters, which are not known to be positive yet, do.
  bool Positive(int id) const {
    return graph_.node(id).positive || graph_.node(id).parameters != 0;
  }

  // The largest set that is jointly linear, taken greedily: those first that stand in the way of
  // the fewest others.
  void FindLinear() {
    std::vector<int> open;
    for (int p = 0; p < Count(); ++p) {
      if (!DependsOn(derivatives_[p], p)) open.push_back(p);
    }
    const auto clash = [&](int p, int q) {
      return DependsOn(derivatives_[p], q) || DependsOn(derivatives_[q], p);
    };
    std::vector<int> order = open;
    std::stable_sort(order.begin(), order.end(), [&](int p, int q) {
      const auto clashes = [&](int x) {
        return std::count_if(open.begin(), open.end(),
                             [&](int y) { return x != y && clash(x, y); });
      };
      return clashes(p) < clashes(q);
    });
    std::vector<int> chosen;
    for (int p : order) {
      if (std::none_of(chosen.begin(), chosen.end(), [&](int q) { return clash(p, q); })) {
        chosen.push_back(p);
        guesses_[p].role = Role::kLinear;
      }
    }
  }
  // Signs of coefficients, with scales known to be above 0.
  void FindSigns() {
    std::vector<bool> positive;
    for (const Guess& guess : guesses_) positive.push_back(guess.role == Role::kScale);
    FormulaGraph graph(Minimum(), positive);
    const auto root = BuildFormula(text_, covariates_, names_, &graph);
    if (!root.ok()) return;  // It was built before.
    const std::vector<int> derivatives = graph.Derivatives(*root, Count());
    for (int p = 0; p < Count(); ++p) {
      if (guesses_[p].role != Role::kLinear) continue;
      guesses_[p].positive = PositiveCoefficient(p, derivatives[p], &graph);
    }
  }
  bool Constant(int p) const {
    return graph_.node(derivatives_[p]).op == FormulaGraph::Op::kConstant;
  }
  bool OneProduct() const {
    const FormulaGraph::Node& root = graph_.node(root_);
    return root.op != FormulaGraph::Op::kSum ||
           (root.coefficients.size() == 1 &&
            graph_.node(root.operands[0]).op == FormulaGraph::Op::kConstant);
  }
  // The constant of a loss, and what multiplies a power or an exponential: people write the sign
  // into the formula.
  bool PositiveCoefficient(int p, int derivative, FormulaGraph* graph) const {
    if (Constant(p)) return spec_.target == kTargetLoss && Count() > 1;
    if (graph->node(derivative).parameters == 0) return false;
    return graph->node(derivative).not_negative ||
           graph->node(graph->Negate(derivative)).not_negative;
  }

  LawParameter Parameter(int p) const {
    const Guess& guess = guesses_[p];
    LawParameter parameter;
    parameter.name = names_[p];
    parameter.linear = guess.role == Role::kLinear;
    parameter.log = guess.positive;
    if (guess.positive) parameter.lower = 0;
    if (guess.role == Role::kLinear) {
      parameter.meaning = Constant(p) ? "constant term" : "coefficient";
      if (!guess.positive) {
        parameter.starts = {-1, 1, 2};
      } else if (Constant(p)) {
        parameter.starts = {std::exp(-1), std::exp(-.5), 1, std::exp(.5), std::exp(1)};
      } else if (OneProduct()) {
        parameter.starts = {1e-3, 1e-2, .1, 1, 10, 100};
      } else {
        for (double log : {0, 5, 10, 15, 20, 25}) parameter.starts.push_back(std::exp(log));
      }
    } else if (guess.role == Role::kExponent) {
      parameter.meaning = "exponent";
      parameter.lower = OneProduct() && !guess.guarded ? -1 : 0;
      parameter.upper = 3;
      if (guess.guarded) {
        parameter.starts = {.2, .6, 1, 1.5};
      } else if (OneProduct()) {
        parameter.starts = {0, .2, .4, .8};
      } else {
        parameter.starts = {0, .5, 1, 1.5, 2};
      }
    } else {
      parameter.meaning = "scale";
      parameter.lower = 0;
      parameter.log = true;
      parameter.starts = {1};
    }
    return parameter;
  }

  // Starts of scales: over the values at which the parameter changes the formula's shape over
  // typical points.
  void PlaceScales() {
    constexpr int kPoints = 11;
    constexpr double kLeast = -9;  // powers of ten that are looked through, two steps each
    constexpr int kSteps = 48;
    std::vector<std::vector<double>> columns;
    for (size_t c = 0; c < covariates_.size(); ++c) {
      const auto known = options_.ranges.find(covariates_[c]);
      auto [low, high] =
          known != options_.ranges.end() ? known->second : TypicalRange(covariates_[c]);
      low = std::max(low, spec_.covariates[c].minimum);
      high = std::max(high, low);
      std::vector<double>& column = columns.emplace_back();
      for (int i = 0; i < kPoints; ++i) {
        const double share = static_cast<double>(i * (c + 2) % kPoints) / (kPoints - 1);
        column.push_back(low > 1e-100 ? low * std::pow(high / low, share)
                                      : low + (high - low) * share);
      }
    }
    const LawPoints points(std::move(columns));
    std::vector<int> outputs = {root_};
    outputs.insert(outputs.end(), derivatives_.begin(), derivatives_.end());
    const FormulaProgram program(graph_, static_cast<int>(covariates_.size()), outputs);
    std::vector<double> theta;
    int searched = 0;
    for (int p = 0; p < Count(); ++p) {
      theta.push_back(guesses_[p].role == Role::kExponent ? .3 : 1);
      if (guesses_[p].role != Role::kLinear) ++searched;
    }
    std::vector<double> values(kPoints), jacobian(kPoints * names_.size());
    // How fast the shape turns with ln p: what neither a factor nor a constant could bring about.
    const auto response = [&](int p) {
      program.Run(HostLawIsa(), points.Batch(), theta.data(), values.data(), jacobian.data(),
                  kPoints);
      const double* slope = &jacobian[static_cast<size_t>(p * kPoints)];
      double mean = 0;
      double mean_slope = 0;
      for (int i = 0; i < kPoints; ++i) {
        mean += values[i] / kPoints;
        mean_slope += slope[i] / kPoints;
      }
      // Squares of tiny values must not vanish.
      double size = 0;
      for (int i = 0; i < kPoints; ++i) size = std::max(size, std::abs(values[i] - mean));
      // Differences of rounded numbers have no shape.
      if (!(size > 1e-10 * std::abs(mean)) || !std::isnormal(size)) return 0.0;
      double vv = 0;
      double vs = 0;
      double ss = 0;
      for (int i = 0; i < kPoints; ++i) {
        const double v = (values[i] - mean) / size;
        const double s = theta[p] * ((slope[i] - mean_slope) / size);
        vv += v * v;
        vs += v * s;
        ss += s * s;
      }
      const double turn = std::sqrt(std::max(0.0, ss - vs * vs / vv) / vv);
      return std::isfinite(turn) ? turn : 0.0;
    };
    // Twice, since scales depend on each other.
    for (int round = 0; round < 2; ++round) {
      for (int p = 0; p < Count(); ++p) {
        if (guesses_[p].role != Role::kScale) continue;
        std::vector<double> turns;
        for (int k = 0; k <= kSteps; ++k) {
          theta[p] = std::pow(10, kLeast + .5 * k);
          turns.push_back(response(p));
        }
        const double most = *std::max_element(turns.begin(), turns.end());
        double first = 1e-3;
        double last = 1e3;
        if (most > 1e-3) {
          const auto responds = [&](double turn) { return turn >= .1 * most; };
          const auto low = std::find_if(turns.begin(), turns.end(), responds);
          const auto high = std::find_if(turns.rbegin(), turns.rend(), responds);
          first = std::pow(10, kLeast + .5 * static_cast<double>(low - turns.begin()));
          last = std::pow(10, kLeast + .5 * static_cast<double>(turns.rend() - high - 1));
          if (first == last) {
            first /= 2;
            last *= 2;
          }
        }
        theta[p] = std::sqrt(first * last);
        const int count = searched > 5 ? 3 : 5;
        std::vector<double>& starts = spec_.parameters[p].starts;
        starts.clear();
        for (int i = 0; i < count; ++i) {
          starts.push_back(first * std::pow(last / first, static_cast<double>(i) / (count - 1)));
        }
      }
    }
  }

  void Tell(std::vector<std::string>* assumptions) const {
    assumptions->push_back(absl::StrCat(absl::StrJoin(covariates_, ", "),
                                        covariates_.size() == 1 ? " is" : " are",
                                        " read from the table; all else is fitted"));
    std::map<std::string, std::vector<std::string>> groups;
    for (int p = 0; p < Count(); ++p) {
      const LawParameter& parameter = spec_.parameters[p];
      std::string what = parameter.linear ? "linear, solved in closed form"
                         : guesses_[p].role == Role::kExponent
                             ? absl::StrCat("exponent from ", ShortestNumber(parameter.lower),
                                            " to ", ShortestNumber(parameter.upper))
                             : absl::StrCat("scale above 0, searched from ",
                                            absl::StrCat(parameter.starts.front()), " to ",
                                            absl::StrCat(parameter.starts.back()));
      if (parameter.linear && parameter.log) what = absl::StrCat("above 0, ", what);
      groups[what].push_back(parameter.name);
    }
    for (const auto& [what, names] : groups) {
      assumptions->push_back(absl::StrCat(absl::StrJoin(names, ", "), ": ", what));
    }
  }

  const FormulaText& text_;
  const std::vector<std::string>& names_;
  const FormulaOptions& options_;
  LawSpec& spec_;
  std::vector<std::string> covariates_;
  FormulaGraph graph_;
  std::vector<Guess> guesses_;
  int root_ = 0;
  std::vector<int> derivatives_;
};

}  // namespace

std::pair<double, double> TypicalRange(const std::string& covariate) {
  if (covariate == "N" || covariate == "N_total") return {1e7, 1e10};
  if (covariate == "D") return {1e9, 1e12};
  if (covariate == "G") return {16, 512};
  if (covariate == "qat_fraction") return {.05, 1};
  if (covariate == "flops") return {1e17, 1e22};
  if (covariate == kQuantized) return {0, 1};
  if (covariate.size() > 5 && covariate.substr(covariate.size() - 5) == "_bits") return {2, 8};
  return {1, 100};
}

std::vector<LawCovariate> GuessCovariates(const FormulaText& text,
                                          const std::vector<std::string>& names) {
  std::set<std::string> positive;
  NeedPositive(text.root, &positive);
  // Where powers with negative exponents begin: low enough for any unit of a column, and no
  // power that a law has overflows there.
  constexpr double kSmallest = 1e-30;
  std::vector<LawCovariate> covariates;
  for (const std::string& name : names) {
    if (name == kQuantized) {
      covariates.push_back(QuantizedCovariate());
      continue;
    }
    LawCovariate covariate;
    covariate.name = name;
    covariate.meaning = absl::StrCat("column ", name);
    // Below 1 the logarithm of a group size, which powers are taken of, is negative.
    covariate.minimum = name == "G" ? 1 : positive.count(name) != 0 ? kSmallest : 0;
    covariates.push_back(std::move(covariate));
  }
  return covariates;
}

absl::Status GuessParameters(const FormulaText& text, const std::vector<std::string>& names,
                             const FormulaOptions& options, LawSpec* spec,
                             std::vector<std::string>* assumptions) {
  return Guesser(text, names, options, spec).Run(assumptions);
}

}  // namespace qatlas::forms
