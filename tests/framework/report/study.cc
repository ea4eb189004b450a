#include "tests/framework/report/study.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "framework/decompose/sites.h"
#include "framework/observe/schema.h"
#include "qatlas/law_formula.h"

namespace qatlas::report {
namespace {

LawParameter Positive(const char* name, std::vector<double> starts, double upper, bool linear) {
  return {.name = name,
          .meaning = absl::StrCat("the test's ", name),
          .unit = "",
          .lower = 0,
          .upper = upper,
          .starts = std::move(starts),
          .linear = linear,
          .log = linear,
          .per = {},
          .pins = {}};
}

// δ = k D^d (log2 G)^g / N^n
class Unified : public LawFormula<Unified, 3, 4> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec;
    spec.target = kTargetDelta;
    spec.formula = "k * D^d * log2(G)^g / N^n";
    spec.covariates = {
        {"N", "size", "parameters", 1}, {"D", "data", "tokens", 1}, {"G", "group", "elements", 2}};
    spec.parameters = {Positive("k", {1e-3, 1}, kNoBound, true), Positive("n", {.1, .4}, 2, false),
                       Positive("d", {.05, .3}, 2, false), Positive("g", {.3, .9}, 3, false)};
    spec.parameters[0].per = {"precision"};
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D, G] = covariates;
    const auto [k, n, d, g] = parameters;
    return k * Pow(N, -n) * Pow(D, d) * Pow(Log2(G), g);
  }
};

// The same without D.
class WithoutData : public LawFormula<WithoutData, 2, 3> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec = Unified::MakeSpec();
    spec.formula = "k * log2(G)^g / N^n";
    spec.covariates.erase(spec.covariates.begin() + 1);
    spec.parameters.erase(spec.parameters.begin() + 2);
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, G] = covariates;
    const auto [k, n, g] = parameters;
    return k * Pow(N, -n) * Pow(Log2(G), g);
  }
};

class Loss : public LawFormula<Loss, 2, 5> {
 public:
  static LawSpec MakeSpec() {
    LawSpec spec;
    spec.target = kTargetLoss;
    spec.formula = "E + A/N^a + B/D^b";
    spec.covariates = {{"N", "size", "parameters", 1}, {"D", "data", "tokens", 1}};
    spec.parameters = {Positive("E", {1, 2}, kNoBound, true),
                       Positive("A", {10, 1000}, kNoBound, true), Positive("a", {.3, .6}, 3, false),
                       Positive("B", {10, 1000}, kNoBound, true),
                       Positive("b", {.3, .6}, 3, false)};
    return spec;
  }
  template <typename X, typename P>
  static QATLAS_INLINE auto Formula(const X& covariates, const P& parameters) {
    const auto [N, D] = covariates;
    const auto [E, A, a, B, b] = parameters;
    return E + A * Pow(N, -a) + B * Pow(D, -b);
  }
};

class Simulation {
 public:
  explicit Simulation(uint64_t seed) : random_(seed) {}
  double Noise(double sigma) { return sigma * std::normal_distribution<double>()(random_); }

 private:
  std::mt19937_64 random_;
};

constexpr const char* kRoles[] = {"qkv", "o", "fc1", "fc2"};
constexpr double kRoleShares[] = {.16, .1, .24, .46};

struct RunSpec {
  std::string model;
  double size, budget, group, bits;
  int seed;
};

void AppendRun(const RunSpec& spec, const std::string& part, double loss, double delta,
               observe::Table* table) {
  const bool quantized = part != observe::kPartNone;
  const std::string label = quantized
                                ? absl::StrCat("W", part == observe::kPartInputs ? 16 : spec.bits,
                                               "A", part == observe::kPartWeights ? 16 : spec.bits)
                                : "";
  observe::Table::Row row = {
      {"run", absl::StrCat(spec.model, "-", spec.budget, "-", part, label, "-", spec.group, "-",
                           spec.seed)},
      {"model", spec.model},
      {"N", spec.size},
      {"D", spec.budget},
      {"scheme", std::string(quantized ? "quantized" : observe::kSchemeFullPrecision)},
      {"part", part},
      {"seed", static_cast<double>(spec.seed)},
      {"loss", loss + (quantized ? delta : 0)},
      {"loss_se", .02}};
  if (quantized) {
    row.insert(row.end(), {{"precision", label},
                           {"weight_bits", part == observe::kPartInputs ? 16 : spec.bits},
                           {"input_bits", part == observe::kPartWeights ? 16 : spec.bits},
                           {"G", spec.group},
                           {"granularity", std::string("per-group")},
                           {"delta", delta},
                           {"delta_se", .0004}});
  }
  ASSERT_TRUE(table->Append(row).ok());
}

void AppendSites(const std::string& run, int blocks, double bits, Simulation* simulation,
                 observe::Table* sites) {
  nlohmann::json array = nlohmann::json::array();
  for (int block = 0; block < blocks; ++block) {
    for (const char* role : kRoles) {
      for (const char* operand : {"weight", "input"}) {
        const bool heavy = std::string(role) == "fc2" && std::string(operand) == "input";
        nlohmann::json site = {
            {"site", absl::StrCat(block, ".", role, ".", operand)},
            {"kurtosis", (heavy ? 40 : 3.2) * std::exp(simulation->Noise(.2) + .1 * block)},
            {"max_to_median", (heavy ? 60 : 7) * std::exp(simulation->Noise(.2))}};
        if (bits < 16) {
          site["snr_db"] = 6.02 * bits - (heavy ? 9 : 4) + simulation->Noise(.5);
        }
        array.push_back(std::move(site));
      }
    }
  }
  ASSERT_TRUE(decompose::AppendSites(array.dump(), run + ".json", run, *sites).ok());
}

// Sites that change while they train: the recorded ones are where it ends.
observe::Table HistoryOf(const observe::Table& sites, double budget) {
  observe::Table history;
  for (double share : {.75, .9, 1.}) {
    for (size_t row = 0; row < sites.rows(); ++row) {
      observe::Table::Row values = {{"tokens", share * budget}};
      for (const char* column : {"run", "site", "block", "role", "operand"}) {
        values.emplace_back(column, sites.At(row, column));
      }
      for (const char* column : {"kurtosis", "max_to_median", "snr_db"}) {
        values.emplace_back(column, share * sites.NumberAt(row, column));
      }
      EXPECT_TRUE(history.Append(values).ok());
    }
  }
  return history;
}

void Provenance(Inputs* inputs) {
  inputs->provenance = {{"recipe", "quickstart.toml"},
                        {"versions", {{"qatlas", "0.1.0"}, {"torch", "2.11.0"}}},
                        {"seeds", {0, 1}},
                        {"hardware", {{"cpu", "2 cores"}, {"instruction set", "AVX-512"}}}};
}

}  // namespace

void Study::Decompose() {
  auto result = decompose::Decompose(inputs.observations);
  ASSERT_TRUE(result.ok()) << result.status();
  decomposition = std::make_unique<decompose::Decomposition>(*std::move(result));
  inputs.decomposition = decomposition.get();
}

Study QuickstartStudy(int seeds, uint64_t random_seed) {
  Simulation simulation(random_seed);
  Study study;
  study.inputs.title = "quickstart";
  study.inputs.description = "What low-bit training costs small models.";
  observe::Table& table = study.inputs.observations;
  table = observe::EmptyObservations();
  const std::pair<const char*, double> sizes[] = {{"s", 196608}, {"m", 786432}, {"l", 2359296}};
  for (const auto& [model, size] : sizes) {
    for (double budget : {4e5, 8e5, 1.6e6}) {
      for (int seed = 0; seed < seeds; ++seed) {
        RunSpec spec{model, size, budget, 32, 16, seed};
        const double loss =
            1.7 + 300 / std::pow(size, .45) + 900 / std::pow(budget, .5) + simulation.Noise(.01);
        AppendRun(spec, observe::kPartNone, loss, 0, &table);
        if (budget == 1.6e6) {
          AppendSites(std::string(table.TextAt(table.rows() - 1, "run")), size > 1e6 ? 6 : 4, 16,
                      &simulation, &study.inputs.sites);
        }
        for (double bits : {4., 3.}) {
          for (double group : {32., 128.}) {
            spec.bits = bits;
            spec.group = group;
            const double delta = (bits == 4 ? .0018 : .006) * std::pow(budget, .45) *
                                 std::pow(std::log2(group), .8) / std::pow(size, .36);
            AppendRun(spec, observe::kPartBoth, loss, delta + simulation.Noise(.0006), &table);
            if (budget < 1.6e6 || group > 32) continue;
            AppendSites(std::string(table.TextAt(table.rows() - 1, "run")), size > 1e6 ? 6 : 4,
                        bits, &simulation, &study.inputs.sites);
            AppendRun(spec, observe::kPartWeights, loss, .3 * delta + simulation.Noise(.0006),
                      &table);
            AppendRun(spec, observe::kPartInputs, loss, .75 * delta + simulation.Noise(.0006),
                      &table);
            AppendRun(spec, observe::kPartFc2At8Bits, loss, .75 * delta + simulation.Noise(.0006),
                      &table);
            if (bits > 3 || size > 2e5) continue;
            for (size_t role = 0; role < 4; ++role) {
              AppendRun(spec, absl::StrCat(observe::kPartOnly, kRoles[role]), loss,
                        kRoleShares[role] * delta + simulation.Noise(.0006), &table);
              AppendRun(spec, absl::StrCat(observe::kPartNot, kRoles[role]), loss,
                        (1 - 1.1 * kRoleShares[role]) * delta + simulation.Noise(.0006), &table);
            }
          }
        }
      }
    }
  }
  study.inputs.site_history = HistoryOf(study.inputs.sites, 1.6e6);
  Provenance(&study.inputs);
  study.inputs.notes = {"1 run failed: s, D 400k, W3A3, seed 1: diverged after step 120."};
  study.Decompose();
  return study;
}

Study PaperStudy() {
  Simulation simulation(2);
  Study study;
  study.inputs.title = "Chen et al. 2025, simulated";
  observe::Table& table = study.inputs.observations;
  for (double size : {74.32e6, 144.7e6, 297.27e6, 594.54e6}) {
    for (double budget : {1e10, 2e10, 5e10, 1e11}) {
      for (double group : {32., 64., 128., 256., 1024.}) {
        const double delta = .1582 * std::pow(budget, .0745) * std::pow(std::log2(group), .7779) /
                             std::pow(size, .2186);
        EXPECT_TRUE(table
                        .Append({{"N", size},
                                 {"D", budget},
                                 {"G", group},
                                 {"precision", std::string("W4A4")},
                                 {"delta", delta * (1 + simulation.Noise(.05))}})
                        .ok());
      }
    }
  }
  study.Decompose();
  return study;
}

Study LossStudy() {
  Simulation simulation(3);
  Study study;
  study.inputs.title = "Somebody's losses";
  observe::Table& table = study.inputs.observations;
  for (int i = 0; i < 36; ++i) {
    const double size = 1e7 * std::pow(10, 2 * (i % 18) / 17. + .01 * i);
    const double budget = 1e9 * std::pow(10, 2 * ((i * 7) % 36) / 35.);
    const double loss =
        1.8 + 482 / std::pow(size, .3478) + 2085 / std::pow(budget, .3658) + simulation.Noise(.01);
    EXPECT_TRUE(table.Append({{"N", size}, {"D", budget}, {"loss", loss}}).ok());
  }
  return study;
}

void CompareLaws(Study* study) {
  const observe::Table& all = study->inputs.observations;
  compare::CompareOptions options;
  options.resampling.replicates = 50;
  const auto add = [&](const std::string& id, const std::string& title, observe::Table table,
                       const std::vector<compare::Candidate>& candidates) {
    auto comparison = compare::Compare(candidates, table, options);
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    study->inputs.laws.push_back({id, title, std::move(table), *std::move(comparison)});
  };
  if (all.Has("delta")) {
    add("laws-delta", "Which law describes δ", all.Filter([&](size_t row) {
      const absl::string_view part = all.TextAt(row, "part");
      return std::isfinite(all.NumberAt(row, "delta")) &&
             (part.empty() || part == observe::kPartBoth);
    }),
        {{"unified", std::make_shared<Unified>(), {}},
         {"without-data", std::make_shared<WithoutData>(), {}}});
  }
  if (all.Has("loss")) {
    add("laws-loss", "Which law describes the loss", all.Filter([&](size_t row) {
      const absl::string_view part = all.TextAt(row, "part");
      return part.empty() || part == observe::kPartNone;
    }),
        {{"chinchilla", std::make_shared<Loss>(), {}}});
  }
}

}  // namespace qatlas::report
