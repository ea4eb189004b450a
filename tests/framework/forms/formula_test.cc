// Formulas against plugins, against differences, and what is guessed of their parameters.
#include "framework/forms/formula.h"

#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "framework/forms/formula_graph.h"
#include "framework/forms/formula_program.h"
#include "tests/framework/forms/reference.h"
#include "tests/plugins/laws/laws.h"

namespace qatlas::forms {
namespace {

using qatlas::testing::Law;
using qatlas::testing::ReferenceValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

FormulaLaw Make(const std::string& text, const FormulaOptions& options = {}) {
  auto law = MakeFormulaLaw(text, options);
  EXPECT_TRUE(law.ok()) << law.status();
  return *std::move(law);
}
std::string Wrong(const std::string& text, const FormulaOptions& options = {}) {
  const auto law = MakeFormulaLaw(text, options);
  return law.ok() ? "fine" : std::string(law.status().message());
}
const LawParameter& Parameter(const FormulaLaw& law, const std::string& name) {
  const int index = law.form->Spec().ParameterIndex(name);
  EXPECT_GE(index, 0) << name;
  return law.form->Spec().parameters[index];
}

// --- Against plugins ---------------------------------------------------------------------------

class AgainstPlugin : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

// Points over the whole range, a number of them that no vector divides; theta over the start grid.
TEST_P(AgainstPlugin, GivesTheSameValuesAndDerivatives) {
  const auto plugin = Law(GetParam().first);
  const FormulaLaw formula = Make(GetParam().second);
  const LawSpec& theirs = plugin->Spec();
  const LawSpec& ours = formula.form->Spec();
  ASSERT_EQ(theirs.target, ours.target);
  ASSERT_EQ(theirs.covariates.size(), ours.covariates.size());
  ASSERT_EQ(theirs.parameters.size(), ours.parameters.size());
  constexpr int64_t kPoints = 301;
  std::mt19937_64 random(5);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::vector<std::vector<double>> columns;
  for (const LawCovariate& covariate : theirs.covariates) {
    std::vector<double>& column = columns.emplace_back();
    const bool big = covariate.name == "N" || covariate.name == "D";
    for (int64_t i = 0; i < kPoints; ++i) {
      column.push_back(big                     ? std::pow(10, 7 + 5 * uniform(random))
                       : covariate.name == "G" ? (i == 3 ? 1 : std::pow(2, 10 * uniform(random)))
                                               : 1 + 15 * uniform(random));
    }
  }
  std::vector<std::vector<double>> own;
  for (const LawCovariate& covariate : ours.covariates) {
    const int index = theirs.CovariateIndex(covariate.name);
    ASSERT_GE(index, 0) << covariate.name;
    own.push_back(columns[index]);
  }
  const LawPoints points(columns), own_points(own);
  const size_t p = theirs.parameters.size();
  std::vector<double> value(kPoints), jacobian(p * kPoints);
  std::vector<double> own_value(kPoints), own_alone(kPoints), own_jacobian(p * kPoints);
  for (int round = 0; round < 200; ++round) {
    std::vector<double> theta, own_theta(p);
    for (const LawParameter& parameter : theirs.parameters) {
      const auto [low, high] =
          std::minmax_element(parameter.starts.begin(), parameter.starts.end());
      theta.push_back(parameter.log ? *low * std::pow(*high / *low, uniform(random))
                                    : *low + (*high - *low) * uniform(random));
    }
    for (size_t i = 0; i < p; ++i) {
      const int index = ours.ParameterIndex(theirs.parameters[i].name);
      ASSERT_GE(index, 0) << theirs.parameters[i].name;
      own_theta[index] = theta[i];
    }
    plugin->Evaluate(points.Batch(), theta.data(), value.data(), jacobian.data(), kPoints);
    formula.form->Evaluate(own_points.Batch(), own_theta.data(), own_alone.data(), nullptr, 0);
    formula.form->Evaluate(own_points.Batch(), own_theta.data(), own_value.data(),
                           own_jacobian.data(), kPoints);
    for (int64_t i = 0; i < kPoints; ++i) {
      ASSERT_NEAR(own_value[i], value[i], 1e-12 * std::abs(value[i])) << i;
      ASSERT_NEAR(own_alone[i], value[i], 1e-12 * std::abs(value[i])) << i;
      for (size_t k = 0; k < p; ++k) {
        const double exact = jacobian[k * kPoints + i];
        const int index = ours.ParameterIndex(theirs.parameters[k].name);
        ASSERT_NEAR(own_jacobian[index * kPoints + i], exact, 1e-12 * std::abs(exact) + 1e-300)
            << theirs.parameters[k].name << " at point " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, AgainstPlugin,
    ::testing::Values(std::pair{"chinchilla", "L = E + A/N^alpha + B/D^beta"},
                      std::pair{"chinchilla-tied", "loss = A*N^-alpha + B*exp(-alpha*log(D)) + E"},
                      std::pair{"qat-unified", "delta = k * D^gammaD * (log2 G)^gammaG / N^gammaN"},
                      std::pair{"qat-no-data", "δ = k * log2(G)^gammaG / N^gammaN"}),
    [](const auto& info) {
      std::string name = info.param.first;
      for (char& c : name) c = c == '-' ? '_' : c;
      return name;
    });

// --- Against the tree, in long double --------------------------------------------------------

// A formula of random shape; its bases and arguments of logarithms are positive.
class RandomFormula {
 public:
  explicit RandomFormula(uint64_t seed) : random_(seed) {}
  std::string Any(int depth) {
    if (depth == 0) return Leaf();
    const std::string a = Any(depth - 1);
    switch (random_() % 9) {
      case 0:
        return absl::StrCat("(", a, " + ", Any(depth - 1), ")");
      case 1:
        return absl::StrCat("(", a, " - ", Any(depth - 1), ")");
      case 2:
        return absl::StrCat(a, " * ", Any(depth - 1));
      case 3:
        return absl::StrCat(a, " / (1 + ", Positive(depth - 1), ")");
      case 4:
        return absl::StrCat("exp(-", Positive(depth - 1), ")");
      case 5:
        return absl::StrCat("log(1 + ", Positive(depth - 1), ")");
      case 6:
        return absl::StrCat("tanh(", a, ")");
      case 7:
        return absl::StrCat(Positive(depth - 1), "^(", Exponent(), ")");
      default:
        return absl::StrCat("-", Leaf(), "^2");
    }
  }

 private:
  std::string Positive(int depth) {
    switch (depth == 0 ? random_() % 2 : random_() % 5) {
      case 0:
        return Pick({"p", "q", "r", "s"});
      case 1:
        return Pick({"N", "x", "2.5"});
      case 2:
        return absl::StrCat("(", Positive(depth - 1), " + ", Positive(depth - 1), ")");
      case 3:
        return absl::StrCat("sqrt(", Positive(depth - 1), ")");
      default:
        return absl::StrCat("(", Positive(depth - 1), " * ", Positive(depth - 1), ")");
    }
  }
  std::string Exponent() { return Pick({"p", "-q", "r - s", ".5", "3", "-1", "1.7", "r*x"}); }
  std::string Leaf() { return Pick({"p", "q", "r", "s", "N", "x", "1.25"}); }
  std::string Pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }

  std::mt19937_64 random_;
};

TEST(Formula, RandomOnesMatchTheirTree) {
  constexpr int kPoints = 19;
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> uniform(.3, 1.7);
  int compared = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    const std::string text = absl::StrCat("y = ", RandomFormula(seed).Any(4));
    FormulaOptions options;
    options.columns = {"x"};
    const auto law = MakeFormulaLaw(text, options);
    if (!law.ok()) continue;  // without a covariate or parameter, or with one that falls out
    const LawSpec& spec = law->form->Spec();
    std::vector<std::vector<double>> columns(spec.covariates.size());
    for (auto& column : columns) {
      for (int i = 0; i < kPoints; ++i) column.push_back(uniform(random));
    }
    std::vector<double> theta;
    for (size_t p = 0; p < spec.parameters.size(); ++p) theta.push_back(uniform(random));
    const LawPoints points(columns);
    std::vector<double> values(kPoints), jacobian(kPoints * theta.size());
    law->form->Evaluate(points.Batch(), theta.data(), values.data(), jacobian.data(), kPoints);
    for (int i = 0; i < kPoints; ++i) {
      std::map<std::string, long double> symbols;
      for (size_t c = 0; c < columns.size(); ++c) symbols[spec.covariates[c].name] = columns[c][i];
      for (size_t p = 0; p < theta.size(); ++p) symbols[spec.parameters[p].name] = theta[p];
      const long double exact = ReferenceValue(law->text.root, symbols);
      if (!std::isfinite(exact) || std::abs(exact) > 1e6L) continue;
      ASSERT_NEAR(values[i], static_cast<double>(exact), 1e-11 * (1 + std::abs(values[i]))) << text;
      for (size_t p = 0; p < theta.size(); ++p) {
        // Five points in long double: the error lies far below what is asked for.
        const auto at = [&](long double step) {
          auto moved = symbols;
          moved[spec.parameters[p].name] += step;
          return ReferenceValue(law->text.root, moved);
        };
        const long double h = 1e-4L;
        const long double slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
        if (!std::isfinite(slope) || std::abs(slope) > 1e6L) continue;
        ASSERT_NEAR(jacobian[p * kPoints + i], static_cast<double>(slope),
                    1e-9 * (1 + std::abs(static_cast<double>(slope))))
            << text << " by " << spec.parameters[p].name;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 10000);
}

TEST(Formula, AllInstructionSetsGiveTheSameBits) {
  const auto text = ParseFormulaText("L = E + A*tanh(c*N)/N^a + sqrt(B/D^b) + log(1 + exp(-k*D))");
  ASSERT_TRUE(text.ok());
  FormulaGraph graph({1, 1}, std::vector<bool>(7, true));
  const std::vector<std::string> parameters = {"E", "A", "c", "a", "B", "b", "k"};
  const auto root = BuildFormula(*text, {"N", "D"}, parameters, &graph);
  ASSERT_TRUE(root.ok());
  std::vector<int> outputs = {*root};
  for (int id : graph.Derivatives(*root, 7)) outputs.push_back(id);
  const FormulaProgram program(graph, 2, outputs);
  constexpr int kPoints = 600;  // more than one block, and no multiple of a vector
  std::vector<double> n, d;
  for (int i = 0; i < kPoints; ++i) {
    n.push_back(1 + .37 * i);
    d.push_back(1 + .011 * i * i);
  }
  const LawPoints points({n, d});
  const double theta[] = {1.7, 2, .3, .4, 3, .2, .05};
  std::vector<double> first;
  for (LawIsa isa : {LawIsa::kBaseline, LawIsa::kAvx2, LawIsa::kAvx512}) {
    if (isa > HostLawIsa()) continue;
    std::vector<double> all(8 * kPoints);
    program.Run(isa, points.Batch(), theta, all.data(), all.data() + kPoints, kPoints);
    if (first.empty()) first = all;
    EXPECT_EQ(all, first);
  }
}

TEST(Formula, PowersOfZeroHaveTheDerivativesOfLimits) {
  const FormulaLaw law = Make("delta = k * (log2 G)^g");
  const LawPoints points(std::vector<std::vector<double>>{{1, 16}});
  const double theta[] = {2, .5};
  double values[2], jacobian[4];
  law.form->Evaluate(points.Batch(), theta, values, jacobian, 2);
  EXPECT_EQ(values[0], 0);
  EXPECT_EQ(jacobian[0], 0);
  EXPECT_EQ(jacobian[2], 0);
  EXPECT_NEAR(values[1], 4, 1e-12);
  const double none[] = {2, 0};
  law.form->Evaluate(points.Batch(), none, values, jacobian, 2);
  EXPECT_EQ(values[0], 2);
  EXPECT_EQ(jacobian[2], 0);
}

TEST(Formula, MergesPowersIntoOneExponential) {
  FormulaGraph graph({1, 1, 1}, {true, false, false, false});
  const auto text = ParseFormulaText("delta = k * D^b * (log2 G)^c / N^a");
  const auto root = BuildFormula(*text, {"N", "D", "G"}, {"k", "a", "b", "c"}, &graph);
  ASSERT_TRUE(root.ok());
  const FormulaProgram program(graph, 3, {*root});
  int exponentials = 0;
  for (const FormulaInstruction& instruction : program.instructions()) {
    exponentials += instruction.code >= FormulaInstruction::Code::kExp1 &&
                    instruction.code <= FormulaInstruction::Code::kExp3;
  }
  EXPECT_EQ(exponentials, 1);
}

// --- What is guessed --------------------------------------------------------------------------

TEST(Formula, FindsWhatEntersLinearly) {
  const auto linear = [](const std::string& text) {
    std::vector<std::string> names;
    const FormulaLaw law = Make(text);
    for (const LawParameter& parameter : law.form->Spec().parameters) {
      if (parameter.linear) names.push_back(parameter.name);
    }
    return names;
  };
  EXPECT_THAT(linear("L = E + A/N^a + B/D^b"), ElementsAre("E", "A", "B"));
  EXPECT_THAT(linear("L = k*(a + b*log(N))"), ElementsAre("a", "b"));
  EXPECT_THAT(linear("L = (A/N^a + B/D^b)^g + E"), ElementsAre("E"));
  EXPECT_THAT(linear("L = exp(e - a*log(N))"), ::testing::IsEmpty());
  EXPECT_THAT(linear("L = a*N + a*b*D"), ElementsAre("a"));
}

TEST(Formula, GuessesAsThePluginDeclares) {
  const FormulaLaw law = Make("L = E + A/N^alpha + B/D^beta");
  const auto plugin = Law("chinchilla");
  ASSERT_EQ(plugin->Spec().parameters.size(), 5u);
  for (const LawParameter& theirs : plugin->Spec().parameters) {
    const LawParameter& ours = Parameter(law, theirs.name);
    EXPECT_EQ(ours.linear, theirs.linear) << theirs.name;
    EXPECT_EQ(ours.log, theirs.log) << theirs.name;
    EXPECT_EQ(ours.lower, theirs.lower) << theirs.name;
    EXPECT_EQ(ours.upper, theirs.upper) << theirs.name;
    EXPECT_THAT(ours.starts, ::testing::Pointwise(::testing::DoubleEq(), theirs.starts));
  }
  EXPECT_THAT(law.assumptions, ElementsAre("N, D are read from the table; all else is fitted",
                                           "E, A, B: above 0, linear, solved in closed form",
                                           "alpha, beta: exponent from 0 to 3"));
}

TEST(Formula, PlacesScalesWhereTheDataRespond) {
  FormulaOptions options;
  options.ranges["weight_bits"] = {2, 8};
  const FormulaLaw law = Make("L = E + A*exp(-weight_bits/g)", options);
  const LawParameter& g = Parameter(law, "g");
  EXPECT_TRUE(g.log);
  EXPECT_FALSE(g.linear);
  EXPECT_GT(g.starts.front(), .01);
  EXPECT_LT(g.starts.back(), 1000);
  EXPECT_TRUE(std::any_of(g.starts.begin(), g.starts.end(),
                          [](double start) { return start > 1 && start < 20; }));
}

TEST(Formula, PlacesScalesOfWhatVanishes) {
  FormulaOptions options;
  options.ranges["D"] = {1e9, 1e12};
  const FormulaLaw law = Make("delta = k * 2^(-D/h) / N^a", options);
  const LawParameter& h = Parameter(law, "h");
  EXPECT_GT(h.starts.front(), 1e7);
  EXPECT_LT(h.starts.back(), 1e14);
  EXPECT_TRUE(std::any_of(h.starts.begin(), h.starts.end(),
                          [](double start) { return start > 3e8 && start < 1e12; }));
}

TEST(Formula, SeesTheSignOfCoefficientsThroughScales) {
  const FormulaLaw law = Make("L = E + k*D^-b * tanh(c*weight_bits) - m*exp(-weight_bits/g) + n*D");
  EXPECT_TRUE(Parameter(law, "k").log);
  EXPECT_TRUE(Parameter(law, "m").log);
  EXPECT_FALSE(Parameter(law, "n").log);
}

TEST(Formula, TakesWhatIsDeclared) {
  FormulaOptions options;
  options.start["E"] = {-2, 1};
  options.bounds["a"] = {.1, .2};
  options.bounds["B"] = {-5, 5};
  options.positive = {"c"};
  options.units["A"] = "nats/token";
  const FormulaLaw law = Make("L = E + A/N^a + B*D + c*log(D)", options);
  EXPECT_FALSE(Parameter(law, "E").log);
  EXPECT_THAT(Parameter(law, "E").starts, ElementsAre(-2, 1));
  EXPECT_EQ(Parameter(law, "a").upper, .2);
  for (double start : Parameter(law, "a").starts) {
    EXPECT_GT(start, .1);
    EXPECT_LT(start, .2);
  }
  EXPECT_FALSE(Parameter(law, "B").log);
  EXPECT_TRUE(Parameter(law, "c").log);
  EXPECT_EQ(Parameter(law, "A").unit, "nats/token");
}

TEST(Formula, DeclaredParametersDecideWhatIsAColumn) {
  FormulaOptions options;
  options.parameters = {"E", "D", "b"};
  const FormulaLaw law = Make("score = E + D/lr^b", options);
  EXPECT_EQ(law.form->Spec().target, "score");
  ASSERT_EQ(law.form->Spec().covariates.size(), 1u);
  EXPECT_EQ(law.form->Spec().covariates[0].name, "lr");
  EXPECT_GT(law.form->Spec().covariates[0].minimum, 0);
}

TEST(Formula, SaysWhatIsWrong) {
  EXPECT_THAT(Wrong("L = 2*N"), HasSubstr("no parameter that could be fitted"));
  EXPECT_THAT(Wrong("L = a + b"), HasSubstr("nothing varies"));
  EXPECT_THAT(Wrong("E + A/N^a"), HasSubstr("the left side is missing"));
  EXPECT_EQ(Wrong("L = E + (a - a)*N"),
            "formula: character 10: the formula does not depend on 'a'\n"
            "  L = E + (a - a)*N\n"
            "           ^");
  EXPECT_EQ(Wrong("L = E + (1 - 2)^(a*N)"),
            "formula: character 12: the base of this power is not above 0\n"
            "  L = E + (1 - 2)^(a*N)\n"
            "             ^");
  EXPECT_THAT(Wrong("L = E*N + 1/0"), HasSubstr("no finite value"));
  FormulaOptions options;
  options.start["alpah"] = {1};
  EXPECT_THAT(
      Wrong("L = E + A/N^alpha", options),
      HasSubstr("start: the formula has no parameter 'alpah'; nearest valid name: 'alpha'"));
  options = {};
  options.bounds["E"] = {2, 1};
  EXPECT_THAT(Wrong("L = E + A/N^alpha", options), HasSubstr("the bounds of 'E' are 2 to 1"));
  options = {};
  options.columns = {"loss"};
  EXPECT_THAT(Wrong("L = E + A*loss", options), HasSubstr("stands on both sides"));
  std::string many = "L = N";
  for (int i = 0; i < 64; ++i) absl::StrAppend(&many, " + p", i, "*N^", i + 9);
  EXPECT_THAT(Wrong(many), HasSubstr("more than 63 parameters"));
}

}  // namespace
}  // namespace qatlas::forms
